//! Queries and keys rotated by their positions, in one pass.
//!
//! `y_i = x_i c_i - x_{i+h} s_i`, `y_{i+h} = x_{i+h} c_i + x_i s_i` for `i < h`; the gradient is the
//! rotation by the opposite angles. Source: Su et al. 2021, arXiv:2104.09864; GPT-NeoX' pairs.

use crate::model::ops::vector::{Kernel, widest};
use crate::model::ops::{ROWS_PER_TASK, common_dtype, contiguous, usable_in_f32, wide};
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

struct Rotate;

/// `x` `[batch, pos, n_heads, d_head]`, the first `2 h` elements of each head rotated by angles whose
/// `cos` and `sin` are `[pos, h]`, f32.
pub(in crate::model) fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (_, pos, _, d_head) = x.dims4()?;
    let half = cos.dim(1)?;
    if cos.dims() != [pos, half] || sin.dims() != [pos, half] || 2 * half > d_head {
        bail!(
            "angles {:?} and {:?} do not fit what is rotated, {:?}",
            cos.dims(),
            sin.dims(),
            x.dims()
        )
    }
    if !usable_in_f32(&[cos, sin]) {
        bail!("angles are f32 on the CPU, found {:?}", cos.dtype())
    }
    let dtype = common_dtype([x])?;
    wide(x)?
        .contiguous()?
        .apply_op3(&cos.contiguous()?, &sin.contiguous()?, Rotate)?
        .to_dtype(dtype)
}

/// Some positions of `x`, one after the other; `first` is the number of the first one.
struct Positions<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
    cos: &'a [f32],
    sin: &'a [f32],
    first: usize,
    /// `[pos, n_heads, d_head]` and `h`.
    shape: [usize; 4],
}

impl Kernel for Positions<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [pos, n_heads, d_head, half] = self.shape;
        let width = n_heads * d_head;
        let rows = self.y.chunks_exact_mut(width);
        for (i, (y, x)) in rows.zip(self.x.chunks_exact(width)).enumerate() {
            let at = (self.first + i) % pos * half;
            let (cos, sin) = (&self.cos[at..at + half], &self.sin[at..at + half]);
            for (y, x) in y.chunks_exact_mut(d_head).zip(x.chunks_exact(d_head)) {
                let (x1, rest) = x.split_at(half);
                let (x2, unchanged) = rest.split_at(half);
                let (y1, rest) = y.split_at_mut(half);
                let (y2, last) = rest.split_at_mut(half);
                for j in 0..half {
                    y1[j] = x1[j] * cos[j] - x2[j] * sin[j];
                    y2[j] = x2[j] * cos[j] + x1[j] * sin[j];
                }
                last.copy_from_slice(unchanged);
            }
        }
    }
}

impl CustomOp3 for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        cos: &CpuStorage,
        cos_layout: &Layout,
        sin: &CpuStorage,
        sin_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, pos, n_heads, d_head) = x_layout.shape().dims4()?;
        let (_, half) = cos_layout.shape().dims2()?;
        let x = contiguous(x, x_layout)?;
        let (cos, sin) = (contiguous(cos, cos_layout)?, contiguous(sin, sin_layout)?);
        let mut y = vec![0.0f32; x.len()];
        if !y.is_empty() {
            let part = ROWS_PER_TASK * n_heads * d_head;
            let parts = y.par_chunks_mut(part).zip(x.par_chunks(part));
            parts.enumerate().for_each(|(i, (y, x))| {
                widest(Positions {
                    x,
                    y,
                    cos,
                    sin,
                    first: i * ROWS_PER_TASK,
                    shape: [pos, n_heads, d_head, half],
                });
            });
        }
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        _x: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        _res: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        // The angles are no parameters.
        Ok((Some(rotate(grad, cos, &sin.neg()?)?), None, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ops::checks::{
        ALL, HALF, flat, matches_finite_differences, random, random_in, rounds_once,
    };
    use candle_core::Device;

    /// `[pos, half]` of cosines and sines of many angles.
    fn angles(pos: usize, half: usize) -> [Tensor; 2] {
        let angle = |i: usize| 0.7 * i as f32 + 0.1;
        let table = |of: fn(f32) -> f32| {
            let values: Vec<f32> = (0..pos * half).map(|i| of(angle(i))).collect();
            Tensor::from_vec(values, (pos, half), &Device::Cpu).unwrap()
        };
        [table(f32::cos), table(f32::sin)]
    }

    #[test]
    fn every_position_is_rotated_by_its_own_angles_in_every_task() {
        // More positions than a task takes, so that the second begins inside a sequence.
        let (batch, pos, n_heads) = (3, 50, 2);
        let [cos, sin] = angles(pos, 1);
        let x = Tensor::from_vec(
            [1f32, 0.0, 5.0].repeat(batch * pos * n_heads),
            (batch, pos, n_heads, 3),
            &Device::Cpu,
        )
        .unwrap();
        let y = flat(&rotate(&x, &cos, &sin).unwrap());
        let (cos, sin) = (flat(&cos), flat(&sin));
        for (row, y) in y.chunks(3).enumerate() {
            let t = row / n_heads % pos;
            assert_eq!(y, [cos[t], sin[t], 5.0], "{row}");
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        let [cos, sin] = angles(4, 3);
        let x = random(&[2, 4, 2, 7], 1);
        matches_finite_differences(&[&x], 1e-3, || rotate(&x, &cos, &sin).unwrap());
    }

    #[test]
    fn half_precision_is_rounded_once() {
        let [cos, sin] = angles(4, 3);
        for dtype in HALF {
            let x = random_in(dtype, &[2, 4, 2, 7], 1);
            rounds_once(dtype, dtype, &[&x], |x| rotate(x[0], &cos, &sin).unwrap());
        }
    }

    #[test]
    fn nothing_is_rotated_to_nothing_and_what_does_not_fit_is_an_error() {
        for (dtype, shape) in ALL
            .into_iter()
            .flat_map(|t| [[0, 4, 2, 6], [2, 0, 2, 6], [2, 4, 0, 6]].map(|s| (t, s)))
        {
            let [cos, sin] = angles(shape[1], 3);
            let y = rotate(&random_in(dtype, &shape, 1), &cos, &sin).unwrap();
            assert_eq!((y.dims(), y.dtype()), (&shape[..], dtype));
        }
        let [cos, sin] = angles(4, 3);
        assert!(rotate(&random(&[2, 5, 2, 6], 1), &cos, &sin).is_err());
        assert!(rotate(&random(&[2, 4, 2, 5], 1), &cos, &sin).is_err());
    }
}
