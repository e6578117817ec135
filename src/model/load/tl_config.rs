//! The fields of TransformerLens' `config.json`.
//!
//! Source: `HookedTransformerConfig` of TransformerLens 1.0 to 4.3, with the fields that its
//! `TransformerLensConfig` and `TransformerBridgeConfig` add.

use crate::config::{Activation, Normalization, PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use crate::known_fields::{KnownFields, Only, Plain, shortened};
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const FORMAT: &str = "TransformerLens configuration";
/// A switch that is off.
const OFF: &[Plain] = &[Plain::Null, Plain::False];
/// A number, or what may stand for one, that is not set; TransformerLens writes -1, too.
const NUMBER_OFF: &[Plain] = &[Plain::Null, Plain::NotPositive];

pub(super) const FIELDS: KnownFields = KnownFields {
    format: FORMAT,
    applied: &[
        "act_fn",
        "attn_only",
        "attn_scale",
        "d_head",
        "d_mlp",
        "d_model",
        "d_vocab",
        "d_vocab_out",
        "eps",
        "initializer_range",
        "n_ctx",
        "n_heads",
        "n_key_value_heads",
        "n_layers",
        "normalization_type",
        "parallel_attn_mlp",
        "positional_embedding_type",
        "rotary_adjacent_pairs",
        "rotary_base",
        "rotary_dim",
        "rotary_interleaved_cos_sin",
        "rotary_scaling_factor",
        "seed",
        "tie_word_embeddings",
        "use_NTK_by_parts_rope",
        "use_dynamic_ntk_rope",
        "use_yarn_rope",
    ],
    inert: &[
        // How it was made, where it came from, how text becomes tokens.
        "architecture",
        "checkpoint_index",
        "checkpoint_label_type",
        "checkpoint_value",
        "decoder_start_token_id",
        "default_padding_side",
        "default_prepend_bos",
        "from_checkpoint",
        "init_mode",
        "init_weights",
        "model_name",
        "n_params",
        "original_architecture",
        "tokenizer_appends_eos",
        "tokenizer_name",
        "tokenizer_prepends_bos",
        "trust_remote_code",
        // Where and in what precision it runs; which hook points there are.
        "attn_implementation",
        "device",
        "dtype",
        "n_devices",
        "split_attention_weights",
        "ungroup_grouped_query_attention",
        "use_attn_in",
        "use_attn_result",
        "use_hook_mlp_in",
        "use_hook_tokens",
        "use_split_qkv_input",
        // Whether norms' weights have been folded: which ones there are is `normalization_type`.
        "layer_norm_folding",
        // Details of scaled rotary angles, of local attention, of attention scaled by the length and
        // of experts, all of which are refused below.
        "NTK_by_parts_factor",
        "NTK_by_parts_high_freq_factor",
        "NTK_by_parts_low_freq_factor",
        "NTK_original_ctx_len",
        "attn_types",
        "norm_topk_prob",
        "qk_norm_after_rope",
        "relative_attention_max_distance",
        "relative_attention_num_buckets",
        "rotary_base_local",
        "train_seq_length",
        "window_size",
        "yarn_attention_factor",
        "yarn_beta_fast",
        "yarn_beta_slow",
        "yarn_factor",
        "yarn_global_attn_only",
        "yarn_original_max_position_embeddings",
        "yarn_truncate",
        // Losses that the fixtures of this library's tests note beside the configuration.
        "expected_loss",
        "expected_loss_mean_ablation",
        "expected_loss_zero_ablation",
    ],
    only: &[
        Only::new("attention_dir", &[Plain::Text("causal")], "another mask"),
        Only::new(
            "attn_scores_soft_cap",
            NUMBER_OFF,
            "a cap on attention scores",
        ),
        Only::new(
            "clip_qkv",
            &[Plain::Null],
            "clipped queries, keys and values",
        ),
        Only::new("experts_per_token", NUMBER_OFF, "a mixture of experts"),
        Only::new("final_rms", OFF, "RMSNorm before the unembedding"),
        Only::new("gated_mlp", OFF, "a gated MLP"),
        Only::new("is_audio_model", OFF, "an audio model"),
        Only::new("is_multimodal", OFF, "a multimodal model"),
        Only::new("is_stateful", OFF, "a model with state"),
        Only::new("is_visual_model", OFF, "a vision model"),
        Only::new("load_in_4bit", OFF, "quantised weights"),
        Only::new("mm_tokens_per_image", NUMBER_OFF, "a multimodal model"),
        Only::new("num_experts", NUMBER_OFF, "a mixture of experts"),
        Only::new("output_logits_soft_cap", NUMBER_OFF, "a cap on the logits"),
        Only::new("per_layer_head_dim", NUMBER_OFF, "heads of several widths"),
        Only::new(
            "per_layer_num_key_value_heads",
            NUMBER_OFF,
            "grouped keys and values",
        ),
        Only::new("post_embedding_ln", OFF, "a norm after the embedding"),
        Only::new("quantization_method", NUMBER_OFF, "quantised weights"),
        Only::new("rmsnorm_uses_offset", OFF, "RMSNorm"),
        Only::new(
            "scale_attn_by_inverse_layer_idx",
            OFF,
            "scores divided by the layer's number",
        ),
        Only::new("scale_embedding", OFF, "a scaled embedding"),
        Only::new("use_attention_sinks", OFF, "attention sinks"),
        Only::new(
            "use_attn_scale",
            &[Plain::True],
            "attention that is not scaled",
        ),
        Only::new("use_local_attn", OFF, "local attention"),
        Only::new("use_logn_attn", OFF, "attention scaled by the length"),
        Only::new(
            "use_normalization_before_and_after",
            OFF,
            "norms after each part",
        ),
        Only::new("use_qk_norm", OFF, "normalised queries and keys"),
        Only::new("uses_rms_norm", OFF, "RMSNorm"),
        Only::new("vision_hidden_size", NUMBER_OFF, "a vision model"),
        Only::new("vision_num_heads", NUMBER_OFF, "a vision model"),
        Only::new("vision_num_layers", NUMBER_OFF, "a vision model"),
    ],
};

/// The configuration of the model that such a file describes.
///
/// # Errors
/// [`Error::Format`] naming the first field that is unknown, of a wrong type or asks for something
/// that this model does not do.
pub(super) fn to_config(json: &Value, path: &Path) -> Result<TransformerConfig> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    let Value::Object(json) = json else {
        return Err(bad("it is no JSON object".to_owned()));
    };
    FIELDS.check(json, path)?;
    read_config(&Fields(json)).map_err(bad)
}

