//! circuit-tracer's sets of transcoders: `config.yaml` and one file per block.
//! `acts = act(x W_enc^T + b_enc)`, `y = acts W_dec + b_dec (+ x W_skip^T)`; `W_enc` and `W_dec` are
//! `[d_transcoder, d_model]`, ReLU or, with `activation_function.threshold`, JumpReLU.
//! Source: circuit-tracer 0.5.0 (`transcoder/single_layer_transcoder.py`).

use super::super::tensors::Tensors;
use super::super::{gemma_scope, gemma_scope_2};
use super::set_config::SetConfig;
use crate::error::Result;
use crate::sae::variants::{Transcoder, TranscoderActivation};
use std::path::{Path, PathBuf};

const FORMAT: &str = "circuit-tracer transcoder";
const THRESHOLD: &str = "activation_function.threshold";

/// The transcoders of the blocks from 0 on, in their order.
pub(in crate::sae::format) fn read_set_files(
    config: &SetConfig,
    files: &[PathBuf],
) -> Result<Vec<Transcoder>> {
    let layers = files.iter().enumerate();
    layers
        .map(|(layer, file)| read_layer(config, file, layer))
        .collect()
}

/// The transcoder of one block, from circuit-tracer's file, Gemma Scope's or Gemma Scope 2's.
pub(in crate::sae::format) fn read_layer(
    config: &SetConfig,
    file: &Path,
    layer: usize,
) -> Result<Transcoder> {
    let (hook_name, hook_name_out) = config.hook_names(layer);
    let transcoder = match file.extension().is_some_and(|ending| ending == "npz") {
        true => gemma_scope::transcoder(file, layer)?,
        false => match Tensors::read(file, FORMAT)? {
            tensors if tensors.holds("w_enc") => gemma_scope_2::transcoder(tensors, layer, None)?,
            tensors => own(tensors, layer)?,
        },
    };
    Ok(transcoder.between(&hook_name, &hook_name_out))
}

fn own(mut tensors: Tensors, layer: usize) -> Result<Transcoder> {
    if tensors.holds("log_thresholds") {
        return Err(tensors.refuse(format!(
            "log_thresholds is no tensor of circuit-tracer's; save exp of it as {THRESHOLD}"
        )));
    }
    let activation = match tensors.holds(THRESHOLD) {
        true => TranscoderActivation::JumpRelu {
            threshold: tensors.take(THRESHOLD)?,
        },
        false => TranscoderActivation::Relu,
    };
    let (w_enc, b_enc) = (tensors.take_transposed("W_enc")?, tensors.take("b_enc")?);
    let (w_dec, b_dec) = (tensors.take("W_dec")?, tensors.take("b_dec")?);
    let w_skip = match tensors.holds("W_skip") {
        true => Some(tensors.take_transposed("W_skip")?),
        false => None,
    };
    tensors.finish("a transcoder of circuit-tracer")?;
    let transcoder = Transcoder::new(layer, w_enc, b_enc, w_dec, b_dec, activation)?;
    match w_skip {
        Some(w_skip) => transcoder.with_skip(w_skip),
        None => Ok(transcoder),
    }
}
