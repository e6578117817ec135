//! Hugging Face GPT-NeoX weights, of which Pythia's are.
//!
//! `query_key_value` is a Linear, `[3 d_model, d_model]`, whose rows are, head by head, the head's
//! queries, keys and values: `[n_heads, 3, d_head, d_model]`. All Linear weights are `[d_out, d_in]`.
//! Source: transformers' `modeling_gpt_neox.py`.

use super::super::checkpoint::read_text;
use super::super::transformer::Transformer;
use super::neox_config::{FORMAT, to_config};
use super::weights::{Weights, check_tied, within_block};
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use candle_core::{DType, Device, IndexOp, Tensor};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

const WEIGHTS: &str = "GPT-NeoX state dict";

impl Transformer {
    /// Loads a folder of Hugging Face GPT-NeoX, such as a Pythia (`config.json` and
    /// `model.safetensors`, or shards with an index), as f32 on the CPU.
    ///
    /// Every field and tensor is applied, known to change nothing, or refused.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Format`] for something that is not GPT-NeoX in every respect, a field
    /// that is unknown, a tensor that nothing reads, and for parameters that are not finite;
    /// [`Error::NotFound`] or [`Error::Shape`] for weights that do not fit the configuration.
    pub fn load_hf_gpt_neox(dir: &Path) -> Result<Transformer> {
        let path = dir.join("config.json");
        let json: Value = serde_json::from_str(&read_text(&path)?)
            .map_err(|err| Error::format(&path, FORMAT, err))?;
        let (cfg, attention_bias) = to_config(&json, &path)?;
        cfg.validate()?;
        let mut weights = Weights::read(dir, WEIGHTS, without_prefix)?;
        let params = translate(&cfg, attention_bias, &mut weights, dir)?;
        let why = |name: &str| {
            (!attention_bias && name.ends_with(".bias")).then(|| {
                "attention_bias is false, so that nothing reads the attention's biases".to_owned()
            })
        };
        weights.finish(is_buffer, why)?;
        Transformer::from_parameters(&cfg, &params)
    }
}

/// The name in `GPTNeoXModel`, of which `GPTNeoXForCausalLM` makes a part.
fn without_prefix(name: &str) -> &str {
    name.strip_prefix("gpt_neox.").unwrap_or(name)
}

/// The causal mask, what is put in its place, and the frequencies of the rotation, which follow from
/// the configuration.
fn is_buffer(name: &str) -> bool {
    let in_block = matches!(
        within_block(name, "layers"),
        Some("attention.bias" | "attention.masked_bias" | "attention.rotary_emb.inv_freq")
    );
    in_block || name == "rotary_emb.inv_freq"
}

fn zeros(shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::zeros(shape, DType::F32, &Device::Cpu)?)
}

/// Parameters of ours out of theirs.
fn translate(
    cfg: &TransformerConfig,
    attention_bias: bool,
    weights: &mut Weights,
    dir: &Path,
) -> Result<BTreeMap<String, Tensor>> {
    let (d, d_vocab) = (cfg.d_model, cfg.d_vocab);
    let mut params = BTreeMap::new();
    for layer in 0..cfg.n_layers {
        for (name, value) in translate_block(cfg, attention_bias, weights, layer)? {
            params.insert(format!("blocks.{layer}.{name}"), value);
        }
    }
    let w_e = weights.take("embed_in.weight", &[d_vocab, d])?;
    let names = ["embed_out.weight", "embed_in.weight"];
    if !cfg.tied_unembed || weights.holds(names[0]) {
        let head = weights.take(names[0], &[d_vocab, d])?;
        if cfg.tied_unembed {
            check_tied((&head, &w_e), names, dir, WEIGHTS)?;
        } else {
            params.insert("unembed.W_U".to_owned(), head.t()?);
        }
    }
    let ln = |name: &str| format!("final_layer_norm.{name}");
    let mut put = |name: &str, value: Tensor| params.insert(name.to_owned(), value);
    put("ln_final.w", weights.take(&ln("weight"), &[d])?);
    put("ln_final.b", weights.take(&ln("bias"), &[d])?);
    put("unembed.b_U", zeros(&[d_vocab])?);
    put("embed.W_E", w_e);
    Ok(params)
}

/// The parameters of one block, by their names within it.
fn translate_block(
    cfg: &TransformerConfig,
    attention_bias: bool,
    weights: &mut Weights,
    layer: usize,
) -> Result<Vec<(String, Tensor)>> {
    let (d, h, d_head, d_mlp) = (cfg.d_model, cfg.n_heads, cfg.d_head(), cfg.d_mlp);
    let mut take =
        |name: &str, shape: &[usize]| weights.take(&format!("layers.{layer}.{name}"), shape);
    let bias = |take: &mut dyn FnMut(&str, &[usize]) -> Result<Tensor>, of: &str, n: usize| {
        match attention_bias {
            true => take(&format!("attention.{of}.bias"), &[n]),
            false => zeros(&[n]),
        }
    };
    let mut params = Vec::new();
    let mut put = |name: &str, value: Tensor| params.push((name.to_owned(), value));
    let w = take("attention.query_key_value.weight", &[3 * d, d])?.reshape((h, 3, d_head, d))?;
    let b = bias(&mut take, "query_key_value", 3 * d)?.reshape((h, 3, d_head))?;
    for (i, name) in ["Q", "K", "V"].into_iter().enumerate() {
        // [n_heads, d_head, d_model] to [n_heads, d_model, d_head]
        put(&format!("attn.W_{name}"), w.i((.., i))?.transpose(1, 2)?);
        put(&format!("attn.b_{name}"), b.i((.., i))?);
    }
    let w_o = take("attention.dense.weight", &[d, d])?;
    put("attn.W_O", w_o.t()?.reshape((h, d_head, d))?);
    put("attn.b_O", bias(&mut take, "dense", d)?);
    for (ours, theirs) in [
        ("ln1", "input_layernorm"),
        ("ln2", "post_attention_layernorm"),
    ] {
        put(
            &format!("{ours}.w"),
            take(&format!("{theirs}.weight"), &[d])?,
        );
        put(&format!("{ours}.b"), take(&format!("{theirs}.bias"), &[d])?);
    }
    put(
        "mlp.W_in",
        take("mlp.dense_h_to_4h.weight", &[d_mlp, d])?.t()?,
    );
    put("mlp.b_in", take("mlp.dense_h_to_4h.bias", &[d_mlp])?);
    put(
        "mlp.W_out",
        take("mlp.dense_4h_to_h.weight", &[d, d_mlp])?.t()?,
    );
    put("mlp.b_out", take("mlp.dense_4h_to_h.bias", &[d])?);
    Ok(params)
}