/// Fields whose reading fails with a reason.
struct Fields<'a>(&'a Map<String, Value>);

type Reason = String;

impl Fields<'_> {
    /// The field's value, if it is there and not null, as `read` understands it.
    fn optional<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>, Reason> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| {
                let value = shortened(value);
                format!("{name} is {value}, expected {expected}")
            }),
        }
    }

    /// A number of things; none where the field is absent, null or, as TransformerLens writes it, -1.
    fn count(&self, name: &str) -> Result<Option<usize>, Reason> {
        let n = self.optional(name, "a whole number", Value::as_i64)?;
        match n {
            None | Some(-1) => Ok(None),
            Some(n) => match usize::try_from(n) {
                Ok(n) => Ok(Some(n)),
                Err(_) => Err(format!("{name} is {n}, expected a whole number")),
            },
        }
    }

    fn needed(&self, name: &str) -> Result<usize, Reason> {
        self.count(name)?
            .ok_or_else(|| format!("there is no {name}"))
    }

    fn number(&self, name: &str) -> Result<Option<f64>, Reason> {
        self.optional(name, "a number", Value::as_f64)
    }

    fn switch(&self, name: &str) -> Result<bool, Reason> {
        let on = self.optional(name, "true or false", Value::as_bool)?;
        Ok(on.unwrap_or(false))
    }

    fn text(&self, name: &str) -> Result<Option<String>, Reason> {
        let read = |value: &Value| value.as_str().map(str::to_owned);
        self.optional(name, "a text", read)
    }
}

fn read_config(json: &Fields) -> Result<TransformerConfig, Reason> {
    let attn_only = json.switch("attn_only")?;
    let d_model = json.needed("d_model")?;
    let n_heads = match (json.count("n_heads")?, json.count("d_head")?) {
        (Some(n_heads), _) => n_heads,
        (None, Some(d_head)) => d_model.checked_div(d_head).unwrap_or(0),
        (None, None) => return Err("there is neither n_heads nor d_head".to_owned()),
    };
    let rotary = rotary(json)?;
    let cfg = TransformerConfig {
        n_layers: json.needed("n_layers")?,
        d_model,
        n_heads,
        d_mlp: match json.count("d_mlp")? {
            _ if attn_only => 0,
            Some(d_mlp) => d_mlp,
            None => d_model
                .checked_mul(4)
                .ok_or("d_model is too large for a d_mlp of four times as much")?,
        },
        n_ctx: json.needed("n_ctx")?,
        d_vocab: json.needed("d_vocab")?,
        act_fn: activation(json, attn_only)?,
        attn_only,
        normalization_type: normalization(json)?,
        positional_embedding_type: match rotary {
            true => PositionalEmbedding::Rotary,
            false => PositionalEmbedding::Standard,
        },
        // What a model with learned positions says of rotary ones changes nothing.
        rotary_dim: json.count("rotary_dim")?.filter(|_| rotary),
        rotary_base: match json.number("rotary_base")? {
            Some(base) if rotary => base,
            _ => 10_000.0,
        },
        parallel_attn_mlp: json.switch("parallel_attn_mlp")?,
        eps: json.number("eps")?.unwrap_or(1e-5),
        tied_unembed: json.switch("tie_word_embeddings")?,
        init_std: json.number("initializer_range")?.unwrap_or(0.02).max(0.0),
        seed: json
            .optional("seed", "a whole number", Value::as_u64)?
            .unwrap_or(0),
        ..TransformerConfig::default()
    };
    check_widths(json, &cfg)?;
    Ok(cfg)
}

