//! An affine map with its bias added inside the product.
//!
//! `y = x W + b`; `dx = g W^T`, `dW = x^T g`, `db = sum of g over rows`.
//! Source: elementary; the point is one pass over `y` and no strided reductions.

use super::{Into, Matrix, PARALLEL, elements, matmul, row, vector};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct Linear;

/// `x` `[n, d_in]`, `w` `[d_in, d_out]`, `b` `[d_out]` to `[n, d_out]`.
pub(in crate::model) fn linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3(w, &b.contiguous()?, Linear)
}

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
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
        let x = Matrix::of(x, x_layout)?;
        let w = Matrix::of(w, w_layout)?;
        let b = super::contiguous(b, b_layout)?;
        let (n, d_out) = (x.rows, w.cols);
        let mut y = vec![0.0f32; n * d_out];
        y.par_chunks_mut(d_out * super::ROWS_PER_TASK)
            .for_each(|rows| {
                for row in rows.chunks_exact_mut(d_out) {
                    row.copy_from_slice(b);
                }
            });
        if n == 1 && row::readable(w) {
            row::add_row_product(&mut y, &x.data[..x.cols], w);
        } else {
            matmul(&mut y, d_out, Into::Add, 1.0, x, w, PARALLEL);
        }
        Ok((CpuStorage::F32(y), Shape::from((n, d_out))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        w: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let device = x.device();
        let (n, d_in) = x.dims2()?;
        let d_out = b.elem_count();
        let grad = grad.contiguous()?;
        // The storages of `x` and `w` are read through candle's own product, which takes any
        // strides; only the column sums need help.
        let dx = x.track_op().then(|| grad.matmul(&w.t()?)).transpose()?;
        let dw = if n == 0 {
            Tensor::zeros((d_in, d_out), grad.dtype(), device)?
        } else {
            x.t()?.matmul(&grad)?
        };
        let mut db = vec![0.0f32; d_out];
        {
            let (storage, layout) = grad.storage_and_layout();
            vector::add_column_sums(&mut db, elements(&storage, layout)?);
        }
        Ok((dx, Some(dw), Some(Tensor::from_vec(db, d_out, device)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{agree, matches_finite_differences, random};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of the composed operations, transposed weights included.
        #[test]
        fn it_is_the_composed_map(n in 1usize..70, d_in in 1usize..20, d_out in 1usize..70, t: bool) {
            let x = random(&[n, d_in], 1);
            let w = if t { random(&[d_out, d_in], 2) } else { random(&[d_in, d_out], 2) };
            let b = random(&[d_out], 3);
            let w_of = || if t { w.t().unwrap() } else { w.as_tensor().clone() };
            agree(
                &[&x, &w, &b],
                1e-4,
                || linear(&x, &w_of(), &b).unwrap(),
                || x.matmul(&w_of()).unwrap().broadcast_add(&b).unwrap(),
            );
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (x, w, b) = (random(&[3, 4], 1), random(&[4, 5], 2), random(&[5], 3));
        matches_finite_differences(&[&x, &w, &b], 1e-3, || linear(&x, &w, &b).unwrap());
    }

    #[test]
    fn no_rows_give_no_rows() {
        let (x, w, b) = (random(&[0, 4], 1), random(&[4, 5], 2), random(&[5], 3));
        assert_eq!(linear(&x, &w, &b).unwrap().dims(), [0, 5]);
    }
}
