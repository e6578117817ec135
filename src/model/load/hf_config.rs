//! The fields of Hugging Face's `config.json` of GPT-2.
//!
//! Source: transformers' `GPT2Config` and `PretrainedConfig`, versions 2 to 5.

use crate::config::{Activation, TransformerConfig};
use crate::error::{Error, Result};
use crate::known_fields::{KnownFields, Only, Plain, shortened};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const FORMAT: &str = "GPT-2 configuration";
/// A switch that is off.
const OFF: &[Plain] = &[Plain::Null, Plain::False];

pub(super) const FIELDS: KnownFields = KnownFields {
    format: FORMAT,
    applied: &[
        "activation_function",
        "initializer_range",
        "layer_norm_epsilon",
        "model_type",
        "n_ctx",
        "n_embd",
        "n_head",
        "n_inner",
        "n_layer",
        "n_positions",
        "scale_attn_weights",
        "tie_word_embeddings",
        "vocab_size",
    ],
    inert: &[
        // What class reads it, where it came from, what its output is called.
        "_commit_hash",
        "_name_or_path",
        "_num_labels",
        "architectures",
        "finetuning_task",
        "id2label",
        "label2id",
        "n_special",
        "num_labels",
        "predict_special_tokens",
        "problem_type",
        "task_specific_params",
        "tokenizer_class",
        "transformers_version",
        // Training.
        "attn_pdrop",
        "embd_pdrop",
        "gradient_checkpointing",
        "resid_pdrop",
        // The head of another model than the language model.
        "summary_activation",
        "summary_first_dropout",
        "summary_proj_to_labels",
        "summary_type",
        "summary_use_proj",
        // How it is computed, not what.
        "_attn_implementation",
        "_attn_implementation_autoset",
        "_attn_implementation_internal",
        "attn_implementation",
        "chunk_size_feed_forward",
        "dtype",
        "is_decoder",
        "reorder_and_upcast_attn",
        "tf_legacy_loss",
        "torch_dtype",
        "torchscript",
        "use_bfloat16",
        "use_cache",
        // What a call returns beside the logits.
        "output_attentions",
        "output_hidden_states",
        "output_past",
        "output_scores",
        "return_dict",
        "return_dict_in_generate",
        // Special tokens, and defaults of generation.
        "bad_words_ids",
        "begin_suppress_tokens",
        "bos_token_id",
        "decoder_start_token_id",
        "diversity_penalty",
        "do_sample",
        "early_stopping",
        "encoder_no_repeat_ngram_size",
        "eos_token_id",
        "exponential_decay_length_penalty",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "length_penalty",
        "max_length",
        "min_length",
        "no_repeat_ngram_size",
        "num_beam_groups",
        "num_beams",
        "num_return_sequences",
        "pad_token_id",
        "prefix",
        "remove_invalid_values",
        "repetition_penalty",
        "sep_token_id",
        "suppress_tokens",
        "temperature",
        "top_k",
        "top_p",
        "typical_p",
    ],
    only: ONLY,
};

/// The last one is GPT-2's own.
const ONLY: &[Only] = &[
    Only::new("add_cross_attention", OFF, "attention to an encoder"),
    Only::new(
        "cross_attention_hidden_size",
        &[Plain::Null],
        "attention to an encoder",
    ),
    Only::new("is_encoder_decoder", OFF, "an encoder"),
    Only::new("pruned_heads", &[Plain::Null, Plain::Empty], "pruned heads"),
    Only::new("quantization_config", &[Plain::Null], "quantised weights"),
    Only::new("tie_encoder_decoder", OFF, "an encoder"),
    Only::new(
        "scale_attn_by_inverse_layer_idx",
        OFF,
        "scores divided by the layer's number",
    ),
];

/// What transformers' configurations of every class have, and no model of ours.
pub(super) const ONLY_OF_ANY_CLASS: &[Only] = match ONLY.split_last() {
    Some((_, of_any_class)) => of_any_class,
    None => ONLY,
};

/// The fields that are applied, with GPT-2's defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct HfConfig {
    model_type: String,
    activation_function: String,
    n_embd: usize,
    n_head: usize,
    n_layer: usize,
    n_positions: usize,
    n_ctx: Option<usize>,
    n_inner: Option<usize>,
    vocab_size: usize,
    layer_norm_epsilon: f64,
    tie_word_embeddings: bool,
    scale_attn_weights: bool,
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
            n_ctx: None,
            n_inner: None,
            vocab_size: 50_257,
            layer_norm_epsilon: 1e-5,
            tie_word_embeddings: true,
            scale_attn_weights: true,
            initializer_range: 0.02,
        }
    }
}

