//! TransformerLens checkpoints: its `config.json` and a state dict in `model.safetensors`.
//!
//! Names and shapes are ours already; what is checked is that the configuration asks for
//! nothing this model does not do. Source: TransformerLens' `HookedTransformerConfig`.

use super::checkpoint::{read_text, weight_files};
use super::safetensors_io as io;
use super::transformer::Transformer;
use crate::config::{Activation, TransformerConfig};
use crate::error::{Error, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Switches that must be off (or absent) for the model to be the one computed here.
const MUST_BE_OFF: [&str; 10] = [
    "gated_mlp",
    "uses_rms_norm",
    "final_rms",
    "use_local_attn",
    "use_qk_norm",
    "use_logn_attn",
    "use_attention_sinks",
    "scale_attn_by_inverse_layer_idx",
    "parallel_attn_mlp",
    "post_embedding_ln",
];

impl Transformer {
    /// Loads a folder with TransformerLens' `config.json` and `model.safetensors`, as f32 on
    /// the CPU.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] for a configuration this model cannot compute,
    /// [`Error::NotFound`] or [`Error::Shape`] for weights that do not fit it.
    pub fn load_tl(dir: &Path) -> Result<Transformer> {
        let path = dir.join("config.json");
        let json: Value = serde_json::from_str(&read_text(&path)?)
            .map_err(|err| Error::format(&path, "TransformerLens configuration", err))?;
        let cfg = to_config(&json, &path)?;
        cfg.validate()?;
        let mut weights = BTreeMap::new();
        for file in weight_files(dir)? {
            weights.extend(io::read(&file)?.0);
        }
        Transformer::from_parameters(&cfg, &weights)
    }
}

fn to_config(json: &Value, path: &Path) -> Result<TransformerConfig> {
    let bad = |what: String| Error::format(path, "TransformerLens configuration", what);
    let number = |field: &str| -> Result<usize> {
        json[field].as_u64().map(|n| n as usize).ok_or_else(|| {
            bad(format!(
                "{field} is {}, expected a whole number",
                json[field]
            ))
        })
    };
    let expect = |field: &str, wanted: &str| -> Result<()> {
        match json[field].as_str() {
            None => Ok(()),
            Some(found) if found == wanted => Ok(()),
            Some(found) => Err(bad(format!(
                "{field} is {found:?}, only {wanted:?} is supported"
            ))),
        }
    };
    expect("normalization_type", "LN")?;
    expect("positional_embedding_type", "standard")?;
    expect("attention_dir", "causal")?;
    if let Some(field) = MUST_BE_OFF
        .into_iter()
        .find(|&field| json[field].as_bool() == Some(true))
    {
        return Err(bad(format!("{field} is not supported")));
    }
    if json["use_attn_scale"].as_bool() == Some(false) {
        return Err(bad("use_attn_scale = false is not supported".to_owned()));
    }
    let attn_only = json["attn_only"].as_bool().unwrap_or(false);
    let cfg = TransformerConfig {
        n_layers: number("n_layers")?,
        d_model: number("d_model")?,
        n_heads: number("n_heads")?,
        d_mlp: if attn_only { 0 } else { number("d_mlp")? },
        n_ctx: number("n_ctx")?,
        d_vocab: number("d_vocab")?,
        act_fn: activation(json, attn_only).map_err(bad)?,
        attn_only,
        eps: json["eps"].as_f64().unwrap_or(1e-5),
        tied_unembed: json["tie_word_embeddings"].as_bool().unwrap_or(false),
        init_std: json["initializer_range"].as_f64().unwrap_or(0.02).max(0.0),
        seed: json["seed"].as_u64().unwrap_or(0),
        ..TransformerConfig::default()
    };
    check_widths(json, &cfg).map_err(bad)?;
    Ok(cfg)
}

fn activation(json: &Value, attn_only: bool) -> std::result::Result<Activation, String> {
    match json["act_fn"].as_str() {
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluNew),
        Some("relu") => Ok(Activation::Relu),
        Some("silu") => Ok(Activation::Silu),
        Some("solu") => Ok(Activation::Solu),
        _ if attn_only => Ok(Activation::default()),
        _ => Err(format!("act_fn {} is not supported", json["act_fn"])),
    }
}

fn check_widths(json: &Value, cfg: &TransformerConfig) -> std::result::Result<(), String> {
    let heads = json["d_head"].as_u64().map(|d| d as usize * cfg.n_heads);
    if heads.is_some_and(|width| width != cfg.d_model) {
        return Err("n_heads * d_head is not d_model".to_owned());
    }
    let out = json["d_vocab_out"].as_u64();
    if out.is_some_and(|out| out as usize != cfg.d_vocab) {
        return Err("d_vocab_out is not d_vocab".to_owned());
    }
    let kv = json["n_key_value_heads"].as_u64();
    if kv.is_some_and(|kv| kv as usize != cfg.n_heads) {
        return Err("grouped keys and values are not supported".to_owned());
    }
    let scale = json["attn_scale"].as_f64();
    let ours = (cfg.d_head() as f64).sqrt();
    if scale.is_some_and(|scale| scale > 0.0 && (scale - ours).abs() > 1e-6) {
        return Err("attn_scale is not sqrt(d_head)".to_owned());
    }
    Ok(())
}
