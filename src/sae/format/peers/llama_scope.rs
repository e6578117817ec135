//! Llama Scope (OpenMOSS): `hyperparams.json` and `checkpoints/final.safetensors`.
//!
//! Trained on `x sqrt(d) / norm_in`, with `norm_in` the mean norm of the data set. As in lm-saes'
//! inference, this is folded into the weights: with `s = sqrt(d) / norm`, `b_enc / s_in`, `b_dec / s_out`,
//! `W_dec s_in / s_out`, then decoder rows of unit length whose norms go into the encoder
//! (`sparsity_include_decoder_norm`); activations above `jump_relu_threshold` count.
//! He et al. 2024, arXiv:2410.20526; lm-saes' `standardize_parameters_of_dataset_norm`,
//! `transform_to_unit_decoder_norm` and `Initializer`. SAELens keeps the activations of the scaled input,
//! which are `s_in` times these.

use super::json_fields::Fields;
use super::loaded::{Loaded, describe};
use super::tensors::{Tensors, check_widths};
use crate::error::Result;
use crate::known_fields::{KnownFields, Only, Plain};
use crate::sae::variants::{JumpReLUSae, StandardSae, Transcoder, TranscoderActivation};
use candle_core::{DType, Device, Tensor};
use std::path::{Path, PathBuf};

pub(super) const CFG: &str = "hyperparams.json";
const FORMAT: &str = "Llama Scope state dict";
const CFG_FORMAT: &str = "Llama Scope configuration";
const NORM: &str = "dataset_average_activation_norm";
const OFF: &[Plain] = &[Plain::Null, Plain::False];

const FIELDS: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &[
        "act_fn",
        "apply_decoder_bias_to_pre_encoder",
        "d_model",
        "d_sae",
        "dataset_average_activation_norm",
        "expansion_factor",
        "hook_point_in",
        "hook_point_out",
        "jump_relu_threshold",
        "norm_activation",
        "sparsity_include_decoder_norm",
        "use_decoder_bias",
    ],
    inert: &[
        // Initial values, the loss, and where and in what precision it was trained. `top_k` is that of the
        // training, before the threshold replaced it.
        "bias_init_method",
        "ddp_size",
        "decoder_bias_init_method",
        "decoder_exactly_fixed_norm",
        "device",
        "dtype",
        "init_decoder_norm",
        "init_encoder_norm",
        "init_encoder_with_decoder_transpose",
        "initial_k",
        "k_warmup_steps",
        "l1_coefficient",
        "l1_coefficient_warmup_steps",
        "lp",
        "model_name",
        "sae_pretrained_name_or_path",
        "sae_type",
        "seed",
        "strict_loading",
        "top_k",
        "tp_size",
        "use_batch_norm_mse",
        "use_ghost_grads",
    ],
    only: &[Only::new("use_glu_encoder", OFF, "a gated linear encoder")],
};

/// The weights below a folder.
pub(super) fn weights_path(dir: &Path) -> PathBuf {
    let beside = dir.join("final.safetensors");
    match beside.exists() {
        true => beside,
        false => dir.join("checkpoints").join("final.safetensors"),
    }
}

