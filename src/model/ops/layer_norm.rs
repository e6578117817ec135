//! LayerNorm in one pass a row, forwards and backwards.
//!
//! `y = w h + b`, `h = (x - mean) / s`, `s = sqrt(var + eps)`; with `g = dy w`:
//! `dx = (g - mean(g) - h mean(g h)) / s`. Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450.

use super::vector::{Kernel, sum, sum_by, widest};
use super::{ROWS_PER_TASK, common_dtype, contiguous, elements, wide};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

struct LayerNorm {
    eps: f32,
}

/// `x` `[.., d]` normalised over its last axis, `w` and `b` `[d]`.
pub(in crate::model) fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor> {
    let d = w.elem_count();
    if x.dims().last() != Some(&d) || b.elem_count() != d {
        bail!(
            "a norm of width {d} does not fit inputs {:?} and a bias {:?}",
            x.dims(),
            b.dims()
        )
    }
    let op = LayerNorm { eps: eps as f32 };
    let dtype = common_dtype([x, w, b])?;
    let (x, w, b) = (wide(x)?, wide(w)?, wide(b)?);
    x.contiguous()?
        .apply_op3(&w.contiguous()?, &b.contiguous()?, op)?
        .to_dtype(dtype)
}

/// Mean and `1 / sqrt(var + eps)`.
#[inline(always)]
fn moments(row: &[f32], eps: f32) -> (f32, f32) {
    let n = row.len() as f32;
    let mean = sum(row) / n;
    let var = sum_by(row, row, |x, _| (x - mean) * (x - mean)) / n;
    (mean, 1.0 / (var + eps).sqrt())
}

/// Some rows, normalised.
struct Forward<'a> {
    x: &'a [f32],
    w: &'a [f32],
    b: &'a [f32],
    eps: f32,
    y: &'a mut [f32],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let d = self.w.len();
        let b = &self.b[..d];
        for (y, x) in self.y.chunks_exact_mut(d).zip(self.x.chunks_exact(d)) {
            let (mean, inverse) = moments(x, self.eps);
            for i in 0..d {
                y[i] = (x[i] - mean) * inverse * self.w[i] + b[i];
            }
        }
    }
}

/// Gradients of some rows: `dx` in place, `dw` and `db` returned, side by side.
struct Backward<'a> {
    x: &'a [f32],
    w: &'a [f32],
    grad: &'a [f32],
    eps: f32,
    dx: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn run(self) -> Vec<f32> {
        let d = self.w.len();
        let mut dw_db = vec![0.0f32; 2 * d];
        let (dw, db) = dw_db.split_at_mut(d);
        let mut h = vec![0.0f32; d];
        let mut g = vec![0.0f32; d];
        for ((x, grad), dx) in self
            .x
            .chunks_exact(d)
            .zip(self.grad.chunks_exact(d))
            .zip(self.dx.chunks_exact_mut(d))
        {
            let (mean, inverse) = moments(x, self.eps);
            for i in 0..d {
                h[i] = (x[i] - mean) * inverse;
                g[i] = grad[i] * self.w[i];
                dw[i] += grad[i] * h[i];
                db[i] += grad[i];
            }
            let mean_g = sum(&g) / d as f32;
            let mean_gh = sum_by(&g, &h, |g, h| g * h) / d as f32;
            for i in 0..d {
                dx[i] = (g[i] - mean_g - h[i] * mean_gh) * inverse;
            }
        }
        dw_db
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
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
        let x = contiguous(x, x_layout)?;
        let w = contiguous(w, w_layout)?;
        let b = contiguous(b, b_layout)?;
        let eps = self.eps;
        // Rows of width 0 have no elements: any size of chunk does.
        let task = ROWS_PER_TASK * w.len().max(1);
        let mut y = vec![0.0f32; x.len()];
        y.par_chunks_mut(task)
            .zip(x.par_chunks(task))
            .for_each(|(y, x)| widest(Forward { x, w, b, eps, y }));
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        _b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dx, dw, db] = gradients(x, w, grad, self.eps)?;
        Ok((Some(dx), Some(dw), Some(db)))
    }
}

/// `dx`, `dw` and `db` of [`layer_norm`], from the gradient of its result. f32 only.
pub(in crate::model) fn layer_norm_gradients(
    x: &Tensor,
    w: &Tensor,
    grad: &Tensor,
    eps: f64,
) -> Result<[Tensor; 3]> {
    gradients(x, w, grad, eps as f32)
}

fn gradients(x: &Tensor, w: &Tensor, grad: &Tensor, eps: f32) -> Result<[Tensor; 3]> {
    let grad = grad.contiguous()?;
    let d = w.elem_count();
    let mut dx = vec![0.0f32; x.elem_count()];
    let mut dw_db = vec![0.0f32; 2 * d];
    {
        let (x_storage, x_layout) = x.storage_and_layout();
        let (w_storage, w_layout) = w.storage_and_layout();
        let (g_storage, g_layout) = grad.storage_and_layout();
        let x = elements(&x_storage, x_layout)?;
        let w = elements(&w_storage, w_layout)?;
        let g = elements(&g_storage, g_layout)?;
        let task = ROWS_PER_TASK * d.max(1);
        let parts: Vec<Vec<f32>> = dx
            .par_chunks_mut(task)
            .zip(x.par_chunks(task))
            .zip(g.par_chunks(task))
            .map(|((dx, x), grad)| {
                widest(Backward {
                    x,
                    w,
                    grad,
                    eps,
                    dx,
                })
            })
            .collect();
        // In the order of the rows: the same bits on every run.
        for part in parts {
            for (total, x) in dw_db.iter_mut().zip(part) {
                *total += x;
            }
        }
    }
    let device = x.device();
    Ok([
        Tensor::from_vec(dx, x.shape(), device)?,
        Tensor::from_slice(&dw_db[..d], d, device)?,
        Tensor::from_slice(&dw_db[d..], d, device)?,
    ])
}