fn activation(json: &Fields, attn_only: bool) -> Result<Activation, Reason> {
    match json.text("act_fn")?.as_deref() {
        _ if attn_only => Ok(Activation::default()),
        Some("gelu") => Ok(Activation::Gelu),
        Some("gelu_new" | "gelu_fast" | "gelu_pytorch_tanh") => Ok(Activation::GeluNew),
        Some("relu") => Ok(Activation::Relu),
        Some("silu") => Ok(Activation::Silu),
        Some("solu") => Ok(Activation::Solu),
        Some("solu_ln") => Ok(Activation::SoluLn),
        other => Err(format!(
            "act_fn is {other:?}, which is not supported; supported are gelu, gelu_new, gelu_fast, \
             gelu_pytorch_tanh, relu, silu, solu and solu_ln"
        )),
    }
}

fn normalization(json: &Fields) -> Result<Normalization, Reason> {
    if json.0.get("normalization_type") == Some(&Value::Null) {
        return Ok(Normalization::None);
    }
    match json.text("normalization_type")?.as_deref() {
        Some("LN") | None => Ok(Normalization::Ln),
        Some("LNPre") => Ok(Normalization::LnPre),
        Some(other) => Err(format!(
            "normalization_type is {other:?}, which is not supported; supported are \"LN\", \"LNPre\" \
             and null"
        )),
    }
}

/// Whether positions are rotary, and nothing about the rotation is other than here.
fn rotary(json: &Fields) -> Result<bool, Reason> {
    if json.0.get("positional_embedding_type") == Some(&Value::Null) {
        return Err("positional_embedding_type is null, expected a text".to_owned());
    }
    match json.text("positional_embedding_type")?.as_deref() {
        Some("standard") | None => return Ok(false),
        Some("rotary") => {}
        Some(other) => {
            return Err(format!(
                "positional_embedding_type is {other:?}, which is not supported; supported are \
                 \"standard\" and \"rotary\""
            ));
        }
    }
    for (field, what) in [
        ("rotary_adjacent_pairs", "rotated neighbours (GPT-J)"),
        ("rotary_interleaved_cos_sin", "interleaved angles"),
        ("use_NTK_by_parts_rope", "scaled angles"),
        ("use_dynamic_ntk_rope", "scaled angles"),
        ("use_yarn_rope", "scaled angles"),
    ] {
        if json.switch(field)? {
            return Err(format!("{field} is true: {what}, which is not supported"));
        }
    }
    match json.number("rotary_scaling_factor")? {
        Some(factor) if factor != 1.0 => Err(format!(
            "rotary_scaling_factor is {factor}: scaled angles, which is not supported"
        )),
        _ => Ok(true),
    }
}

fn check_widths(json: &Fields, cfg: &TransformerConfig) -> Result<(), Reason> {
    let (n_heads, d_model) = (cfg.n_heads, cfg.d_model);
    if let Some(d_head) = json.count("d_head")?
        && d_head.checked_mul(n_heads) != Some(d_model)
    {
        return Err(format!(
            "n_heads * d_head is {n_heads} * {d_head}, expected d_model = {d_model}"
        ));
    }
    if let Some(out) = json.count("d_vocab_out")?
        && out != cfg.d_vocab
    {
        return Err(format!(
            "d_vocab_out is {out}, only d_vocab = {} is supported",
            cfg.d_vocab
        ));
    }
    if let Some(kv) = json.count("n_key_value_heads")?
        && kv != n_heads
    {
        return Err(format!(
            "n_key_value_heads is {kv}, with {n_heads} heads: grouped keys and values are not supported"
        ));
    }
    let ours = (cfg.d_head() as f64).sqrt();
    match json.number("attn_scale")? {
        // TransformerLens puts its own in the place of -1.
        Some(scale) if scale != -1.0 && (scale - ours).abs() > 1e-6 => Err(format!(
            "attn_scale is {scale}, only sqrt(d_head) = {ours} is supported"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