/// Reads the folder of one autoencoder or transcoder.
pub(super) fn read(dir: &Path) -> Result<Loaded> {
    let cfg = Fields::read(&dir.join(CFG), CFG_FORMAT)?;
    cfg.check(&FIELDS)?;
    let threshold = threshold(&cfg)?;
    let (scale_in, scale_out) = scales(&cfg)?;
    let mut tensors = Tensors::read(&weights_path(dir), FORMAT)?;
    let mut w_enc = tensors.take_transposed("encoder.weight")?; // [d_model, d_sae]
    let mut b_enc = (tensors.take("encoder.bias")? / scale_in)?;
    let mut w_dec = (tensors.take_transposed("decoder.weight")? * (scale_in / scale_out))?; // [d_sae, d_model]
    let has_bias = cfg
        .map
        .get("use_decoder_bias")
        .and_then(serde_json::Value::as_bool);
    let b_dec = match has_bias.unwrap_or(true) {
        true => (tensors.take("decoder.bias")? / scale_out)?,
        false => Tensor::zeros(w_dec.dim(1)?, DType::F32, &Device::Cpu)?,
    };
    tensors.finish("an autoencoder of Llama Scope")?;
    if cfg.switch("sparsity_include_decoder_norm")? {
        let norms = w_dec.sqr()?.sum(1)?.sqrt()?.maximum(f32::MIN_POSITIVE)?; // [d_sae]
        w_enc = w_enc.broadcast_mul(&norms)?;
        b_enc = b_enc.mul(&norms)?;
        w_dec = w_dec.broadcast_div(&norms.unsqueeze(1)?)?;
    }
    let (d_in, d_sae) = w_enc.dims2()?;
    let d_model = cfg.needed_whole("d_model")?;
    let said = match cfg.whole("d_sae")? {
        Some(d_sae) => Some(d_sae),
        None => cfg
            .whole("expansion_factor")?
            .and_then(|factor| factor.checked_mul(d_model)),
    };
    check_widths(&[("d_model", Some(d_model), d_in), ("d_sae", said, d_sae)])?;
    let threshold = Tensor::full(threshold as f32, d_sae, &Device::Cpu)?;
    let from = cfg.needed_text("hook_point_in")?;
    let to = cfg.text("hook_point_out")?.unwrap_or(from);
    let subtract = cfg.switch("apply_decoder_bias_to_pre_encoder")?;
    if to == from {
        let mut dictionary = StandardSae::new(w_enc, b_enc, w_dec, b_dec)?;
        dictionary.apply_b_dec_to_input = subtract;
        describe(&mut dictionary, Some(from.to_owned()), None);
        return Ok(Loaded::Sae(JumpReLUSae::new(dictionary, threshold)?.into()));
    }
    if subtract {
        let reason =
            "apply_decoder_bias_to_pre_encoder is true for a transcoder, which is not supported";
        return Err(cfg.refuse(reason));
    }
    let activation = TranscoderActivation::JumpRelu { threshold };
    let transcoder = Transcoder::new(0, w_enc, b_enc, w_dec, b_dec, activation)?;
    Ok(Loaded::Transcoder(transcoder.between(from, to)))
}

/// The threshold: 0 for ReLU; TopK was replaced by one once the threshold was known.
fn threshold(cfg: &Fields) -> Result<f64> {
    let threshold = cfg.number("jump_relu_threshold")?;
    match (cfg.needed_text("act_fn")?, threshold) {
        ("relu", _) => Ok(0.0),
        ("jumprelu", Some(threshold)) if threshold >= 0.0 => Ok(threshold),
        ("topk", Some(threshold)) if threshold > 0.0 => Ok(threshold),
        (name @ ("jumprelu" | "topk"), _) => Err(cfg.refuse(format!(
            "act_fn is {name:?}, but jump_relu_threshold is {threshold:?}; expected a threshold above 0"
        ))),
        (other, _) => Err(cfg.refuse(format!(
            "act_fn is {other:?}, which is not supported; supported are \"jumprelu\", \"topk\" with a threshold \
             and \"relu\""
        ))),
    }
}

/// The factors of inputs and outputs in training.
fn scales(cfg: &Fields) -> Result<(f64, f64)> {
    match cfg.text("norm_activation")? {
        Some("dataset-wise") => {}
        Some("inference") => return Ok((1.0, 1.0)),
        other => {
            return Err(cfg.refuse(format!(
                "norm_activation is {other:?}, only \"dataset-wise\" and \"inference\" are supported: any other \
                 normalises each input by its own norm"
            )));
        }
    }
    let norms = cfg.object(NORM)?;
    let width = (cfg.needed_whole("d_model")? as f64).sqrt();
    let scale = |name: &str| match norms.needed_number(name)? {
        norm if norm > 0.0 && norm.is_finite() => Ok(width / norm),
        norm => Err(cfg.refuse(format!(
            "{NORM}.{name} is {norm}, expected a number above 0"
        ))),
    };
    Ok((scale("in")?, scale("out")?))
}