#[cfg(test)]
mod tests {
    use super::super::checks::{
        ALL, HALF, agree, agree_in, flat, matches_finite_differences, random, random_in,
        rounds_once,
    };
    use super::*;
    use candle_core::{D, DType};
    use proptest::prelude::*;

    fn composed(x: &Tensor, w: &Tensor, b: &Tensor) -> Tensor {
        let dtype = x.dtype();
        let wide = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
        let (x, w, b) = (&wide(x), &wide(w), &wide(b));
        let centred = x
            .broadcast_sub(&x.mean_keepdim(D::Minus1).unwrap())
            .unwrap();
        let var = centred.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
        let scale = (var + 1e-5).unwrap().sqrt().unwrap();
        let h = centred.broadcast_div(&scale).unwrap();
        let y = h.broadcast_mul(w).unwrap().broadcast_add(b).unwrap();
        y.to_dtype(dtype).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of the composed operations.
        #[test]
        fn it_is_the_composed_norm(batch in 1usize..4, pos in 1usize..70, d in 1usize..40) {
            let (x, w, b) = (random(&[batch, pos, d], 1), random(&[d], 2), random(&[d], 3));
            // The gradient has a factor 1 / scale, which two close numbers make large.
            let tolerance = if d < 8 { 2e-2 } else { 2e-4 };
            agree(
                &[&x, &w, &b],
                tolerance,
                || layer_norm(&x, &w, &b, 1e-5).unwrap(),
                || composed(&x, &w, &b),
            );
        }

        /// Both are computed in f32 and rounded once, f32's own errors being less than one more.
        #[test]
        fn in_half_precision_too(batch in 1usize..4, pos in 1usize..70, d in 1usize..40) {
            for dtype in HALF {
                let x = random_in(dtype, &[batch, pos, d], 1);
                let (w, b) = (random_in(dtype, &[d], 2), random_in(dtype, &[d], 3));
                let of = |x: &Tensor, w: &Tensor, b: &Tensor| layer_norm(x, w, b, 1e-5).unwrap();
                let vars = [&x, &w, &b];
                agree_in(dtype, 3, &vars, || of(&x, &w, &b), || composed(&x, &w, &b));
                rounds_once(dtype, dtype, &vars, |x| of(x[0], x[1], x[2]));
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (x, w, b) = (random(&[3, 2, 9], 1), random(&[9], 2), random(&[9], 3));
        matches_finite_differences(&[&x, &w, &b], 2e-3, || {
            layer_norm(&x, &w, &b, 1e-5).unwrap()
        });
    }

    #[test]
    fn weights_may_lie_apart() {
        let (x, both) = (random(&[3, 5], 1), random(&[5, 2], 2));
        let (w, b) = (both.narrow(1, 0, 1), both.narrow(1, 1, 1));
        let (w, b) = (
            w.unwrap().squeeze(1).unwrap(),
            b.unwrap().squeeze(1).unwrap(),
        );
        assert!(!w.is_contiguous());
        agree(
            &[&x, &both],
            2e-4,
            || layer_norm(&x, &w, &b, 1e-5).unwrap(),
            || composed(&x, &w, &b),
        );
    }

    /// candle's own operations give nothing no gradient, so there is no composition to compare.
    #[test]
    fn no_rows_and_empty_rows_have_gradients_of_their_shapes() {
        for (dtype, [n, d]) in ALL
            .into_iter()
            .flat_map(|t| [[3, 0], [0, 4], [0, 0]].map(|s| (t, s)))
        {
            let x = random_in(dtype, &[n, d], 1);
            let (w, b) = (random_in(dtype, &[d], 2), random_in(dtype, &[d], 3));
            let y = layer_norm(&x, &w, &b, 1e-5).unwrap();
            assert_eq!((y.dims(), y.dtype()), (&[n, d][..], dtype));
            let grads = y.sum_all().unwrap().backward().unwrap();
            assert_eq!(grads.get(&x).unwrap().dims(), [n, d]);
            for var in [&w, &b] {
                let grad = grads.get(var).unwrap();
                assert_eq!((grad.dtype(), flat(grad)), (dtype, vec![0.0; d]));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (x, w, b) = (random(&[3, 4], 1), random(&[5], 2), random(&[5], 3));
        assert!(layer_norm(&x, &w, &b, 1e-5).is_err());
        let (w, b) = (random(&[4], 2), random_in(DType::BF16, &[4], 3));
        let message = layer_norm(&x, &w, &b, 1e-5).unwrap_err().to_string();
        assert!(message.contains("BF16"), "{message}");
    }

    #[test]
    fn one_element_rows_give_the_bias() {
        for dtype in ALL {
            let of = |shape: &[usize], seed| random_in(dtype, shape, seed);
            let (x, w, b) = (of(&[1, 1], 1), of(&[1], 2), of(&[1], 3));
            let y = layer_norm(&x, &w, &b, 1e-5).unwrap();
            assert_eq!((y.dtype(), flat(&y)), (dtype, flat(&b)));
        }
    }
}
