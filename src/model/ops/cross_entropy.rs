//! Unembedding and cross-entropy together: the logits never exist as a whole.
//!
//! `loss_i = ln sum_v exp(l_iv) - l_{i,t_i}`, `l = x W + b`; `dl = weight_i (softmax(l_i) -
//! onehot(t_i))`, `dx = dl W^T`, `dW = x^T dl`, `db = sum dl`. Source: as in Liger-Kernel's fused
//! linear cross-entropy (Hsu et al. 2024, arXiv:2410.10989): a chunk of rows at a time.

use super::unembed::{Gradients, Unembedding, pass};
use super::{Matrix, common_dtype, contiguous, elements, wide};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};
use std::sync::Mutex;

/// How the rows are put together.
#[derive(Clone, Copy, PartialEq)]
enum Reduction {
    /// A scalar, their mean; gradients are computed on the way.
    Mean,
    /// `[n]`; gradients are computed when asked for.
    None,
}

struct CrossEntropy {
    targets: Vec<u32>,
    reduction: Reduction,
    wants_gradients: bool,
    kept: Mutex<Option<Gradients>>,
}

/// Mean cross-entropy in nats of `x` `[n, d]`, `w` `[d, v]`, `b` `[v]` against `targets` (`n` ids
/// below `v`): a scalar, in f32 whatever the inputs' type. No rows have no mean: an error.
pub(in crate::model) fn mean_cross_entropy(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    targets: Vec<u32>,
) -> Result<Tensor> {
    apply(x, w, b, targets, Reduction::Mean)
}

/// [`mean_cross_entropy`] without the mean: `[n]`.
pub(in crate::model) fn cross_entropy(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    targets: Vec<u32>,
) -> Result<Tensor> {
    apply(x, w, b, targets, Reduction::None)
}

/// [`mean_cross_entropy`] without a graph, and its gradients by `x`, `w` and `b`. f32 only.
pub(in crate::model) fn mean_cross_entropy_and_gradients(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    targets: &[u32],
) -> Result<(Tensor, [Tensor; 3])> {
    check(x, w, b, targets, Reduction::Mean)?;
    let (n, d) = x.dims2()?;
    let weight = vec![1.0 / n as f32; n];
    let (losses, grads) = over_tensors(&x.contiguous()?, w, &b.contiguous()?, targets, &weight)?;
    let device = x.device();
    Ok((
        Tensor::new(mean(&losses), device)?,
        [
            Tensor::from_vec(grads.dx, (n, d), device)?,
            Tensor::from_vec(grads.dw, w.shape(), device)?,
            Tensor::from_vec(grads.db, b.shape(), device)?,
        ],
    ))
}

fn mean(losses: &[f32]) -> f32 {
    let sum: f64 = losses.iter().map(|&x| f64::from(x)).sum();
    (sum / losses.len() as f64) as f32
}

fn apply(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    targets: Vec<u32>,
    reduction: Reduction,
) -> Result<Tensor> {
    check(x, w, b, &targets, reduction)?;
    common_dtype([x, w, b])?;
    let op = CrossEntropy {
        targets,
        reduction,
        wants_gradients: x.track_op() || w.track_op() || b.track_op(),
        kept: Mutex::new(None),
    };
    wide(x)?
        .contiguous()?
        .apply_op3(&wide(w)?, &wide(b)?.contiguous()?, op)
}

fn check(x: &Tensor, w: &Tensor, b: &Tensor, targets: &[u32], reduction: Reduction) -> Result<()> {
    let (d, v) = w.dims2()?;
    if x.dims2()?.1 != d || b.dims() != [v] {
        bail!(
            "an unembedding of {:?} does not fit rows {:?} and a bias {:?}",
            w.dims(),
            x.dims(),
            b.dims()
        )
    }
    if targets.is_empty() && reduction == Reduction::Mean {
        bail!("the mean cross-entropy of zero rows is undefined")
    }
    if targets.len() != x.dim(0)? || targets.iter().any(|&t| t as usize >= v) {
        bail!(
            "cross-entropy needs one target below {v} for each of {} rows",
            x.dim(0)?
        )
    }
    Ok(())
}

