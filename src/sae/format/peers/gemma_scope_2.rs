//! Gemma Scope 2: `config.json` and `params.safetensors`, autoencoders and transcoders of Gemma 3; cross-layer
//! transcoders, one file per layer.
//! `pre = x w_enc + b_enc`, `acts = pre H(pre - threshold)`, `y = acts w_dec + b_dec (+ x affine_skip_connection)`.
//! Source: SAELens' `gemma_3` loader, circuit-tracer's `load_gemma_scope_2_transcoder` and
//! `load_gemma_scope_2_clt`.

use super::json_fields::Fields;
use super::loaded::{Loaded, describe};
use super::tensors::Tensors;
use crate::error::{Error, Result};
use crate::known_fields::KnownFields;
use crate::sae::variants::{JumpReLUSae, StandardSae, Transcoder, TranscoderActivation};
use candle_core::Tensor;
use std::path::Path;

pub(super) const WEIGHTS: &str = "params.safetensors";
const FORMAT: &str = "Gemma Scope 2 state dict";
const CFG_FORMAT: &str = "Gemma Scope 2 configuration";
const SKIP: &str = "affine_skip_connection";

const FIELDS: KnownFields = KnownFields {
    format: CFG_FORMAT,
    applied: &[
        "affine_connection",
        "architecture",
        "hf_hook_point_in",
        "hf_hook_point_out",
        "model_name",
        "width",
    ],
    inert: &["l0", "type"],
    only: &[],
};

/// Reads the folder of one autoencoder or transcoder.
pub(super) fn read(dir: &Path) -> Result<Loaded> {
    let cfg = Fields::read(&dir.join("config.json"), CFG_FORMAT)?;
    cfg.check(&FIELDS)?;
    match cfg.needed_text("architecture")? {
        "jump_relu" => {}
        other => {
            let reason = format!("architecture is {other:?}, only \"jump_relu\" is supported");
            return Err(cfg.refuse(reason));
        }
    }
    let (from, to) = (
        cfg.needed_text("hf_hook_point_in")?,
        cfg.text("hf_hook_point_out")?,
    );
    let skip = cfg.switch("affine_connection")?;
    let path = dir.join(WEIGHTS);
    let loaded = match to.filter(|to| *to != from) {
        Some(to) => Loaded::Transcoder(read_transcoder(&cfg, &path, skip, (from, to))?),
        None if skip => {
            return Err(cfg.refuse("affine_connection is true, which only transcoders have"));
        }
        None => {
            let parameters = Parameters::take(Tensors::read(&path, FORMAT)?, false)?;
            let Parameters {
                w_enc,
                b_enc,
                w_dec,
                b_dec,
                threshold,
                ..
            } = parameters;
            let mut dictionary = StandardSae::new(w_enc, b_enc, w_dec, b_dec)?;
            dictionary.apply_b_dec_to_input = false;
            describe(&mut dictionary, hook_name(from), cfg.text("model_name")?);
            Loaded::Sae(JumpReLUSae::new(dictionary, threshold)?.into())
        }
    };
    if let Some(width) = cfg.whole("width")? {
        let found = match &loaded {
            Loaded::Sae(sae) => crate::sae::SparseAutoencoder::d_sae(sae),
            Loaded::Transcoder(transcoder) => transcoder.d_sae(),
        };
        if width != found as u64 {
            return Err(Error::shape("w_enc (width)", width, found));
        }
    }
    Ok(loaded)
}

fn read_transcoder(
    cfg: &Fields,
    path: &Path,
    skip: bool,
    (from, to): (&str, &str),
) -> Result<Transcoder> {
    let read = layer_of(from, "pre_feedforward_layernorm.output");
    let written = layer_of(to, "post_feedforward_layernorm.output");
    match (read, written) {
        (Some(read), Some(written)) if read == written => {
            transcoder(Tensors::read(path, FORMAT)?, read, Some(skip))
        }
        _ => Err(cfg.refuse(format!(
            "it reads {from:?} and reconstructs {to:?}; expected the two norms around one block's MLP, \
             model.layers.N.pre_feedforward_layernorm.output and \
             model.layers.N.post_feedforward_layernorm.output"
        ))),
    }
}

