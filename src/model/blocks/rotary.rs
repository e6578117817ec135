//! Rotary positions: queries and keys rotated by angles that grow with the position.
//!
//! Of the first `2 h = rotary_dim` dimensions of a head, `x_i` and `x_{i+h}` are rotated by
//! `theta_{t,i} = t rotary_base^(-i/h)` at position `t`: `x_i cos - x_{i+h} sin`,
//! `x_{i+h} cos + x_i sin`; the others stay. A score then depends on the distance of query and key.
//! Source: Su et al. 2021, arXiv:2104.09864, eq. 34; the pairs are GPT-NeoX' (`rotate_half`), not
//! the neighbours of the paper and of GPT-J.

use crate::config::{PositionalEmbedding, TransformerConfig};
use crate::error::Result;
use crate::model::ops;
use candle_core::{DType, Device, Tensor};

/// The angles of every position of the context.
#[derive(Debug, Clone)]
pub(in crate::model) struct Rotary {
    /// `[n_ctx, rotary_dim / 2]`, f32.
    pub(in crate::model) cos: Tensor,
    pub(in crate::model) sin: Tensor,
}

impl Rotary {
    /// The table of a model with rotary positions; `None` for another one.
    pub(in crate::model) fn of(cfg: &TransformerConfig, device: &Device) -> Result<Option<Self>> {
        if cfg.positional_embedding_type != PositionalEmbedding::Rotary {
            return Ok(None);
        }
        let n = cfg.n_rotated();
        // Frequencies and angles are rounded to f32, as transformers rounds them: at position 2,000
        // that is up to 1e-4 radians, which the weights were trained with.
        let frequencies: Vec<f32> = (0..n / 2)
            .map(|i| 1.0 / (cfg.rotary_base.powf(2.0 * i as f64 / n as f64) as f32))
            .collect();
        let table = |of: fn(f64) -> f64| {
            let angles = (0..cfg.n_ctx).flat_map(|t| {
                let angle = move |f: &f32| of(f64::from(t as f32 * f)) as f32;
                frequencies.iter().map(angle)
            });
            Tensor::from_vec(angles.collect::<Vec<f32>>(), (cfg.n_ctx, n / 2), device)
        };
        Ok(Some(Self {
            cos: table(f64::cos)?,
            sin: table(f64::sin)?,
        }))
    }

    /// `x` `[batch, pos, n_heads, d_head]` at the positions from `start` on, to the same shape.
    pub(in crate::model) fn rotate(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let pos = x.dim(1)?;
        let (cos, sin) = (
            self.cos.narrow(0, start, pos)?,
            self.sin.narrow(0, start, pos)?,
        );
        match ops::usable(&[x]) {
            true => Ok(ops::rotate(x, &cos, &sin)?),
            false => composed(x, &cos, &sin),
        }
    }

    /// The gradient of what [`Rotary::rotate`] rotates at the positions from 0 on, given that of its
    /// result: the rotation by the opposite angles, which is its transpose.
    pub(in crate::model) fn rotate_back(&self, grad: &Tensor) -> Result<Tensor> {
        let pos = grad.dim(1)?;
        let sin = self.sin.narrow(0, 0, pos)?.neg()?;
        Ok(ops::rotate(grad, &self.cos.narrow(0, 0, pos)?, &sin)?)
    }
}