impl CustomOp3 for CrossEntropy {
    fn name(&self) -> &'static str {
        "unembed-cross-entropy"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        w: &CpuStorage,
        w_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = Matrix::new(
            contiguous(x, x_layout)?,
            x_layout.dims()[0],
            x_layout.dims()[1],
        );
        let unembedding = Unembedding {
            w: Matrix::of(w, w_layout)?,
            b: contiguous(b, b_layout)?,
        };
        let n = x.rows;
        if self.reduction == Reduction::None {
            let (losses, _) = pass(x, unembedding, &self.targets, None);
            return Ok((CpuStorage::F32(losses), Shape::from(n)));
        }
        let weight = vec![1.0 / n as f32; n];
        let weight = self.wants_gradients.then_some(weight.as_slice());
        let (losses, grads) = pass(x, unembedding, &self.targets, weight);
        if let Ok(mut kept) = self.kept.lock() {
            *kept = grads;
        }
        Ok((CpuStorage::F32(vec![mean(&losses)]), Shape::from(())))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (n, d) = x.dims2()?;
        let kept = self.kept.lock().ok().and_then(|mut kept| kept.take());
        let (grads, factor) = match (kept, self.reduction) {
            (Some(grads), _) => (grads, f64::from(grad.to_scalar::<f32>()?)),
            // A second backward pass through the same node.
            (None, Reduction::Mean) => {
                let weight = grad.to_scalar::<f32>()? / n as f32;
                (
                    over_tensors(x, w, b, &self.targets, &vec![weight; n])?.1,
                    1.0,
                )
            }
            (None, Reduction::None) => {
                let weight = grad.contiguous()?.to_vec1::<f32>()?;
                (over_tensors(x, w, b, &self.targets, &weight)?.1, 1.0)
            }
        };
        let device = x.device();
        let scaled = |values: Vec<f32>, shape: &[usize]| -> Result<Option<Tensor>> {
            let t = Tensor::from_vec(values, shape, device)?;
            Ok(Some(if factor == 1.0 { t } else { (t * factor)? }))
        };
        let v = b.elem_count();
        // What is frozen needs none, and its gradient may be the largest of the three.
        let wanted = |of: &Tensor, values: Vec<f32>, shape: &[usize]| match of.track_op() {
            true => scaled(values, shape),
            false => Ok(None),
        };
        Ok((
            wanted(x, grads.dx, &[n, d])?,
            wanted(w, grads.dw, &[d, v])?,
            wanted(b, grads.db, &[v])?,
        ))
    }
}

/// [`pass`] with gradients over tensors, `x` and `b` contiguous.
fn over_tensors(
    x: &Tensor,
    w: &Tensor,
    b: &Tensor,
    targets: &[u32],
    weight: &[f32],
) -> Result<(Vec<f32>, Gradients)> {
    let (n, d) = x.dims2()?;
    let (x_storage, x_layout) = x.storage_and_layout();
    let (w_storage, w_layout) = w.storage_and_layout();
    let (b_storage, b_layout) = b.storage_and_layout();
    let x = Matrix::new(elements(&x_storage, x_layout)?, n, d);
    let Storage::Cpu(w_storage) = &*w_storage else {
        bail!("a fused kernel needs a tensor on the CPU")
    };
    let unembedding = Unembedding {
        w: Matrix::of(w_storage, w_layout)?,
        b: elements(&b_storage, b_layout)?,
    };
    match pass(x, unembedding, targets, Some(weight)) {
        (losses, Some(grads)) => Ok((losses, grads)),
        _ => bail!("no gradients of the cross-entropy"),
    }
}

#[cfg(test)]
mod tests;
