//! Causal attention without the pattern ever leaving a core's cache.
//!
//! `P = softmax(scale Q K^T)` over `key <= query`, `Z = P V`; with `G = dZ`: `dV = P^T G`,
//! `dP = G V^T`, `dS = P (dP - rowsum(dP P))`, `dQ = scale dS K`, `dK = scale dS^T Q`.
//! Source: Dao et al. 2022, arXiv:2205.14135, appendix B (here one whole row at a time).

pub(in crate::model::ops) mod heads;
pub(in crate::model::ops) mod rotary;

use super::vector::{Kernel, exp_in_place, max, sum_by, widest};
use super::{Into, Matrix, common_dtype, contiguous, elements, matmul, wide};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct CausalAttention {
    pos: usize,
    n_heads: usize,
    d_head: usize,
}

/// `q`, `k`, `v` `[batch, pos, n_heads, d_head]` to `z` of the same shape; scores are scaled by
/// `1 / sqrt(d_head)`.
pub(in crate::model) fn causal_attention(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
    let (_, pos, n_heads, d_head) = q.dims4()?;
    let op = CausalAttention {
        pos,
        n_heads,
        d_head,
    };
    let dtype = common_dtype([q, k, v])?;
    let (q, k, v) = (wide(q)?, wide(k)?, wide(v)?);
    q.contiguous()?
        .apply_op3(&k.contiguous()?, &v.contiguous()?, op)?
        .to_dtype(dtype)
}

impl CausalAttention {
    fn width(&self) -> usize {
        self.n_heads * self.d_head
    }

    fn scale(&self) -> f32 {
        1.0 / (self.d_head as f32).sqrt()
    }

    /// One head of one sequence, `[pos, d_head]`, out of `[pos, n_heads, d_head]`.
    fn head<'a>(&self, x: &'a [f32], head: usize) -> Matrix<'a> {
        let x = &x[head * self.d_head..];
        Matrix::strided(x, self.pos, self.d_head, self.width(), 1)
    }

    /// The pattern `[query, key]` of one head into `p`.
    fn pattern(&self, q: Matrix, k: Matrix, p: &mut [f32]) {
        matmul(p, self.pos, Into::Overwrite, self.scale(), q, k.t());
        widest(CausalSoftmax { p, pos: self.pos });
    }

    /// `dq`, `dk`, `dv` of one sequence, one after the other in `out`.
    fn backward_sequence(&self, qkvg: [&[f32]; 4], out: &mut [f32]) {
        let pos = self.pos;
        let (dq, rest) = out.split_at_mut(pos * self.width());
        let (dk, dv) = rest.split_at_mut(pos * self.width());
        let mut p = vec![0.0f32; pos * pos];
        let mut ds = vec![0.0f32; pos * pos];
        for head in 0..self.n_heads {
            let [q, k, v, g] = qkvg.map(|x| self.head(x, head));
            let at = head * self.d_head;
            let width = self.width();
            self.pattern(q, k, &mut p);
            let p_matrix = Matrix::new(&p, pos, pos);
            matmul(&mut dv[at..], width, Into::Overwrite, 1.0, p_matrix.t(), g);
            matmul(&mut ds, pos, Into::Overwrite, 1.0, g, v.t());
            widest(SoftmaxBackward {
                ds: &mut ds,
                p: &p,
                pos,
            });
            let ds = Matrix::new(&ds, pos, pos);
            matmul(&mut dq[at..], width, Into::Overwrite, self.scale(), ds, k);
            matmul(
                &mut dk[at..],
                width,
                Into::Overwrite,
                self.scale(),
                ds.t(),
                q,
            );
        }
    }
}

/// Scores `[query, key]` to the pattern, in place.
struct CausalSoftmax<'a> {
    p: &'a mut [f32],
    pos: usize,
}

impl Kernel for CausalSoftmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (query, row) in self.p.chunks_exact_mut(self.pos).enumerate() {
            let (past, future) = row.split_at_mut(query + 1);
            future.fill(0.0);
            let shift = max(past);
            let inverse = 1.0 / exp_in_place(past, shift);
            for x in past {
                *x *= inverse;
            }
        }
    }
}

