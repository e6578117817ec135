//! What a neuroscope looks into.

use crate::data::Tokenizer;
#[cfg(feature = "notebook")]
use crate::interp::HookedSae;
use crate::model::Transformer;
use crate::sae::Sae;
use candle_core::Tensor;

/// A model with its tokenizer, and with an autoencoder of a hook point if there is one.
#[derive(Debug, Clone)]
pub struct Subject {
    pub(super) model: Transformer,
    pub(super) tokenizer: Tokenizer,
    pub(super) dictionary: Option<Dictionary>,
    /// What reads a corpus for it.
    #[cfg(feature = "notebook")]
    pub(crate) hooked: Option<HookedSae>,
}

/// An autoencoder, and where its activations are.
#[derive(Debug, Clone)]
pub(super) struct Dictionary {
    pub sae: Sae,
    pub hook_name: String,
    /// What each feature adds to the residual stream, `[d_sae, d_model]`. A page has this in place of a
    /// decoder of more columns, which is all zeros there.
    pub written: Option<Tensor>,
}

#[cfg(feature = "notebook")]
impl From<&HookedSae> for Subject {
    fn from(hooked: &HookedSae) -> Self {
        Self {
            model: hooked.model.without_gradients(),
            tokenizer: hooked.tokenizer.clone(),
            dictionary: Some(Dictionary {
                sae: hooked.sae.clone(),
                hook_name: hooked.hook_name().to_owned(),
                written: None,
            }),
            hooked: Some(hooked.clone()),
        }
    }
}

impl From<(&Transformer, &Tokenizer)> for Subject {
    fn from((model, tokenizer): (&Transformer, &Tokenizer)) -> Self {
        Self {
            model: model.without_gradients(),
            tokenizer: tokenizer.clone(),
            dictionary: None,
            #[cfg(feature = "notebook")]
            hooked: None,
        }
    }
}
