//! Sums of residual streams, on rayon's threads as every kernel here.
//!
//! candle shares large sums among threads of its own, and waits for them spinning: on a machine
//! with other work half of a training step was spent so.

use super::{common_dtype, contiguous, wide};
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

const ELEMENTS_PER_TASK: usize = 16 * 1024;

struct Add;

/// `a + b`; `b` may be of fewer axes, and is then added to each of `a`'s parts of its shape.
pub(in crate::model) fn add(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if !a.dims().ends_with(b.dims()) {
        bail!(
            "{:?} cannot be added to each part of {:?}",
            b.dims(),
            a.dims()
        )
    }
    let dtype = common_dtype([a, b])?;
    wide(a)?
        .contiguous()?
        .apply_op2(&wide(b)?.contiguous()?, Add)?
        .to_dtype(dtype)
}

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b) = (contiguous(a, a_layout)?, contiguous(b, b_layout)?);
        let mut y = vec![0.0f32; a.len()];
        let sum = |y: &mut [f32], a: &[f32], b: &[f32]| {
            for ((y, a), b) in y.iter_mut().zip(a).zip(b) {
                *y = a + b;
            }
        };
        if a.len() == b.len() {
            y.par_chunks_mut(ELEMENTS_PER_TASK)
                .zip(a.par_chunks(ELEMENTS_PER_TASK))
                .zip(b.par_chunks(ELEMENTS_PER_TASK))
                .for_each(|((y, a), b)| sum(y, a, b));
        } else {
            let part = b.len().max(1);
            y.par_chunks_mut(part)
                .zip(a.par_chunks(part))
                .for_each(|(y, a)| sum(y, a, b));
        }
        Ok((CpuStorage::F32(y), a_layout.shape().clone()))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let parts = a.elem_count() / b.elem_count().max(1);
        let of_b = match parts {
            1 => grad.reshape(b.shape())?,
            _ => grad
                .reshape((parts, b.elem_count()))?
                .sum(0)?
                .reshape(b.shape())?,
        };
        Ok((Some(grad.clone()), Some(of_b)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::checks::{
        ALL, HALF, agree, agree_in, flat, matches_finite_differences, random, random_in,
        rounds_once,
    };
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Values and gradients are those of candle's own sums, repeated ones and empty ones too.
        #[test]
        fn it_is_the_composed_sum(batch in 0usize..4, pos in 0usize..60, d in 0usize..400) {
            let (a, b) = (random(&[batch, pos, d], 1), random(&[batch, pos, d], 2));
            let each = random(&[pos, d], 3);
            if batch * pos * d == 0 {
                // candle's backward pass has nothing to say about these.
                for b in [&b, &each] {
                    let sum = add(&a, b).unwrap();
                    prop_assert_eq!(sum.dims(), a.dims());
                }
                return Ok(());
            }
            agree(&[&a, &b], 1e-6, || add(&a, &b).unwrap(), || (a.as_tensor() + b.as_tensor()).unwrap());
            agree(&[&a, &each], 1e-5, || add(&a, &each).unwrap(), || a.broadcast_add(&each).unwrap());
        }

        /// One rounding each, of the same sum. The gradient of a repeated part candle rounds after
        /// each addition, the k-th partial sum being of k numbers below 1, the fused one once.
        #[test]
        fn in_half_precision_too(batch in 1usize..4, pos in 1usize..60, d in 1usize..400) {
            for dtype in HALF {
                let of = |shape: &[usize], seed| random_in(dtype, shape, seed);
                let (a, b) = (of(&[batch, pos, d], 1), of(&[batch, pos, d], 2));
                let each = of(&[pos, d], 3);
                agree_in(
                    dtype,
                    0,
                    &[&a, &b],
                    || add(&a, &b).unwrap(),
                    || (a.as_tensor() + b.as_tensor()).unwrap(),
                );
                agree_in(
                    dtype,
                    1 + batch * (batch + 1) / 2,
                    &[&a, &each],
                    || add(&a, &each).unwrap(),
                    || a.broadcast_add(&each).unwrap(),
                );
                for b in [&b, &each] {
                    rounds_once(dtype, dtype, &[&a, b], |x| add(x[0], x[1]).unwrap());
                }
            }
        }
    }

    #[test]
    fn nothing_and_one_element_add_up() {
        let shapes: [(&[usize], &[usize]); 6] = [
            (&[0, 3], &[0, 3]),
            (&[0, 3], &[3]),
            (&[2, 0], &[0]),
            (&[2, 3, 0], &[3, 0]),
            (&[1], &[1]),
            (&[1, 1], &[1]),
        ];
        for (dtype, (of_a, of_b)) in ALL.into_iter().flat_map(|t| shapes.map(|s| (t, s))) {
            let (a, b) = (random_in(dtype, of_a, 1), random_in(dtype, of_b, 2));
            let y = add(&a, &b).unwrap();
            assert_eq!((y.dims(), y.dtype()), (of_a, dtype));
            let grads = y.sum_all().unwrap().backward().unwrap();
            let (da, db) = (grads.get(&a).unwrap(), grads.get(&b).unwrap());
            assert_eq!((da.dims(), db.dims()), (of_a, of_b));
            assert!(flat(da).iter().all(|g| *g == 1.0));
            // What was added to nothing has no part in the sum.
            let wanted = if a.elem_count() == 0 { 0.0 } else { 1.0 };
            assert!(flat(db).iter().all(|g| *g == wanted));
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let (a, b) = (random(&[2, 3, 4], 1), random(&[3, 4], 2));
        matches_finite_differences(&[&a, &b], 1e-3, || add(&a, &b).unwrap());
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(add(&random(&[2, 3], 1), &random(&[2], 2)).is_err());
    }
}