/// The configuration of the model that such a file describes.
///
/// # Errors
/// [`Error::Format`] naming the first field that is unknown, of a wrong type or asks for something
/// that this model does not do.
pub(super) fn to_config(json: &Value, path: &Path) -> Result<TransformerConfig> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    let Value::Object(fields) = json else {
        return Err(bad("it is no JSON object".to_owned()));
    };
    // Another model's fields are other ones: that it is another model comes first.
    if let Some(other) = fields.get("model_type")
        && other != "gpt2"
    {
        return Err(bad(format!("model_type is {other}, not \"gpt2\"")));
    }
    FIELDS.check(fields, path)?;
    let hf = HfConfig::deserialize(json).map_err(|err| bad(named::<HfConfig>(fields, &err)))?;
    if !hf.scale_attn_weights {
        return Err(bad(
            "scale_attn_weights is false: attention that is not scaled is not supported".to_owned(),
        ));
    }
    if let Some(n_ctx) = hf.n_ctx
        && n_ctx != hf.n_positions
    {
        let n_positions = hf.n_positions;
        return Err(bad(format!(
            "n_ctx is {n_ctx}, but n_positions is {n_positions}: they must agree"
        )));
    }
    let Some(act_fn) = activation(&hf.activation_function) else {
        return Err(bad(format!(
            "activation_function {:?} is not supported; supported are {ACTIVATIONS}",
            hf.activation_function
        )));
    };
    // Whatever the MLP is: queries, keys and values are three widths.
    let Some(four_widths) = hf.n_embd.checked_mul(4) else {
        return Err(bad(format!("n_embd is {}, which is too large", hf.n_embd)));
    };
    Ok(TransformerConfig {
        n_layers: hf.n_layer,
        d_model: hf.n_embd,
        n_heads: hf.n_head,
        d_mlp: hf.n_inner.unwrap_or(four_widths),
        n_ctx: hf.n_positions,
        d_vocab: hf.vocab_size,
        act_fn,
        eps: hf.layer_norm_epsilon,
        tied_unembed: hf.tie_word_embeddings,
        init_std: hf.initializer_range,
        ..TransformerConfig::default()
    })
}

/// The names that [`activation`] knows.
pub(super) const ACTIVATIONS: &str =
    "gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, silu and swish";

/// The nonlinearity that transformers' `ACT2FN` has under this name.
pub(super) fn activation(name: &str) -> Option<Activation> {
    match name {
        "gelu" => Some(Activation::Gelu),
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Some(Activation::GeluNew),
        "relu" => Some(Activation::Relu),
        "silu" | "swish" => Some(Activation::Silu),
        _ => None,
    }
}

/// An error of reading the fields as `C`, with the field that it is about.
pub(super) fn named<C: DeserializeOwned>(
    fields: &Map<String, Value>,
    err: &serde_json::Error,
) -> String {
    let wrong = fields.iter().find(|(name, value)| {
        let alone = Map::from_iter([((*name).clone(), (*value).clone())]);
        C::deserialize(Value::Object(alone)).is_err()
    });
    match wrong {
        Some((name, value)) => format!("{name} is {}: {err}", shortened(value)),
        None => err.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::init::parameter_shapes;
    use super::*;

    /// The fields of openai-community/gpt2's `config.json`, and those that transformers 5.23 writes.
    const OF_GPT2: &str = "activation_function architectures attn_pdrop bos_token_id embd_pdrop \
        eos_token_id initializer_range layer_norm_epsilon model_type n_ctx n_embd n_head n_layer \
        n_positions resid_pdrop summary_activation summary_first_dropout summary_proj_to_labels \
        summary_type summary_use_proj task_specific_params vocab_size \
        add_cross_attention dtype n_inner pad_token_id reorder_and_upcast_attn \
        scale_attn_by_inverse_layer_idx scale_attn_weights tie_word_embeddings transformers_version \
        use_cache torch_dtype";

    /// What tells the sizes of GPT-2 apart, with the number of parameters of `GPT2LMHeadModel`, as
    /// `sum(p.numel() for p in model.parameters())` counts them. Ours has a bias of the unembedding
    /// beside them.
    #[test]
    fn every_size_of_gpt2_has_as_many_parameters_as_the_peers_model() {
        for (n_embd, n_layer, n_head, n_params) in [
            (768, 12, 12, 124_439_808),
            (1_024, 24, 16, 354_823_168),
            (1_280, 36, 20, 774_030_080),
            (1_600, 48, 25, 1_557_611_200),
        ] {
            let json = serde_json::json!({
                "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"],
                "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1, "eos_token_id": 50256,
                "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2",
                "n_ctx": 1024, "n_embd": n_embd, "n_head": n_head, "n_layer": n_layer,
                "n_positions": 1024, "n_special": 0, "output_past": true,
                "predict_special_tokens": true, "resid_pdrop": 0.1, "summary_activation": null,
                "summary_first_dropout": 0.1, "summary_proj_to_labels": true,
                "summary_type": "cls_index", "summary_use_proj": true,
                "task_specific_params": { "text-generation": { "do_sample": true } },
                "vocab_size": 50257
            });
            let cfg = to_config(&json, Path::new("config.json")).unwrap();
            cfg.validate().unwrap();
            assert_eq!((cfg.d_head(), cfg.d_mlp), (64, 4 * n_embd));
            let sizes = parameter_shapes(&cfg).into_iter().map(|(_, shape)| shape);
            let found: usize = sizes.map(|shape| shape.iter().product::<usize>()).sum();
            assert_eq!(found - 50_257, n_params, "n_embd {n_embd}");
        }
    }

    #[test]
    fn every_field_of_gpt2_is_in_exactly_one_list() {
        FIELDS.assert_disjoint();
        let all = FIELDS.all();
        for field in OF_GPT2.split_whitespace() {
            assert!(all.contains(&field), "{field}");
        }
    }
}