/// The rotation in candle's operations, for devices and types that have no kernel.
fn composed(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let (_, pos, _, d_head) = x.dims4()?;
    let half = cos.dim(1)?;
    let wide = x.to_dtype(DType::F32)?;
    let (a, b) = (wide.narrow(3, 0, half)?, wide.narrow(3, half, half)?);
    let (cos, sin) = (cos.reshape((pos, 1, half))?, sin.reshape((pos, 1, half))?);
    let first = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let second = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    let rest = wide.narrow(3, 2 * half, d_head - 2 * half)?;
    let parts = match rest.dim(3)? {
        0 => vec![first, second],
        _ => vec![first, second, rest],
    };
    Ok(Tensor::cat(&parts, 3)?.to_dtype(x.dtype())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ops::checks::{agree, flat, largest_difference, random};
    use proptest::prelude::*;

    fn config(n_ctx: usize, d_head: usize, rotary_dim: usize) -> TransformerConfig {
        TransformerConfig {
            n_ctx,
            d_model: d_head,
            n_heads: 1,
            positional_embedding_type: PositionalEmbedding::Rotary,
            rotary_dim: Some(rotary_dim),
            rotary_base: 100.0,
            ..TransformerConfig::default()
        }
    }

    fn rotary(n_ctx: usize, d_head: usize, rotary_dim: usize) -> Rotary {
        let cfg = config(n_ctx, d_head, rotary_dim);
        Rotary::of(&cfg, &Device::Cpu).unwrap().unwrap()
    }

    #[test]
    fn the_angles_are_the_papers() {
        let table = rotary(5, 12, 8);
        let (cos, sin) = (flat(&table.cos), flat(&table.sin));
        // 100^(-i/4), i = 0 to 3.
        let frequencies = [1.0, 0.316_227_77, 0.1, 0.031_622_78];
        for t in 0..5 {
            for (i, f) in frequencies.iter().enumerate() {
                let angle = t as f64 * f;
                assert!((f64::from(cos[4 * t + i]) - angle.cos()).abs() < 1e-6);
                assert!((f64::from(sin[4 * t + i]) - angle.sin()).abs() < 1e-6);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// The kernel, candle's operations and complex multiplication are one function; their
        /// gradients are, too, and `rotate_back` gives them.
        #[test]
        fn a_rotation_is_a_complex_product(
            batch in 1usize..3, pos in 1usize..6, n_heads in 1usize..4, half in 1usize..9,
            rest in 0usize..5, start in 0usize..4,
        ) {
            let d_head = 2 * half + rest;
            let table = rotary(start + pos, d_head, 2 * half);
            let x = random(&[batch, pos, n_heads, d_head], 1);
            let cos = table.cos.narrow(0, start, pos).unwrap();
            let sin = table.sin.narrow(0, start, pos).unwrap();
            agree(
                &[&x],
                1e-6,
                || table.rotate(&x, start).unwrap(),
                || composed(&x, &cos, &sin).unwrap(),
            );
            let (found, values) = (flat(&table.rotate(&x, start).unwrap()), flat(&x));
            for (row, (found, x)) in found.chunks(d_head).zip(values.chunks(d_head)).enumerate() {
                let t = start + row / n_heads % pos;
                for i in 0..half {
                    let angle = t as f64 * 100f64.powf(-(i as f64) / half as f64);
                    let (re, im) = (f64::from(x[i]), f64::from(x[i + half]));
                    let wanted = [
                        re * angle.cos() - im * angle.sin(),
                        re * angle.sin() + im * angle.cos(),
                    ];
                    prop_assert!((f64::from(found[i]) - wanted[0]).abs() < 1e-5);
                    prop_assert!((f64::from(found[i + half]) - wanted[1]).abs() < 1e-5);
                }
                prop_assert_eq!(&found[2 * half..], &x[2 * half..]);
            }
            let back = table.rotate_back(&table.rotate(&x, 0).unwrap()).unwrap();
            prop_assert!(largest_difference(&back, &x) < 1e-5);
        }
    }

    /// What makes them positions: `<R_s q, R_t k>` depends on `t - s` only.
    #[test]
    fn scores_depend_on_the_distance_only() {
        let table = rotary(40, 6, 4);
        let (q, k) = (random(&[1, 1, 1, 6], 1), random(&[1, 1, 1, 6], 2));
        let score = |s, t| {
            let (q, k) = (table.rotate(&q, s).unwrap(), table.rotate(&k, t).unwrap());
            let score = (q * k).unwrap().sum_all().unwrap();
            score.to_scalar::<f32>().unwrap()
        };
        for distance in [0, 1, 7, 20] {
            let wanted = score(distance, 0);
            for t in [1, 5, 19] {
                assert!((score(t + distance, t) - wanted).abs() < 1e-5);
            }
        }
        assert!((score(20, 0) - score(0, 0)).abs() > 1e-2);
    }
}
