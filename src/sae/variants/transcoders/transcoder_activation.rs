//! The activation functions of transcoders, crosscoders and cross-layer transcoders.

use super::rows::check_shape;
use crate::error::{Error, Result};
use crate::model::relu;
use crate::sae::active::ActiveFeatures;
use candle_core::{DType, Tensor};

/// The activation function after the encoder's product.
#[derive(Debug, Clone)]
pub enum TranscoderActivation {
    /// `max(pre, 0)`.
    Relu,
    /// `pre` where it is above both 0 and the feature's threshold, else 0. `threshold` is `[d_sae]`.
    JumpRelu { threshold: Tensor },
    /// The `k` largest of a token's positive pre-activations, the first of equal ones.
    TopK { k: usize },
}

impl TranscoderActivation {
    /// The activation function, checked for `d_sae` features.
    pub(super) fn checked(self, d_sae: usize) -> Result<Self> {
        match self {
            Self::JumpRelu { threshold } => {
                check_shape("threshold", &threshold, &[d_sae])?;
                let threshold = threshold.to_dtype(DType::F32)?;
                Ok(Self::JumpRelu { threshold })
            }
            Self::TopK { k } if !(1..=d_sae).contains(&k) => {
                let reason = format!("must lie in 1 to d_sae = {d_sae}");
                Err(Error::argument("k", k, reason))
            }
            other => Ok(other),
        }
    }

    /// Pre-activations `[n, d_sae]` to activations.
    pub(super) fn of_rows(&self, pre: &Tensor) -> Result<Tensor> {
        let acts = relu(pre)?;
        match self {
            Self::Relu => Ok(acts),
            Self::JumpRelu { threshold } => {
                let threshold = threshold.broadcast_as(acts.shape())?;
                // `le` is false for NaN, which is kept.
                let below = acts.le(&threshold)?;
                Ok(below.where_cond(&acts.zeros_like()?, &acts)?)
            }
            Self::TopK { k } => ActiveFeatures::of_dense(&acts)?
                .largest(*k)
                .to_dense(pre.device()),
        }
    }
}
