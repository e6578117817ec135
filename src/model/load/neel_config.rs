//! The `config.json` of Neel Nanda's small models (SoLU, GELU, attention-only, on the hub as
//! `NeelNanda/..`).
//!
//! It is the configuration of a training run. Source: TransformerLens' `convert_neel_model_config`,
//! which reads the fields below and leaves the rest: `eps` there is the optimiser's, for example.

use super::tl_config::FORMAT;
use crate::error::{Error, Result};
use crate::known_fields::shortened;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Read as they are.
const SHAPES: [&str; 9] = [
    "d_model",
    "n_layers",
    "d_mlp",
    "d_head",
    "n_heads",
    "n_ctx",
    "d_vocab",
    "act_fn",
    "attn_only",
];

/// Whether the fields are those of such a run.
pub(super) fn is_neel(json: &Value) -> bool {
    json.get("normalization").is_some() || json.get("shortformer_pos").is_some()
}

/// The fields as TransformerLens' own `config.json` has them.
///
/// # Errors
/// [`Error::Format`] for a model of another kind.
pub(super) fn to_tl(json: &Value, path: &Path) -> Result<Value> {
    let mut fields = Map::new();
    for name in SHAPES {
        if let Some(value) = json.get(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    let normalization = json.get("normalization").or(json.get("normalization_type"));
    let normalization = normalization.cloned().unwrap_or(json!("LN"));
    fields.insert("normalization_type".to_owned(), normalization);
    for (name, what) in [
        (
            "shortformer_pos",
            "positions that only queries and keys see",
        ),
        ("final_rms", "RMSNorm before the unembedding"),
    ] {
        match json.get(name) {
            None | Some(Value::Null | Value::Bool(false)) => {}
            Some(value) => {
                let reason = format!(
                    "{name} is {}: {what}, which is not supported",
                    shortened(value)
                );
                return Err(Error::format(path, FORMAT, reason));
            }
        }
    }
    match json.get("architecture").and_then(Value::as_str) {
        None | Some("neel") => Ok(Value::Object(fields)),
        Some(other) => {
            let reason = format!("architecture is {other:?}, only \"neel\" is supported");
            Err(Error::format(path, FORMAT, reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn training_settings_are_left_and_other_kinds_refused() {
        let run = json!({
            "lr": 0.001, "eps": 1e-8, "n_layers": 1, "d_model": 8, "d_mlp": 32, "d_head": 4, "n_heads": 2,
            "n_ctx": 16, "d_vocab": 10, "act_fn": "gelu", "attn_only": false, "normalization": "LNPre",
            "shortformer_pos": false,
        });
        assert!(is_neel(&run));
        assert!(!is_neel(
            &json!({ "normalization_type": "LN", "n_layers": 1 })
        ));
        let path = Path::new("config.json");
        let tl = to_tl(&run, path).unwrap();
        assert_eq!(
            (&tl["normalization_type"], &tl["n_ctx"]),
            (&json!("LNPre"), &json!(16))
        );
        assert_eq!((tl.get("eps"), tl.get("lr")), (None, None));
        for (name, value) in [
            ("shortformer_pos", json!(true)),
            ("final_rms", json!(true)),
            ("architecture", json!("mingpt")),
        ] {
            let mut other = run.clone();
            other[name] = value;
            let message = to_tl(&other, path).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }
}
