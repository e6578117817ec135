//! Which transcoder stands in the place of which MLP, and what it reads there.
//! It reads the residual stream before the MLP, that stream normalised, or what the MLP itself reads.
//! Source: circuit-tracer's `feature_input_hook` and `feature_output_hook`.

use crate::config::{Normalization, TransformerConfig};
use crate::error::{Error, Result};
use crate::model::{BlockPoint, HookName};
use crate::sae::Transcoder;

/// What the MLP reads, norm's weight and bias included: a hook point of circuit-tracer's models that
/// this library's do not have.
const MLP_IN: &str = "mlp.hook_in";

/// What a transcoder reads: three linear functions of the residual stream, once scales are frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum MlpInput {
    /// `blocks.L.hook_resid_mid`.
    ResidMid,
    /// `blocks.L.ln2.hook_normalized`: centred and scaled, before weight and bias.
    Normalized,
    /// `blocks.L.mlp.hook_in`: what the MLP reads.
    MlpIn,
}

/// For each block the index of its transcoder, and what that reads.
///
/// # Errors
/// [`Error::UnknownHook`] for a hook point that the model does not have; [`Error::Argument`] for one
/// that no transcoder can stand at, two hook points of different blocks, or two transcoders of one
/// block; [`Error::Shape`] for a transcoder that is not `d_model` wide on both sides.
pub(in super::super) fn transcoder_sites(
    transcoders: &[Transcoder],
    cfg: &TransformerConfig,
) -> Result<Vec<Option<(usize, MlpInput)>>> {
    let mut sites = vec![None; cfg.n_layers];
    for (index, transcoder) in transcoders.iter().enumerate() {
        let layer = output_layer(&transcoder.hook_name_out, cfg)?;
        let input = input_of(&transcoder.hook_name, layer, cfg)?;
        for (what, width) in [("d_in", transcoder.d_in()), ("d_out", transcoder.d_out())] {
            if width != cfg.d_model {
                let name = format!("{what} of the transcoder of block {layer}");
                return Err(Error::shape(name, cfg.d_model, width));
            }
        }
        if sites[layer].is_some() {
            let reason = format!("there are two transcoders of block {layer}; give one a block");
            return Err(Error::argument("transcoders", transcoders.len(), reason));
        }
        sites[layer] = Some((index, input));
    }
    Ok(sites)
}

fn output_layer(name: &str, cfg: &TransformerConfig) -> Result<usize> {
    match HookName::of_model(name, cfg)? {
        HookName::Block {
            layer,
            point: BlockPoint::MlpOut,
        } => Ok(layer),
        _ => Err(Error::argument(
            "hook_name_out",
            format!("{name:?}"),
            "a transcoder of a graph reconstructs blocks.L.hook_mlp_out",
        )),
    }
}

fn input_of(name: &str, layer: usize, cfg: &TransformerConfig) -> Result<MlpInput> {
    let wanted = |point| HookName::Block { layer, point };
    if name == format!("blocks.{layer}.{MLP_IN}") {
        return Ok(match cfg.normalization_type {
            Normalization::None => MlpInput::ResidMid,
            Normalization::Ln | Normalization::LnPre => MlpInput::MlpIn,
        });
    }
    let hook = HookName::of_model(name, cfg)?;
    if hook == wanted(BlockPoint::Ln2Normalized) {
        return Ok(MlpInput::Normalized);
    }
    if hook == wanted(BlockPoint::ResidMid) {
        return Ok(MlpInput::ResidMid);
    }
    Err(Error::argument(
        "hook_name",
        format!("{name:?}"),
        format!(
            "the transcoder that reconstructs blocks.{layer}.hook_mlp_out may read \
             blocks.{layer}.ln2.hook_normalized, blocks.{layer}.hook_resid_mid or \
             blocks.{layer}.{MLP_IN}"
        ),
    ))
}
