//! Layer normalisation over the residual stream.
//!
//! `y = w (x - mean) / scale + b`, `scale = sqrt(var + eps)`, biased variance.
//! Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450.

use super::hook_name::HookName;
use super::hooks::Run;
use super::ops;
use crate::error::Result;
use candle_core::{D, DType, Tensor};

/// Weight and bias `[d_model]`, and the two hook points.
pub(super) struct LayerNorm {
    pub(super) w: Tensor,
    pub(super) b: Tensor,
    pub(super) eps: f64,
    pub(super) scale: HookName,
    pub(super) normalized: HookName,
}

impl LayerNorm {
    /// `x` `[batch, pos, d_model]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor, run: &mut Run) -> Result<Tensor> {
        let fused = ops::usable(&[x, &self.w, &self.b]);
        if fused && !run.watches(self.scale) && !run.watches(self.normalized) {
            return Ok(ops::layer_norm(x, &self.w, &self.b, self.eps)?);
        }
        // In half precision the variance of a residual stream overflows or loses its digits.
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?; // [batch, pos, 1]
        let new_scale = run.replacement(self.scale, &scale)?;
        let normalized = centred.broadcast_div(new_scale.as_ref().unwrap_or(&scale))?;
        let new_normalized = run.replacement(self.normalized, &normalized)?;
        if fused && new_scale.is_none() && new_normalized.is_none() {
            // Watched but left alone: the same bits as when nobody watches.
            return Ok(ops::layer_norm(x, &self.w, &self.b, self.eps)?);
        }
        Ok(new_normalized
            .unwrap_or(normalized)
            .broadcast_mul(&self.w.to_dtype(DType::F32)?)?
            .broadcast_add(&self.b.to_dtype(DType::F32)?)?
            .to_dtype(x.dtype())?)
    }
}
