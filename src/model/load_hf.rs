//! Hugging Face GPT-2 weights.
//!
//! `c_attn` `[d_model, 3 d_model]` is `[Q | K | V]`, heads side by side within each; Conv1D
//! stores `[d_in, d_out]`, so nothing but heads is rearranged. Source: transformers' `modeling_gpt2.py`.

use super::checkpoint::{read_text, weight_files};
use super::safetensors_io as io;
use super::transformer::Transformer;
use crate::config::{Activation, TransformerConfig};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The fields of `config.json` that matter, with GPT-2's defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct HfConfig {
    model_type: String,
    activation_function: String,
    n_embd: usize,
    n_head: usize,
    n_layer: usize,
    n_positions: usize,
    n_inner: Option<usize>,
    vocab_size: usize,
    layer_norm_epsilon: f64,
    tie_word_embeddings: bool,
    scale_attn_weights: bool,
    scale_attn_by_inverse_layer_idx: bool,
    initializer_range: f64,
}

impl Default for HfConfig {
    fn default() -> Self {
        Self {
            model_type: "gpt2".to_owned(),
            activation_function: "gelu_new".to_owned(),
            n_embd: 768,
            n_head: 12,
            n_layer: 12,
            n_positions: 1024,
            n_inner: None,
            vocab_size: 50_257,
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: true,
            scale_attn_weights: true,
            scale_attn_by_inverse_layer_idx: false,
            initializer_range: 0.02,
        }
    }
}

impl HfConfig {
    fn to_config(&self, path: &Path) -> Result<TransformerConfig> {
        let refuse = |what: String| Err(Error::format(path, "GPT-2 configuration", what));
        if self.model_type != "gpt2" {
            return refuse(format!("model_type is {:?}, not \"gpt2\"", self.model_type));
        }
        if !self.scale_attn_weights || self.scale_attn_by_inverse_layer_idx {
            return refuse("attention is not scaled by sqrt(d_head) alone".to_owned());
        }
        let act_fn = match self.activation_function.as_str() {
            "gelu" => Activation::Gelu,
            "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Activation::GeluNew,
            "relu" => Activation::Relu,
            "silu" | "swish" => Activation::Silu,
            other => return refuse(format!("activation_function {other:?} is not supported")),
        };
        Ok(TransformerConfig {
            n_layers: self.n_layer,
            d_model: self.n_embd,
            n_heads: self.n_head,
            d_mlp: self.n_inner.unwrap_or(4 * self.n_embd),
            n_ctx: self.n_positions,
            d_vocab: self.vocab_size,
            act_fn,
            eps: self.layer_norm_epsilon,
            tied_unembed: self.tie_word_embeddings,
            init_std: self.initializer_range,
            ..TransformerConfig::default()
        })
    }
}

impl Transformer {
    /// Loads a folder of Hugging Face GPT-2 (`config.json` and `model.safetensors`, or shards
    /// with an index) as f32 on the CPU.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Format`] for something that is not GPT-2 in every respect,
    /// [`Error::NotFound`] or [`Error::Shape`] for weights that do not fit the configuration.
    pub fn load_hf_gpt2(dir: &Path) -> Result<Transformer> {
        let config_path = dir.join("config.json");
        let hf: HfConfig = serde_json::from_str(&read_text(&config_path)?)
            .map_err(|err| Error::format(&config_path, "GPT-2 configuration", err))?;
        let cfg = hf.to_config(&config_path)?;
        cfg.validate()?;
        let mut weights = BTreeMap::new();
        for file in weight_files(dir)? {
            for (name, value) in io::read(&file)?.0 {
                let name = name
                    .strip_prefix("transformer.")
                    .unwrap_or(&name)
                    .to_owned();
                weights.insert(name, value);
            }
        }
        Transformer::from_parameters(&cfg, &translate(&cfg, &weights)?)
    }
}

/// Parameters of ours out of theirs.
fn translate(
    cfg: &TransformerConfig,
    weights: &BTreeMap<String, Tensor>,
) -> Result<BTreeMap<String, Tensor>> {
    let d = cfg.d_model;
    let take = |name: &str, shape: &[usize]| take(weights, name, shape);
    let mut params = BTreeMap::new();
    let mut put = |name: &str, value: Tensor| params.insert(name.to_owned(), value);
    put("embed.W_E", take("wte.weight", &[cfg.d_vocab, d])?);
    put("pos_embed.W_pos", take("wpe.weight", &[cfg.n_ctx, d])?);
    put("ln_final.w", take("ln_f.weight", &[d])?);
    put("ln_final.b", take("ln_f.bias", &[d])?);
    if !cfg.tied_unembed {
        // A torch Linear: [d_vocab, d_model].
        let head = take("lm_head.weight", &[cfg.d_vocab, d])?;
        put("unembed.W_U", head.t()?);
    }
    let no_bias = Tensor::zeros(cfg.d_vocab, DType::F32, &Device::Cpu)?;
    put("unembed.b_U", no_bias);
    for layer in 0..cfg.n_layers {
        for (name, value) in translate_block(cfg, weights, layer)? {
            params.insert(format!("blocks.{layer}.{name}"), value);
        }
    }
    Ok(params)
}

/// The parameters of one block, by their names within it.
fn translate_block(
    cfg: &TransformerConfig,
    weights: &BTreeMap<String, Tensor>,
    layer: usize,
) -> Result<Vec<(String, Tensor)>> {
    let (d, h, d_head) = (cfg.d_model, cfg.n_heads, cfg.d_head());
    let take = |name: &str, shape: &[usize]| take(weights, &format!("h.{layer}.{name}"), shape);
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

/// One of their tensors in f32, of the shape that the configuration gives it.
fn take(weights: &BTreeMap<String, Tensor>, name: &str, shape: &[usize]) -> Result<Tensor> {
    let value = weights.get(name).ok_or_else(|| Error::NotFound {
        kind: "parameter",
        name: name.to_owned(),
        known: weights.keys().cloned().collect(),
    })?;
    if value.dims() != shape {
        return Err(Error::shape(name, shape, value.dims()));
    }
    Ok(value.to_dtype(DType::F32)?)
}
