//! LayerNorm in one pass a row, forwards and backwards.
//!
//! `y = w h + b`, `h = (x - mean) / s`, `s = sqrt(var + eps)`; with `g = dy w`:
//! `dx = (g - mean(g) - h mean(g h)) / s`. Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450.

use super::vector::{sum, sum_by};
use super::{ROWS_PER_TASK, contiguous, elements};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct LayerNorm {
    eps: f32,
}

/// `x` `[.., d]` normalised over its last axis, `w` and `b` `[d]`.
pub(in crate::model) fn layer_norm(x: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?
        .apply_op3(w, b, LayerNorm { eps: eps as f32 })
}

impl LayerNorm {
    /// Mean and `1 / sqrt(var + eps)`.
    #[inline(always)]
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = sum(row) / n;
        let var = sum_by(row, row, |x, _| (x - mean) * (x - mean)) / n;
        (mean, 1.0 / (var + self.eps).sqrt())
    }

    /// Gradients of one task's rows: `dx` in place, `dw` and `db` returned, side by side.
    fn backward_rows(&self, x: &[f32], w: &[f32], grad: &[f32], dx: &mut [f32]) -> Vec<f32> {
        let d = w.len();
        let mut dw_db = vec![0.0f32; 2 * d];
        let (dw, db) = dw_db.split_at_mut(d);
        let mut h = vec![0.0f32; d];
        let mut g = vec![0.0f32; d];
        for ((x, grad), dx) in x
            .chunks_exact(d)
            .zip(grad.chunks_exact(d))
            .zip(dx.chunks_exact_mut(d))
        {
            let (mean, inverse) = self.moments(x);
            for i in 0..d {
                h[i] = (x[i] - mean) * inverse;
                g[i] = grad[i] * w[i];
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
        let d = w.len();
        let mut y = vec![0.0f32; x.len()];
        y.par_chunks_mut(ROWS_PER_TASK * d)
            .zip(x.par_chunks(ROWS_PER_TASK * d))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                    let (mean, inverse) = self.moments(x);
                    for i in 0..d {
                        y[i] = (x[i] - mean) * inverse * w[i] + b[i];
                    }
                }
            });
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
            let parts: Vec<Vec<f32>> = dx
                .par_chunks_mut(ROWS_PER_TASK * d)
                .zip(x.par_chunks(ROWS_PER_TASK * d))
                .zip(g.par_chunks(ROWS_PER_TASK * d))
                .map(|((dx, x), g)| self.backward_rows(x, w, g, dx))
                .collect();
            // In the order of the rows: the same bits on every run.
            for part in parts {
                for (total, x) in dw_db.iter_mut().zip(part) {
                    *total += x;
                }
            }
        }
        let device = x.device();
        Ok((
            Some(Tensor::from_vec(dx, x.shape(), device)?),
            Some(Tensor::from_slice(&dw_db[..d], d, device)?),
            Some(Tensor::from_slice(&dw_db[d..], d, device)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{agree, matches_finite_differences, random};
    use super::*;
    use candle_core::D;
    use proptest::prelude::*;

    fn composed(x: &Tensor, w: &Tensor, b: &Tensor) -> Tensor {
        let centred = x
            .broadcast_sub(&x.mean_keepdim(D::Minus1).unwrap())
            .unwrap();
        let var = centred.sqr().unwrap().mean_keepdim(D::Minus1).unwrap();
        let scale = (var + 1e-5).unwrap().sqrt().unwrap();
        let h = centred.broadcast_div(&scale).unwrap();
        h.broadcast_mul(w).unwrap().broadcast_add(b).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of the composed operations.
        #[test]
        fn it_is_the_composed_norm(batch in 1usize..4, pos in 1usize..70, d in 2usize..40) {
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
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (x, w, b) = (random(&[3, 2, 9], 1), random(&[9], 2), random(&[9], 3));
        matches_finite_differences(&[&x, &w, &b], 2e-3, || {
            layer_norm(&x, &w, &b, 1e-5).unwrap()
        });
    }

    #[test]
    fn one_element_rows_give_the_bias() {
        let (x, w, b) = (random(&[1, 1], 1), random(&[1], 2), random(&[1], 3));
        let y = layer_norm(&x, &w, &b, 1e-5).unwrap();
        assert_eq!(y.to_vec2::<f32>().unwrap()[0], b.to_vec1::<f32>().unwrap());
    }
}
