//! What a neuroscope looks into.

use crate::data::Tokenizer;
use crate::interp::HookedSae;
use crate::model::Transformer;

/// A model with its tokenizer, and with an autoencoder if there is one.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) model: Transformer,
    pub(super) tokenizer: Tokenizer,
    pub(super) hooked: Option<HookedSae>,
}

impl From<&HookedSae> for Subject {
    fn from(hooked: &HookedSae) -> Self {
        Self {
            model: hooked.model.without_gradients(),
            tokenizer: hooked.tokenizer.clone(),
            hooked: Some(hooked.clone()),
        }
    }
}

impl From<(&Transformer, &Tokenizer)> for Subject {
    fn from((model, tokenizer): (&Transformer, &Tokenizer)) -> Self {
        Self {
            model: model.without_gradients(),
            tokenizer: tokenizer.clone(),
            hooked: None,
        }
    }
}