/// `dP` `[query, key]` to `dS`, in place.
struct SoftmaxBackward<'a> {
    ds: &'a mut [f32],
    p: &'a [f32],
    pos: usize,
}

impl Kernel for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let rows = self.ds.chunks_exact_mut(self.pos);
        for (ds, p) in rows.zip(self.p.chunks_exact(self.pos)) {
            let mean = sum_by(ds, p, |ds, p| ds * p);
            for (ds, p) in ds.iter_mut().zip(p) {
                *ds = p * (*ds - mean);
            }
        }
    }
}

impl CustomOp3 for CausalAttention {
    fn name(&self) -> &'static str {
        "causal-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let q = contiguous(q, q_layout)?;
        let k = contiguous(k, k_layout)?;
        let v = contiguous(v, v_layout)?;
        let size = self.pos * self.width();
        let mut z = vec![0.0f32; q.len()];
        if z.is_empty() {
            return Ok((CpuStorage::F32(z), q_layout.shape().clone()));
        }
        z.par_chunks_mut(size)
            .enumerate()
            .for_each(|(sequence, z)| {
                let of = sequence * size..(sequence + 1) * size;
                let mut p = vec![0.0f32; self.pos * self.pos];
                for head in 0..self.n_heads {
                    let [q, k, v] = [q, k, v].map(|x| self.head(&x[of.clone()], head));
                    self.pattern(q, k, &mut p);
                    let p = Matrix::new(&p, self.pos, self.pos);
                    let z = &mut z[head * self.d_head..];
                    matmul(z, self.width(), Into::Overwrite, 1.0, p, v);
                }
            });
        Ok((CpuStorage::F32(z), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [dq, dk, dv] = self.gradients(q, k, v, grad)?;
        Ok((Some(dq), Some(dk), Some(dv)))
    }
}

/// `dq`, `dk` and `dv` of [`causal_attention`], from the gradient of its result. f32 only.
pub(in crate::model) fn causal_attention_gradients(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    grad: &Tensor,
) -> Result<[Tensor; 3]> {
    let (_, pos, n_heads, d_head) = q.dims4()?;
    let op = CausalAttention {
        pos,
        n_heads,
        d_head,
    };
    op.gradients(&q.contiguous()?, &k.contiguous()?, &v.contiguous()?, grad)
}

impl CausalAttention {
    fn gradients(&self, q: &Tensor, k: &Tensor, v: &Tensor, grad: &Tensor) -> Result<[Tensor; 3]> {
        let grad = grad.contiguous()?;
        let size = self.pos * self.width();
        let n = q.elem_count();
        if n == 0 {
            let zeros = || q.zeros_like();
            return Ok([zeros()?, zeros()?, zeros()?]);
        }
        let mut sequences = vec![0.0f32; 3 * n];
        {
            let (q_storage, q_layout) = q.storage_and_layout();
            let (k_storage, k_layout) = k.storage_and_layout();
            let (v_storage, v_layout) = v.storage_and_layout();
            let (g_storage, g_layout) = grad.storage_and_layout();
            let qkvg = [
                elements(&q_storage, q_layout)?,
                elements(&k_storage, k_layout)?,
                elements(&v_storage, v_layout)?,
                elements(&g_storage, g_layout)?,
            ];
            sequences
                .par_chunks_mut(3 * size)
                .enumerate()
                .for_each(|(sequence, out)| {
                    let of = sequence * size..(sequence + 1) * size;
                    self.backward_sequence(qkvg.map(|x| &x[of.clone()]), out);
                });
        }
        let all = Tensor::from_vec(sequences, (n / size, 3, size), q.device())?;
        let part = |i: usize| all.narrow(1, i, 1)?.contiguous()?.reshape(q.shape());
        Ok([part(0)?, part(1)?, part(2)?])
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{
        ALL, HALF, agree, agree_in, matches_finite_differences, random, random_in, rounds_once,
    };
    use super::*;
    use candle_core::{D, DType, Device};
    use proptest::prelude::*;

    fn composed(q: &Tensor, k: &Tensor, v: &Tensor) -> Result<Tensor> {
        let (_, pos, _, d_head) = q.dims4()?;
        let heads_first = |t: &Tensor| t.permute((0, 2, 1, 3))?.contiguous();
        let (q, k, v) = (heads_first(q)?, heads_first(k)?, heads_first(v)?);
        let scores = (q.matmul(&k.t()?)? / (d_head as f64).sqrt())?;
        let mask: Vec<f32> = (0..pos * pos)
            .map(|i| if i % pos > i / pos { -1e30 } else { 0.0 })
            .collect();
        let mask = Tensor::from_vec(mask, (pos, pos), &Device::Cpu)?;
        let scores = scores.to_dtype(DType::F32)?.broadcast_add(&mask)?;
        let max = scores.detach().max_keepdim(D::Minus1)?;
        let exp = scores.broadcast_sub(&max)?.exp()?;
        let p = exp.broadcast_div(&exp.sum_keepdim(D::Minus1)?)?;
        let p = p.to_dtype(v.dtype())?;
        p.matmul(&v)?.permute((0, 2, 1, 3))?.contiguous()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of the composed operations.
        #[test]
        fn it_is_the_composed_attention(
            batch in 1usize..4, pos in 1usize..40, n_heads in 1usize..4, d_head in 1usize..12,
        ) {
            let shape = [batch, pos, n_heads, d_head];
            let (q, k, v) = (random(&shape, 1), random(&shape, 2), random(&shape, 3));
            agree(
                &[&q, &k, &v],
                5e-5,
                || causal_attention(&q, &k, &v).unwrap(),
                || composed(&q, &k, &v).unwrap(),
            );
        }

        /// On the way from an input to its gradient and back the composed operations round scores,
        /// scaled scores, pattern and `z`, then `dP`, `dS`, scaled `dS` and the gradient: 8 times,
        /// the fused ones twice.
        #[test]
        fn in_half_precision_too(
            batch in 1usize..4, pos in 1usize..20, n_heads in 1usize..4, d_head in 1usize..12,
        ) {
            let shape = [batch, pos, n_heads, d_head];
            for dtype in HALF {
                let of = |seed| random_in(dtype, &shape, seed);
                let (q, k, v) = (of(1), of(2), of(3));
                if dtype == DType::BF16 {
                    agree_in(
                        dtype,
                        10,
                        &[&q, &k, &v],
                        || causal_attention(&q, &k, &v).unwrap(),
                        || composed(&q, &k, &v).unwrap(),
                    );
                }
                let inputs = [&q, &k, &v];
                rounds_once(dtype, dtype, &inputs, |x| causal_attention(x[0], x[1], x[2]).unwrap());
            }
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let shape = [2, 4, 2, 3];
        let (q, k, v) = (random(&shape, 1), random(&shape, 2), random(&shape, 3));
        matches_finite_differences(&[&q, &k, &v], 1e-3, || {
            causal_attention(&q, &k, &v).unwrap()
        });
    }

    #[test]
    fn nothing_attends_to_nothing() {
        let shapes = [[0, 4, 2, 3], [2, 0, 2, 3], [2, 4, 0, 3], [2, 4, 2, 0]];
        for (dtype, shape) in ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s))) {
            let of = |seed| random_in(dtype, &shape, seed);
            let (q, k, v) = (of(1), of(2), of(3));
            let z = causal_attention(&q, &k, &v).unwrap();
            assert_eq!((z.dims(), z.dtype()), (&shape[..], dtype));
            let grads = z.sum_all().unwrap().backward().unwrap();
            for x in [&q, &k, &v] {
                assert_eq!(grads.get(x).unwrap().dims(), shape);
            }
        }
    }

    #[test]
    fn a_single_position_attends_to_itself() {
        let shapes = [[2, 1, 2, 3], [1, 1, 1, 1]];
        for (dtype, shape) in ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s))) {
            let of = |seed| random_in(dtype, &shape, seed);
            let (q, k, v) = (of(1), of(2), of(3));
            // A pattern of ones: nothing to round.
            agree_in(
                dtype,
                0,
                &[&v],
                || causal_attention(&q, &k, &v).unwrap(),
                || v.as_tensor().clone(),
            );
        }
    }
}
