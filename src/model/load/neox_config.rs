//! The fields of Hugging Face's `config.json` of GPT-NeoX, of which Pythia is one.
//!
//! Source: transformers' `GPTNeoXConfig`, versions 4 and 5, and `modeling_gpt_neox.py`.

use super::hf_config::{self, activation, named};
use crate::config::{PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use crate::known_fields::{KnownFields, shortened};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

pub(super) const FORMAT: &str = "GPT-NeoX configuration";
/// Share of a head that is rotated, and base of the angles, where the file says nothing.
const ROTARY_PCT: f64 = 0.25;
const ROTARY_BASE: f64 = 10_000.0;

pub(super) const FIELDS: KnownFields = KnownFields {
    format: FORMAT,
    applied: &[
        "attention_bias",
        "hidden_act",
        "hidden_size",
        "initializer_range",
        "intermediate_size",
        "layer_norm_eps",
        "max_position_embeddings",
        "model_type",
        "num_attention_heads",
        "num_hidden_layers",
        "partial_rotary_factor",
        "rope_parameters",
        "rope_scaling",
        "rope_theta",
        "rotary_emb_base",
        "rotary_pct",
        "tie_word_embeddings",
        "use_parallel_residual",
        "vocab_size",
    ],
    // Training; what every class of transformers leaves aside is in the list of GPT-2.
    inert: &[
        "attention_dropout",
        "attention_probs_dropout_prob",
        "classifier_dropout",
        "hidden_dropout",
        "hidden_dropout_prob",
    ],
    only: hf_config::ONLY_OF_ANY_CLASS,
};

/// The fields that are applied, with GPT-NeoX' defaults.
#[derive(Debug, Deserialize)]
#[serde(default)]
struct HfConfig {
    attention_bias: bool,
    hidden_act: String,
    hidden_size: usize,
    initializer_range: f64,
    intermediate_size: usize,
    layer_norm_eps: f64,
    max_position_embeddings: usize,
    num_attention_heads: usize,
    num_hidden_layers: usize,
    partial_rotary_factor: Option<f64>,
    rope_parameters: Option<Map<String, Value>>,
    rope_scaling: Option<Map<String, Value>>,
    rope_theta: Option<f64>,
    rotary_emb_base: Option<f64>,
    rotary_pct: Option<f64>,
    tie_word_embeddings: bool,
    use_parallel_residual: bool,
    vocab_size: usize,
}

impl Default for HfConfig {
    fn default() -> Self {
        Self {
            attention_bias: true,
            hidden_act: "gelu".to_owned(),
            hidden_size: 6_144,
            initializer_range: 0.02,
            intermediate_size: 24_576,
            layer_norm_eps: 1e-5,
            max_position_embeddings: 2_048,
            num_attention_heads: 64,
            num_hidden_layers: 44,
            partial_rotary_factor: None,
            rope_parameters: None,
            rope_scaling: None,
            rope_theta: None,
            rotary_emb_base: None,
            rotary_pct: None,
            tie_word_embeddings: false,
            use_parallel_residual: true,
            vocab_size: 50_432,
        }
    }
}

/// The model that such a file describes, and whether its attention has biases: without them ours
/// are 0.
///
/// # Errors
/// [`Error::Format`] naming the first field that is unknown, of a wrong type or asks for something
/// that this model does not do.
pub(super) fn to_config(json: &Value, path: &Path) -> Result<(TransformerConfig, bool)> {
    let bad = |reason: String| Error::format(path, FORMAT, reason);
    let Value::Object(fields) = json else {
        return Err(bad("it is no JSON object".to_owned()));
    };
    // Another model's fields are other ones: that it is another model comes first.
    if let Some(other) = fields.get("model_type")
        && other != "gpt_neox"
    {
        return Err(bad(format!("model_type is {other}, not \"gpt_neox\"")));
    }
    let of_any_class = |name: &String| hf_config::FIELDS.inert.contains(&name.as_str());
    let own: Map<String, Value> = fields
        .iter()
        .filter(|(name, _)| !of_any_class(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    FIELDS.check(&own, path)?;
    let hf = HfConfig::deserialize(json).map_err(|err| bad(named::<HfConfig>(fields, &err)))?;
    let attention_bias = hf.attention_bias;
    Ok((read(hf).map_err(bad)?, attention_bias))
}

fn read(hf: HfConfig) -> Result<TransformerConfig, String> {
    let Some(act_fn) = activation(&hf.hidden_act) else {
        return Err(format!(
            "hidden_act {:?} is not supported; supported are {}",
            hf.hidden_act,
            hf_config::ACTIVATIONS
        ));
    };
    // Queries, keys and values are three widths.
    if hf.hidden_size.checked_mul(4).is_none() {
        let size = hf.hidden_size;
        return Err(format!("hidden_size is {size}, which is too large"));
    }
    let (rotary_base, share) = rotation(&hf)?;
    let d_head = hf
        .hidden_size
        .checked_div(hf.num_attention_heads)
        .unwrap_or(0);
    let rotary_dim = (d_head as f64 * share) as usize;
    if rotary_dim < 2 || !rotary_dim.is_multiple_of(2) || rotary_dim > d_head {
        return Err(format!(
            "rotary_pct is {share}, which rotates {rotary_dim} of the {d_head} dimensions of a head; \
             supported are even numbers from 2 on"
        ));
    }
    Ok(TransformerConfig {
        n_layers: hf.num_hidden_layers,
        d_model: hf.hidden_size,
        n_heads: hf.num_attention_heads,
        d_mlp: hf.intermediate_size,
        n_ctx: hf.max_position_embeddings,
        d_vocab: hf.vocab_size,
        act_fn,
        positional_embedding_type: PositionalEmbedding::Rotary,
        rotary_dim: Some(rotary_dim),
        rotary_base,
        parallel_attn_mlp: hf.use_parallel_residual,
        eps: hf.layer_norm_eps,
        tied_unembed: hf.tie_word_embeddings,
        init_std: hf.initializer_range,
        ..TransformerConfig::default()
    })
}

/// The base of the angles and the share of a head that is rotated, which versions of transformers
/// write under several names.
fn rotation(hf: &HfConfig) -> Result<(f64, f64), String> {
    let (mut bases, mut shares) = (Vec::new(), Vec::new());
    let dictionaries = [
        ("rope_parameters", &hf.rope_parameters),
        ("rope_scaling", &hf.rope_scaling),
    ];
    for (field, dictionary) in dictionaries {
        for (key, value) in dictionary.iter().flatten() {
            let name = format!("{field}.{key}");
            let shown = shortened(value);
            match (key.as_str(), value.as_f64()) {
                _ if value.is_null() => {}
                ("rope_theta", Some(base)) => bases.push((name, base)),
                ("partial_rotary_factor", Some(share)) => shares.push((name, share)),
                ("rope_type" | "type", _) if value == "default" => {}
                ("rope_type" | "type", _) => {
                    return Err(format!(
                        "{name} is {shown}: scaled angles are not supported"
                    ));
                }
                _ => return Err(format!("{name} is {shown}, which is not supported")),
            }
        }
    }
    let add = |to: &mut Vec<_>, name: &str, value: Option<f64>| {
        to.extend(value.map(|value| (name.to_owned(), value)));
    };
    add(&mut bases, "rotary_emb_base", hf.rotary_emb_base);
    add(&mut bases, "rope_theta", hf.rope_theta);
    add(&mut shares, "rotary_pct", hf.rotary_pct);
    add(
        &mut shares,
        "partial_rotary_factor",
        hf.partial_rotary_factor,
    );
    Ok((
        the_one(&bases)?.unwrap_or(ROTARY_BASE),
        the_one(&shares)?.unwrap_or(ROTARY_PCT),
    ))
}

/// The value that all of these have.
fn the_one(values: &[(String, f64)]) -> Result<Option<f64>, String> {
    let Some((first, value)) = values.first() else {
        return Ok(None);
    };
    match values.iter().find(|(_, other)| other != value) {
        None => Ok(Some(*value)),
        Some((second, other)) => Err(format!(
            "{first} is {value}, but {second} is {other}: they mean the same and must agree"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::init::parameter_shapes;
    use super::*;
    use serde_json::json;

    /// The fields of EleutherAI/pythia-70m's and EleutherAI/gpt-neox-20b's `config.json`, and those
    /// that transformers 4.40 to 5 write.
    const OF_GPT_NEOX: &str = "architectures bos_token_id classifier_dropout eos_token_id hidden_act \
        hidden_size initializer_range intermediate_size layer_norm_eps max_position_embeddings \
        model_type num_attention_heads num_hidden_layers rotary_emb_base rotary_pct \
        tie_word_embeddings torch_dtype transformers_version use_cache use_parallel_residual \
        vocab_size attention_bias attention_dropout hidden_dropout rope_scaling rope_theta \
        partial_rotary_factor rope_parameters attention_probs_dropout_prob hidden_dropout_prob dtype \
        pad_token_id is_decoder _name_or_path";

    fn checked(fields: Value) -> Result<(TransformerConfig, bool)> {
        to_config(&fields, Path::new("config.json"))
    }

    #[test]
    fn every_field_of_gpt_neox_is_in_exactly_one_list() {
        FIELDS.assert_disjoint();
        let own = FIELDS.all();
        for field in OF_GPT_NEOX.split_whitespace() {
            let general = hf_config::FIELDS.inert.contains(&field);
            assert!(own.contains(&field) != general, "{field}");
        }
    }

    /// Hidden size, layers, heads and vocabulary, and the number of parameters, in all and without
    /// embeddings: table 1 of Biderman et al. 2023, arXiv:2304.01373, and the README of Pythia. The
    /// paper counts neither a bias of the unembedding, which ours has (it is 0), nor buffers.
    const PYTHIA: [(usize, usize, usize, usize, usize, usize); 8] = [
        (512, 6, 8, 50_304, 70_426_624, 18_915_328),
        (768, 12, 12, 50_304, 162_322_944, 85_056_000),
        (1_024, 24, 16, 50_304, 405_334_016, 302_311_424),
        (2_048, 16, 8, 50_304, 1_011_781_632, 805_736_448),
        (2_048, 24, 16, 50_304, 1_414_647_808, 1_208_602_624),
        (2_560, 32, 32, 50_304, 2_775_208_960, 2_517_652_480),
        (4_096, 32, 32, 50_432, 6_857_302_016, 6_444_163_072),
        (5_120, 36, 40, 50_688, 11_846_072_320, 11_327_027_200),
    ];

    #[test]
    fn every_pythia_has_as_many_parameters_as_the_paper_says() {
        for (hidden, layers, heads, vocabulary, all, without_embeddings) in PYTHIA {
            let (cfg, attention_bias) = checked(json!({
                "architectures": ["GPTNeoXForCausalLM"], "bos_token_id": 0, "eos_token_id": 0,
                "hidden_act": "gelu", "hidden_size": hidden, "initializer_range": 0.02,
                "intermediate_size": 4 * hidden, "layer_norm_eps": 1e-05,
                "max_position_embeddings": 2048, "model_type": "gpt_neox",
                "num_attention_heads": heads, "num_hidden_layers": layers, "rotary_emb_base": 10000,
                "rotary_pct": 0.25, "tie_word_embeddings": false, "torch_dtype": "float16",
                "transformers_version": "4.24.0", "use_cache": true, "use_parallel_residual": true,
                "vocab_size": vocabulary
            }))
            .unwrap();
            cfg.validate().unwrap();
            assert!(attention_bias && cfg.parallel_attn_mlp && !cfg.tied_unembed);
            assert_eq!(cfg.n_rotated(), hidden / heads / 4);
            let size = |name: &str, shape: &[usize]| match name {
                "unembed.b_U" => 0,
                _ => shape.iter().product::<usize>(),
            };
            let shapes = parameter_shapes(&cfg);
            let found: usize = shapes.iter().map(|(name, shape)| size(name, shape)).sum();
            assert_eq!(found, all, "hidden size {hidden}");
            assert_eq!(found - 2 * vocabulary * hidden, without_embeddings);
        }
    }

    #[test]
    fn names_of_several_versions_mean_the_same() {
        let base = json!({ "hidden_size": 64, "num_attention_heads": 4 });
        let with = |more: Value| {
            let mut fields = base.as_object().unwrap().clone();
            fields.extend(more.as_object().unwrap().clone());
            checked(Value::Object(fields))
        };
        let rotation = |more: Value| {
            let (cfg, _) = with(more).unwrap();
            (cfg.rotary_dim, cfg.rotary_base)
        };
        assert_eq!(rotation(json!({})), (Some(4), 1e4));
        for more in [
            json!({ "rotary_pct": 0.5, "rotary_emb_base": 500, "rope_scaling": null }),
            json!({ "partial_rotary_factor": 0.5, "rope_theta": 500.0 }),
            json!({ "rotary_pct": 0.5, "partial_rotary_factor": 0.5, "rope_theta": 500,
                    "rotary_emb_base": 500 }),
            json!({ "rope_parameters": { "rope_theta": 500.0, "rope_type": "default",
                                         "partial_rotary_factor": 0.5 } }),
        ] {
            assert_eq!(rotation(more), (Some(8), 500.0));
        }
        for (more, part) in [
            (
                json!({ "rotary_pct": 0.5, "partial_rotary_factor": 0.25 }),
                "rotary_pct is 0.5",
            ),
            (
                json!({ "rope_theta": 1, "rotary_emb_base": 2 }),
                "rotary_emb_base",
            ),
            (
                json!({ "rope_scaling": { "type": "linear", "factor": 2.0 } }),
                "rope_scaling",
            ),
            (
                json!({ "rope_parameters": { "rope_type": "yarn" } }),
                "rope_parameters.rope_type",
            ),
            (
                json!({ "rope_parameters": { "factor": 2.0 } }),
                "rope_parameters.factor",
            ),
            (
                json!({ "rope_parameters": { "rope_theta": "x" } }),
                "rope_parameters.rope_theta",
            ),
            (json!({ "rope_scaling": 2.0 }), "rope_scaling is 2.0"),
            (json!({ "rotary_pct": 0.0 }), "rotary_pct"),
            (json!({ "rotary_pct": 0.2 }), "rotary_pct"),
            (json!({ "rotary_pct": 1.5 }), "rotary_pct"),
            (json!({ "num_attention_heads": 0 }), "rotates 0"),
            (json!({ "hidden_act": "quick_gelu" }), "hidden_act"),
            (json!({ "hidden_size": "64" }), "hidden_size is \"64\""),
            (
                json!({ "hidden_size": u64::MAX / 2, "intermediate_size": 8 }),
                "hidden_size is 9223372036854775807, which is too large",
            ),
            (json!({ "model_type": "gptj" }), "model_type is \"gptj\""),
            (json!({ "is_encoder_decoder": true }), "is_encoder_decoder"),
            (
                json!({ "sliding_window": 4 }),
                "unknown field \"sliding_window\"",
            ),
        ] {
            let message = with(more).unwrap_err().to_string();
            assert!(message.contains(part), "{part}: {message}");
        }
    }
}
