//! Converts the parameters of a trained map to tensors, and common errors of all kinds of maps.

use super::step::FeatureBlock;
use crate::config::{Architecture, TranscoderConfig};
use crate::error::{Error, Result};
use crate::model::{HookName, Transformer};
use crate::sae::variants::TranscoderActivation;
use candle_core::{Device, Tensor};
use std::ops::Range;

/// A single site.
pub(super) fn one(columns: Range<usize>) -> Vec<Range<usize>> {
    std::iter::once(columns).collect()
}

/// Rows `columns` of a block's encoder, `[columns.len(), d_sae]`.
pub(super) fn encoder(
    block: &FeatureBlock,
    columns: Range<usize>,
    device: &Device,
) -> Result<Tensor> {
    let shape = (block.d_sae(), block.d_in());
    let w_enc_t = Tensor::from_slice(&block.w_enc_t, shape, device)?;
    let part = w_enc_t.narrow(1, columns.start, columns.len())?;
    Ok(part.t()?.contiguous()?)
}

/// The activation function of features with these thresholds, if there are any.
pub(super) fn activation(
    cfg: &TranscoderConfig,
    thresholds: Option<&[f32]>,
    device: &Device,
) -> Result<TranscoderActivation> {
    Ok(match (&cfg.architecture, thresholds) {
        (_, Some(thresholds)) => TranscoderActivation::JumpRelu {
            threshold: Tensor::new(thresholds, device)?,
        },
        (Architecture::TopK { k }, None) => TranscoderActivation::TopK { k: *k },
        (_, None) => TranscoderActivation::Relu,
    })
}

/// Width of the activations at a hook point.
pub(super) fn width(name: &str, model: &Transformer) -> Result<usize> {
    let hook = HookName::of_model(name, model.cfg())?;
    hook.width(model.cfg()).ok_or_else(|| {
        let reason = "holds values of pairs of tokens, not one row per token";
        Error::argument("hook_name", name, reason)
    })
}

/// An error if `skip` is requested for a map without a path around the features.
pub(super) fn no_skip(cfg: &TranscoderConfig, what: &str) -> Result<()> {
    match cfg.skip {
        false => Ok(()),
        true => config_error(
            "skip",
            &true,
            &format!("{what} has no path around its features"),
        ),
    }
}

/// The error for a field of the configuration.
pub(super) fn config_error<T>(
    field: &'static str,
    value: &dyn std::fmt::Display,
    reason: &str,
) -> Result<T> {
    Err(Error::Config {
        config: "TranscoderConfig",
        field,
        value: value.to_string(),
        reason: reason.to_owned(),
    })
}