/// The transcoder of block `layer`; `skip` says whether it has a skip connection, `None` leaves that to the file.
///
/// It reads the MLP's input, including the norm's weight.
pub(super) fn transcoder(tensors: Tensors, layer: usize, skip: Option<bool>) -> Result<Transcoder> {
    let skip = skip.unwrap_or_else(|| tensors.holds(SKIP));
    let parameters = Parameters::take(tensors, skip)?;
    let Parameters {
        w_enc,
        b_enc,
        w_dec,
        b_dec,
        threshold,
        skip,
    } = parameters;
    let activation = TranscoderActivation::JumpRelu { threshold };
    let transcoder = Transcoder::new(layer, w_enc, b_enc, w_dec, b_dec, activation)?.between(
        &format!("blocks.{layer}.mlp.hook_in"),
        &format!("blocks.{layer}.hook_mlp_out"),
    );
    match skip {
        Some(skip) => transcoder.with_skip(skip),
        None => Ok(transcoder),
    }
}

struct Parameters {
    w_enc: Tensor,
    b_enc: Tensor,
    w_dec: Tensor,
    b_dec: Tensor,
    threshold: Tensor,
    /// `[d_in, d_out]`, as it is here.
    skip: Option<Tensor>,
}

impl Parameters {
    fn take(mut tensors: Tensors, skip: bool) -> Result<Self> {
        let w_dec = tensors.take("w_dec")?;
        if w_dec.rank() == 3 {
            let reason = format!(
                "w_dec has the shape {:?}: one layer of a cross-layer transcoder, which CrossLayerTranscoder::load \
                 reads with the others, listed in circuit-tracer's config.yaml",
                w_dec.dims()
            );
            return Err(tensors.refuse(reason));
        }
        let parameters = Self {
            w_enc: tensors.take("w_enc")?,
            b_enc: tensors.take("b_enc")?,
            w_dec,
            b_dec: tensors.take("b_dec")?,
            threshold: tensors.take("threshold")?,
            skip: match skip {
                true => Some(tensors.take(SKIP)?),
                false => None,
            },
        };
        tensors.finish("this architecture")?;
        Ok(parameters)
    }
}

/// One layer of a cross-layer transcoder.
pub(super) struct CrossLayer {
    /// `[d_in, d_sae]`
    pub w_enc: Tensor,
    pub b_enc: Tensor,
    /// `[d_sae, n_layers - layer, d_out]`
    pub w_dec: Tensor,
    pub b_dec: Tensor,
    pub threshold: Tensor,
}

/// Layer `layer` of a cross-layer transcoder of `n_layers`. Its `w_dec` is `[d_sae, n_layers, d_out]`; the part for
/// earlier layers, which circuit-tracer ignores and SAELens sums, has to be 0.
pub(super) fn cross_layer(
    mut tensors: Tensors,
    layer: usize,
    n_layers: usize,
) -> Result<CrossLayer> {
    if tensors.holds(SKIP) {
        return Err(tensors.refuse(format!(
            "{SKIP} is a skip connection, which CrossLayerTranscoder has not"
        )));
    }
    let w_dec = tensors.take("w_dec")?;
    if w_dec.rank() != 3 || w_dec.dim(1)? != n_layers {
        let wanted = format!("[d_sae, {n_layers}, d_out]");
        return Err(Error::shape("w_dec", wanted, w_dec.dims()));
    }
    let earlier = w_dec.narrow(1, 0, layer)?;
    if earlier.elem_count() > 0 && earlier.abs()?.max_all()?.to_scalar::<f32>()? != 0.0 {
        return Err(tensors.refuse(format!(
            "w_dec of layer {layer} writes to earlier layers, which no cross-layer transcoder does"
        )));
    }
    let found = CrossLayer {
        w_enc: tensors.take("w_enc")?,
        b_enc: tensors.take("b_enc")?,
        w_dec: w_dec.narrow(1, layer, n_layers - layer)?.contiguous()?,
        b_dec: tensors.take("b_dec")?,
        threshold: tensors.take("threshold")?,
    };
    tensors.finish("a cross-layer transcoder of Gemma Scope 2")?;
    Ok(found)
}

/// N of `model.layers.N.{rest}`.
fn layer_of(point: &str, rest: &str) -> Option<usize> {
    let (layer, found) = point.strip_prefix("model.layers.")?.split_once('.')?;
    layer.parse().ok().filter(|_| found == rest)
}

/// TransformerLens' name of Hugging Face's hook point, if it has one.
fn hook_name(point: &str) -> Option<String> {
    let at = |rest: &str, ours: &str| {
        let layer = layer_of(point, rest)?;
        Some(format!("blocks.{layer}.{ours}"))
    };
    at("output", "hook_resid_post")
        .or_else(|| at("self_attn.o_proj.input", "attn.hook_z"))
        .or_else(|| at("post_feedforward_layernorm.output", "hook_mlp_out"))
}
