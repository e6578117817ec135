//! What a feature does: how often and where it is active, what it pushes the output towards, and
//! whether the rare ones share a direction.
//! Source: Bricken et al. 2023, and Neel Nanda's 1L-Sparse-Autoencoder.

mod feature_view;
mod frequencies;
mod logits;
mod max_activating;
mod rare_direction;
mod strongest_sequence;
mod top_activations;

pub use feature_view::{feature_acts, feature_tokens};
pub use frequencies::{
    FREQUENCY_FLOOR, FeatureFrequencies, feature_frequencies, feature_frequencies_with,
};
pub(crate) use logits::token_logits;
pub use logits::{TopLogits, direction_logits, feature_logits, top_logits, vocab_frame};
pub(super) use logits::{check_vocabulary, descending};
pub use max_activating::{
    MaxActivating, MaxActivation, max_activating, max_activating_feature, max_activating_transcoder,
};
pub use rare_direction::{NullBand, RareDirection, rare_direction};
pub use strongest_sequence::{StrongestSequence, strongest_sequence};
pub use top_activations::{TopActivation, TopActivations, top_activations};
