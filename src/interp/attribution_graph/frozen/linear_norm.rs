//! A LayerNorm whose scale is a constant: an affine function of the residual stream.
//! `y = w (x - mean(x)) / s + b` with `s` given, and its transpose `c -> centre(w c) / s`.
//! Source: Elhage et al. 2021; circuit-tracer stops the gradient at `hook_scale`.

use crate::error::Result;
use candle_core::{D, Tensor};

/// One norm at all positions of the prompt, f64.
#[derive(Debug, Clone)]
pub(in super::super) struct LinearNorm {
    /// `[pos, 1]`, what the centred stream is divided by.
    pub(in super::super) scale: Tensor,
    /// `[d_model]`, ones where the norm has none.
    pub(in super::super) weight: Tensor,
    /// `[d_model]`, where the norm has one.
    pub(in super::super) bias: Option<Tensor>,
}

impl LinearNorm {
    /// Covectors `[n, pos, d_model]` of the centred and scaled stream to those of the stream.
    pub(in super::super) fn transpose_normalized(&self, c: &Tensor) -> Result<Tensor> {
        let centred = c.broadcast_sub(&c.mean_keepdim(D::Minus1)?)?;
        Ok(centred.broadcast_div(&self.scale)?)
    }

    /// Covectors `[n, pos, d_model]` of the norm's output to those of its input.
    pub(in super::super) fn transpose(&self, c: &Tensor) -> Result<Tensor> {
        self.transpose_normalized(&c.broadcast_mul(&self.weight)?)
    }

    /// What the norm's bias adds to each covector's value: `[n]`.
    pub(in super::super) fn bias_value(&self, c: &Tensor) -> Result<Option<Tensor>> {
        let Some(bias) = &self.bias else {
            return Ok(None);
        };
        Ok(Some(c.broadcast_mul(bias)?.sum(D::Minus1)?.sum(D::Minus1)?))
    }
}
