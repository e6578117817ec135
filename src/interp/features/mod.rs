//! What a feature does: how often and where it is active, what it pushes the output towards, and
//! whether the rare ones share a direction.
//! Source: Bricken et al. 2023, and Neel Nanda's 1L-Sparse-Autoencoder.

mod feature_view;
#[cfg(feature = "notebook")]
mod frequencies;
mod logits;
#[cfg(feature = "notebook")]
mod max_activating;
#[cfg(feature = "notebook")]
mod rare_direction;
#[cfg(feature = "notebook")]
mod strongest_sequence;
#[cfg(feature = "notebook")]
mod top_activations;
#[cfg(feature = "notebook")]
mod top_logits;

pub use feature_view::{feature_acts, feature_tokens};
#[cfg(feature = "notebook")]
pub use frequencies::{
    FREQUENCY_FLOOR, FeatureFrequencies, feature_frequencies, feature_frequencies_with,
};
pub use logits::{direction_logits, feature_logits};
pub(crate) use logits::{to_residual, token_logits};
#[cfg(feature = "notebook")]
pub use max_activating::{
    MaxActivating, MaxActivation, max_activating, max_activating_feature, max_activating_transcoder,
};
#[cfg(feature = "notebook")]
pub use rare_direction::{NullBand, RareDirection, rare_direction};
#[cfg(feature = "notebook")]
pub use strongest_sequence::{StrongestSequence, strongest_sequence};
#[cfg(feature = "notebook")]
pub use top_activations::{TopActivation, TopActivations, top_activations};
#[cfg(feature = "notebook")]
pub use top_logits::{TopLogits, top_logits, vocab_frame};
#[cfg(feature = "notebook")]
pub(super) use top_logits::{check_vocabulary, descending};
