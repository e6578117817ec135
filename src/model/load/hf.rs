//! Hugging Face GPT-2 weights, and the choice between GPT-2 and GPT-NeoX.
//!
//! `c_attn` `[d_model, 3 d_model]` is `[Q | K | V]`, heads side by side within each; Conv1D
//! stores `[d_in, d_out]`, so nothing but heads is rearranged. Source: transformers' `modeling_gpt2.py`.

use super::super::checkpoint::read_text;
use super::super::transformer::Transformer;
use super::hf_config::{FORMAT, to_config};
use super::weights::{Weights, check_tied, within_block};
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const WEIGHTS: &str = "GPT-2 state dict";

impl Transformer {
    /// Loads a folder of Hugging Face transformers, GPT-2 or GPT-NeoX by the `model_type` of its
    /// `config.json`: [`Transformer::load_hf_gpt2`] or [`Transformer::load_hf_gpt_neox`].
    ///
    /// # Errors
    /// Theirs; [`Error::Format`] for a `model_type` that is missing or neither of the two.
    pub fn load_hf(dir: &Path) -> Result<Transformer> {
        let path = dir.join("config.json");
        let refuse = |reason: String| Error::format(&path, "Hugging Face configuration", reason);
        let json: Value =
            serde_json::from_str(&read_text(&path)?).map_err(|err| refuse(err.to_string()))?;
        match json.get("model_type").and_then(Value::as_str) {
            Some("gpt2") => Transformer::load_hf_gpt2(dir),
            Some("gpt_neox") => Transformer::load_hf_gpt_neox(dir),
            other => Err(refuse(format!(
                "model_type is {}; supported are \"gpt2\" and \"gpt_neox\" (Pythia)",
                other.map_or("missing".to_owned(), |name| format!("{name:?}"))
            ))),
        }
    }

    /// Loads a folder of Hugging Face GPT-2 (`config.json` and `model.safetensors`, or shards
    /// with an index) as f32 on the CPU.
    ///
    /// Every field and tensor is applied, known to change nothing, or refused.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for something that is not GPT-2 in every respect, a field
    /// that is unknown, a tensor that nothing reads, and for parameters that are not finite;
    /// [`Error::NotFound`] or [`Error::Shape`] for weights that do not fit the configuration.
    pub fn load_hf_gpt2(dir: &Path) -> Result<Transformer> {
        let path = dir.join("config.json");
        let json: Value = serde_json::from_str(&read_text(&path)?)
            .map_err(|err| Error::format(&path, FORMAT, err))?;
        let cfg = to_config(&json, &path)?;
        cfg.validate()?;
        let mut weights = Weights::read(dir, WEIGHTS, without_prefix)?;
        let params = translate(&cfg, &mut weights, dir)?;
        weights.finish(is_buffer, |_| None)?;
        Transformer::from_parameters(&cfg, &params)
    }
}

/// The name in `GPT2Model`, of which `GPT2LMHeadModel` makes a part.
fn without_prefix(name: &str) -> &str {
    name.strip_prefix("transformer.").unwrap_or(name)
}

/// The causal mask and what is put in its place, in the state dicts of older versions.
fn is_buffer(name: &str) -> bool {
    matches!(
        within_block(name, "h"),
        Some("attn.bias" | "attn.masked_bias")
    )
}

/// Parameters of ours out of theirs.
fn translate(
    cfg: &TransformerConfig,
    weights: &mut Weights,
    dir: &Path,
) -> Result<BTreeMap<String, Tensor>> {
    let d = cfg.d_model;
    let mut params = BTreeMap::new();
    for layer in 0..cfg.n_layers {
        for (name, value) in translate_block(cfg, weights, layer)? {
            params.insert(format!("blocks.{layer}.{name}"), value);
        }
    }
    let mut take = |name: &str, shape: &[usize]| weights.take(name, shape);
    let mut put = |name: &str, value: Tensor| params.insert(name.to_owned(), value);
    let w_e = take("wte.weight", &[cfg.d_vocab, d])?;
    put("pos_embed.W_pos", take("wpe.weight", &[cfg.n_ctx, d])?);
    put("ln_final.w", take("ln_f.weight", &[d])?);
    put("ln_final.b", take("ln_f.bias", &[d])?);
    put(
        "unembed.b_U",
        Tensor::zeros(cfg.d_vocab, DType::F32, &Device::Cpu)?,
    );
    // A torch Linear: [d_vocab, d_model].
    if !cfg.tied_unembed {
        let head = weights.take("lm_head.weight", &[cfg.d_vocab, d])?;
        params.insert("unembed.W_U".to_owned(), head.t()?);
    } else if weights.holds("lm_head.weight") {
        let head = weights.take("lm_head.weight", &[cfg.d_vocab, d])?;
        check_tied(
            (&head, &w_e),
            ["lm_head.weight", "wte.weight"],
            dir,
            WEIGHTS,
        )?;
    }
    params.insert("embed.W_E".to_owned(), w_e);
    Ok(params)
}

/// The parameters of one block, by their names within it.
fn translate_block(
    cfg: &TransformerConfig,
    weights: &mut Weights,
    layer: usize,
) -> Result<Vec<(String, Tensor)>> {
    let (d, h, d_head) = (cfg.d_model, cfg.n_heads, cfg.d_head());
    let mut take = |name: &str, shape: &[usize]| weights.take(&format!("h.{layer}.{name}"), shape);
    let mut params = Vec::new();
    let mut put = |name: &str, value: Tensor| params.push((name.to_owned(), value));
    let w = take("attn.c_attn.weight", &[d, 3 * d])?;
    let b = take("attn.c_attn.bias", &[3 * d])?;
    for (i, name) in ["Q", "K", "V"].into_iter().enumerate() {
        let w = w.narrow(1, i * d, d)?.reshape((d, h, d_head))?; // [d_model, n_heads, d_head]
        put(&format!("attn.W_{name}"), w.permute((1, 0, 2))?);
        let b = b.narrow(0, i * d, d)?.reshape((h, d_head))?;
        put(&format!("attn.b_{name}"), b);
    }
    let w_o = take("attn.c_proj.weight", &[d, d])?;
    put("attn.W_O", w_o.reshape((h, d_head, d))?);
    put("attn.b_O", take("attn.c_proj.bias", &[d])?);
    for (ours, theirs) in [("ln1", "ln_1"), ("ln2", "ln_2")] {
        let (w, b) = (format!("{theirs}.weight"), format!("{theirs}.bias"));
        put(&format!("{ours}.w"), take(&w, &[d])?);
        put(&format!("{ours}.b"), take(&b, &[d])?);
    }
    put("mlp.W_in", take("mlp.c_fc.weight", &[d, cfg.d_mlp])?);
    put("mlp.b_in", take("mlp.c_fc.bias", &[cfg.d_mlp])?);
    put("mlp.W_out", take("mlp.c_proj.weight", &[cfg.d_mlp, d])?);
    put("mlp.b_out", take("mlp.c_proj.bias", &[d])?);
    Ok(params)
}
