//! Layer normalisation: of the residual stream, and of the hidden units after SoLU.
//!
//! `y = w (x - mean) / scale + b`, `scale = sqrt(var + eps)`, biased variance.
//! Source: Ba, Kiros and Hinton 2016, arXiv:1607.06450.

use crate::error::Result;
use crate::model::hooks::{HookName, Run};
use crate::model::ops;
use candle_core::{D, DType, Tensor};

/// Weight and bias `[width]`, and the two hook points.
pub(in crate::model) struct LayerNorm {
    pub(in crate::model) w: Tensor,
    pub(in crate::model) b: Tensor,
    /// Whether `w` and `b` are parameters, not the ones and zeros of a norm that has none.
    pub(in crate::model) has_parameters: bool,
    pub(in crate::model) eps: f64,
    pub(in crate::model) scale: HookName,
    pub(in crate::model) normalized: HookName,
}

impl LayerNorm {
    /// `x` `[batch, pos, width]` to the same shape.
    pub(in crate::model) fn forward(&self, x: &Tensor, run: &mut Run) -> Result<Tensor> {
        let fused = ops::usable(&[x, &self.w, &self.b]);
        if fused && !run.watches(self.scale) && !run.watches(self.normalized) {
            return self.unwatched(x);
        }
        // In half precision the variance of a residual stream overflows or loses its digits.
        let wide = x.to_dtype(DType::F32)?;
        let centred = wide.broadcast_sub(&wide.mean_keepdim(D::Minus1)?)?;
        let scale = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?; // [batch, pos, 1]
        let new_scale = run.replacement(self.scale, &scale)?;
        let normalized = centred.broadcast_div(new_scale.as_ref().unwrap_or(&scale))?;
        let new_normalized = run.replacement(self.normalized, &normalized)?;
        if fused && new_scale.is_none() && new_normalized.is_none() {
            // Watched but not replaced: the same bits as in an unwatched run.
            return self.unwatched(x);
        }
        Ok(new_normalized
            .unwrap_or(normalized)
            .broadcast_mul(&self.w.to_dtype(DType::F32)?)?
            .broadcast_add(&self.b.to_dtype(DType::F32)?)?
            .to_dtype(x.dtype())?)
    }

    /// By the fused operation, which has no hook points.
    pub(in crate::model) fn unwatched(&self, x: &Tensor) -> Result<Tensor> {
        Ok(ops::layer_norm(x, &self.w, &self.b, self.eps)?)
    }
}

/// What is before a part of the model: a [`LayerNorm`], or nothing.
pub(in crate::model) struct Norm(pub(in crate::model) Option<LayerNorm>);

impl Norm {
    /// `x` `[batch, pos, d_model]` to the same shape.
    pub(in crate::model) fn forward(&self, x: &Tensor, run: &mut Run) -> Result<Tensor> {
        match &self.0 {
            Some(norm) => norm.forward(x, run),
            None => Ok(x.clone()),
        }
    }

    /// [`Norm::forward`] where no hook point is wanted, by the fused operation.
    pub(in crate::model) fn unwatched(&self, x: &Tensor) -> Result<Tensor> {
        match &self.0 {
            Some(norm) => norm.unwatched(x),
            None => Ok(x.clone()),
        }
    }
}
