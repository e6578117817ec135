//! One projection of every head, without putting the heads' weights side by side first.
//!
//! `y[.., h] = x W[h] + b[h]`. In generation nothing else reads the weights: a copy of them would
//! cost as much as a token.

use crate::model::ops::{Into, Matrix, Shared, common_dtype, contiguous, matmul_part, row, wide};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

struct ProjectHeads;

/// `x` `[.., d_model]`, `w` `[n_heads, d_model, d_head]`, `b` `[n_heads, d_head]` to
/// `[.., n_heads, d_head]`. Has no gradients.
pub(in crate::model) fn project_heads(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (n_heads, d_model, d_head) = w.dims3()?;
    if x.dims().last() != Some(&d_model) || b.dims() != [n_heads, d_head] {
        bail!(
            "a projection by {:?} does not fit inputs {:?} and biases {:?}",
            w.dims(),
            x.dims(),
            b.dims()
        )
    }
    let dtype = common_dtype([x, w, b])?;
    let (x, w, b) = (wide(x)?, wide(w)?, wide(b)?);
    x.contiguous()?
        .apply_op3_no_bwd(&w.contiguous()?, &b.contiguous()?, &ProjectHeads)?
        .to_dtype(dtype)
}

impl CustomOp3 for ProjectHeads {
    fn name(&self) -> &'static str {
        "project-heads"
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
        let (n_heads, d_model, d_head) = w_layout.shape().dims3()?;
        let mut dims = x_layout.dims().to_vec();
        dims.pop();
        let n: usize = dims.iter().product();
        dims.extend([n_heads, d_head]);
        let x = Matrix::new(contiguous(x, x_layout)?, n, d_model);
        let (w, b) = (contiguous(w, w_layout)?, contiguous(b, b_layout)?);
        let width = n_heads * d_head;
        let mut y = b.repeat(n);
        let out = Shared::new(&mut y);
        (0..n_heads).into_par_iter().for_each(|head| {
            let w = Matrix::new(&w[head * d_model * d_head..], d_model, d_head);
            if n == 1 {
                // SAFETY: no two heads have an element in common.
                let y = unsafe { out.part(head * d_head, d_head) };
                row::add_row_product(y, &x.data[..d_model], w);
            } else {
                // SAFETY: as above.
                unsafe { matmul_part(out, width, head * d_head, Into::Add, x, w) };
            }
        });
        Ok((CpuStorage::F32(y), Shape::from(dims)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ops::checks::{
        ALL, HALF, differ_by_roundings, flat, in_dtype, largest_difference, random, random_in,
    };
    use candle_core::DType;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Each head's part is a product of its own.
        #[test]
        fn it_is_a_product_a_head(
            pos in 0usize..9, n_heads in 1usize..5, d_model in 1usize..40, d_head in 1usize..30,
        ) {
            let x = random(&[1, pos, d_model], 1);
            let (w, b) = (random(&[n_heads, d_model, d_head], 2), random(&[n_heads, d_head], 3));
            let y = project_heads(&x, &w, &b).unwrap();
            prop_assert_eq!(y.dims(), [1, pos, n_heads, d_head]);
            if pos == 0 {
                return Ok(());
            }
            for head in 0..n_heads {
                let (w, b) = (w.get(head).unwrap(), b.get(head).unwrap());
                let wanted = x.squeeze(0).unwrap().matmul(&w).unwrap().broadcast_add(&b).unwrap();
                let found = y.narrow(2, head, 1).unwrap().reshape((pos, d_head)).unwrap();
                prop_assert!(largest_difference(&found, &wanted) < 1e-5);
            }
        }

        /// The composed product is rounded before the bias, below 1, is added, and again after;
        /// the fused one once, exactly as the f32 result would be.
        #[test]
        fn in_half_precision_too(
            pos in 1usize..9, n_heads in 1usize..5, d_model in 1usize..40, d_head in 1usize..30,
        ) {
            for dtype in HALF {
                let x = random_in(dtype, &[1, pos, d_model], 1);
                let w = random_in(dtype, &[n_heads, d_model, d_head], 2);
                let b = random_in(dtype, &[n_heads, d_head], 3);
                let y = project_heads(&x, &w, &b).unwrap();
                prop_assert_eq!(y.dtype(), dtype);
                let wide = |t: &Tensor| in_dtype(t, DType::F32);
                let full = project_heads(&wide(&x), &wide(&w), &wide(&b)).unwrap();
                prop_assert_eq!(flat(&y), flat(&full.to_dtype(dtype).unwrap()));
                if dtype != DType::BF16 {
                    continue;
                }
                for head in 0..n_heads {
                    let (w, b) = (w.get(head).unwrap(), b.get(head).unwrap());
                    let wanted = x.squeeze(0).unwrap().matmul(&w).unwrap().broadcast_add(&b).unwrap();
                    let found = y.narrow(2, head, 1).unwrap().reshape((pos, d_head)).unwrap();
                    differ_by_roundings("values", dtype, 4, &found, &wanted);
                }
            }
        }
    }

    #[test]
    fn empty_factors_give_biases_and_one_element_a_product() {
        let shapes = [
            (0, 2, 3, 4),
            (3, 0, 3, 4),
            (3, 2, 0, 4),
            (3, 2, 3, 0),
            (1, 2, 0, 4),
            (1, 1, 1, 1),
        ];
        for (dtype, (pos, n_heads, d_model, d_head)) in
            ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s)))
        {
            let x = random_in(dtype, &[1, pos, d_model], 1);
            let w = random_in(dtype, &[n_heads, d_model, d_head], 2);
            let b = random_in(dtype, &[n_heads, d_head], 3);
            let y = project_heads(&x, &w, &b).unwrap();
            assert_eq!(
                (y.dims(), y.dtype()),
                (&[1, pos, n_heads, d_head][..], dtype)
            );
            match d_model {
                0 => assert_eq!(flat(&y), flat(&b).repeat(pos)),
                1 => {
                    let wanted = flat(&x)[0] * flat(&w)[0] + flat(&b)[0];
                    let wanted = Tensor::full(wanted, y.shape(), y.device()).unwrap();
                    // A fused multiply and add may fall on the other side of a tie.
                    differ_by_roundings("values", dtype, 2, &y, &wanted.to_dtype(dtype).unwrap());
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (w, b) = (random(&[2, 4, 3], 1), random(&[2, 3], 2));
        assert!(project_heads(&random(&[1, 5], 3), &w, &b).is_err());
        assert!(project_heads(&random(&[1, 4], 3), &w, &random(&[3, 2], 4)).is_err());
    }
}
