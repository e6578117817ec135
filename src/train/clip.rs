//! Clipping of the gradient by its global norm.
//!
//! `norm = sqrt(sum over all parameters of |g|^2)`, `g <- g min(1, max_norm / norm)`
//! (Pascanu, Mikolov & Bengio 2013). The factor goes to the optimiser, so no gradient is rewritten.

use crate::error::{Error, Result};
use crate::model::{Kernel, first_not_finite, widest};
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, Storage, Tensor, Var};
use rayon::prelude::*;

/// Elements that one partial sum covers: fixed, so that the result does not depend on the threads.
const CHUNK: usize = 16_384;
/// Running sums of one partial sum, which the compiler turns into vectors: a single one would fix
/// the order, one addition after the other.
const LANES: usize = 16;

/// Euclidean norm of all gradients together, summed in `f64`; parameters without a gradient count as 0.
///
/// The same gradients give the same bits on any number of threads.
pub fn global_norm(params: &[(String, Var)], grads: &GradStore) -> Result<f64> {
    let mut sum = 0.0;
    for (_, var) in params {
        if let Some(grad) = grads.get(var.as_tensor()) {
            sum += squared_norm(grad)?;
        }
    }
    Ok(sum.sqrt())
}

/// The factor that brings a gradient of norm `norm` down to `max_norm`; 1 when it is short
/// enough already or when `max_norm` is 0. NaN where either is, or where the norm is infinite.
pub fn clip_scale(norm: f64, max_norm: f64) -> f64 {
    if max_norm.is_nan() || !norm.is_finite() {
        f64::NAN
    } else if max_norm > 0.0 && norm > max_norm {
        max_norm / norm
    } else {
        1.0
    }
}

/// An error that names the first parameter whose gradient is not finite, at step `step`.
pub(super) fn check_gradients<'a>(
    params: impl Iterator<Item = (&'a str, &'a Var)>,
    grads: &GradStore,
    step: usize,
) -> Result<()> {
    for (name, var) in params {
        let Some(grad) = grads.get(var.as_tensor()) else {
            continue;
        };
        if let Some((index, value)) = first_not_finite(grad)? {
            let what = format!("the gradient of {name} at {index:?}");
            return Err(Error::NotFinite { what, value, step });
        }
    }
    Ok(())
}

fn squared_norm(grad: &Tensor) -> Result<f64> {
    {
        let (storage, layout) = grad.storage_and_layout();
        if let (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) =
            (&*storage, layout.contiguous_offsets())
        {
            let parts: Vec<f64> = values[start..end]
                .par_chunks(CHUNK)
                .map(|chunk| widest(SumOfSquares(chunk)))
                .collect();
            return Ok(parts.iter().sum());
        }
    }
    let sum = grad.to_dtype(DType::F32)?.sqr()?.sum_all()?;
    Ok(f64::from(sum.to_scalar::<f32>()?))
}

/// Sum of the squares, in `f64`.
struct SumOfSquares<'a>(&'a [f32]);

impl Kernel for SumOfSquares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (chunks, tail) = self.0.as_chunks::<LANES>();
        for chunk in chunks {
            for i in 0..LANES {
                lanes[i] += f64::from(chunk[i]) * f64::from(chunk[i]);
            }
        }
        let tail: f64 = tail.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
        lanes.iter().sum::<f64>() + tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn gradients(dtype: DType) -> Result<(Vec<(String, Var)>, GradStore)> {
        // loss = sum(a^2)/2 + 2 sum(b): gradients a and (2, 2), so the norm is
        // sqrt(1 + 4 + 4 + 16 + 4 + 4) = sqrt(33).
        let d = Device::Cpu;
        let a = Var::from_tensor(&Tensor::new(&[[1f32, -2.0], [2.0, 4.0]], &d)?.to_dtype(dtype)?)?;
        let b = Var::from_tensor(&Tensor::new(&[1f32, 1.0], &d)?.to_dtype(dtype)?)?;
        let unused = Var::from_tensor(&Tensor::new(&[9f32], &d)?)?;
        let loss = ((a.sqr()?.sum_all()? * 0.5)? + (b.sum_all()? * 2.0)?)?;
        let grads = loss.backward()?;
        let params = [("a", a), ("b", b), ("unused", unused)]
            .map(|(n, v)| (n.to_owned(), v))
            .to_vec();
        Ok((params, grads))
    }

    #[test]
    fn the_norm_runs_over_all_parameters() -> Result<()> {
        for dtype in [DType::F32, DType::BF16] {
            let (params, grads) = gradients(dtype)?;
            let norm = global_norm(&params, &grads)?;
            assert!((norm - 33f64.sqrt()).abs() < 1e-6, "{dtype:?}: {norm}");
        }
        Ok(())
    }

    #[test]
    fn the_sum_covers_chunks_lanes_and_tails() {
        for n in [0, 1, 15, 16, 17, CHUNK + 19] {
            let values: Vec<f32> = (0..n).map(|i| (i % 7) as f32).collect();
            let exact: f64 = values.iter().map(|&g| f64::from(g * g)).sum();
            let grad = Tensor::from_vec(values, n, &Device::Cpu).unwrap();
            assert_eq!(squared_norm(&grad).unwrap(), exact, "{n} elements");
        }
    }

    #[test]
    fn clipping_only_shortens() {
        assert_eq!(clip_scale(0.5, 1.0), 1.0);
        assert_eq!(clip_scale(4.0, 1.0), 0.25);
        assert_eq!(clip_scale(4.0, 0.0), 1.0);
        for (norm, max_norm) in [(f64::NAN, 1.0), (f64::INFINITY, 1.0), (0.5, f64::NAN)] {
            assert!(clip_scale(norm, max_norm).is_nan(), "{norm} {max_norm}");
        }
    }
}
