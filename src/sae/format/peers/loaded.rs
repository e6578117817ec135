//! The possible contents of a file.

use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::variants::{Sae, StandardSae, Transcoder};
use serde_json::{Map, Value, json};

/// An autoencoder or a transcoder.
#[derive(Debug)]
pub(in crate::sae::format) enum Loaded {
    Sae(Sae),
    Transcoder(Transcoder),
}

/// Records the origin in `dictionary`, as SAELens' `cfg.json` does.
pub(super) fn describe(
    dictionary: &mut StandardSae,
    hook_name: Option<String>,
    model: Option<&str>,
) {
    let mut metadata = Map::new();
    if let Some(model) = model {
        metadata.insert("model_name".to_owned(), json!(model));
    }
    if let Some(name) = &hook_name {
        metadata.insert("hook_name".to_owned(), json!(name));
    }
    dictionary
        .cfg
        .insert("d_in".to_owned(), json!(dictionary.d_in()));
    dictionary
        .cfg
        .insert("d_sae".to_owned(), json!(dictionary.d_sae()));
    dictionary
        .cfg
        .insert("metadata".to_owned(), Value::Object(metadata));
    dictionary.hook_name = hook_name;
}
