//! Analysis: what a dictionary of features keeps of a model, and what its features respond to.
//! Reconstruction score, frequencies, rare features, logits, token frames, scored descriptions;
//! in `mechanisms`, which parts of a model compute its output; in `attribution_graph`, which features.
//! Source: Bricken et al. 2023, and Neel Nanda's 1L-Sparse-Autoencoder.

mod activations;
mod attribution_graph;
mod bimodality;
mod circuit_benchmark;
mod comparison;
mod contingency;
mod control;
mod dashboard;
mod dip;
mod factor_recovery;
mod feature_summary;
mod feature_view;
mod frequencies;
mod hooked_sae;
mod induction;
mod interpretable;
mod logits;
mod max_activating;
mod measurements;
mod mechanisms;
mod order;
mod predicate;
mod rare_direction;
mod reconstruction;
mod token_frame;

pub use attribution_graph::*;
pub use bimodality::{Bimodality, NormalComponent, bimodality};
pub use circuit_benchmark::*;
pub use comparison::{DictionaryComparison, DictionaryFigures, compare_dictionaries};
pub use contingency::Contingency;
pub use control::random_dictionary;
pub(crate) use control::{centred_rows, check_l0, fixed_dictionary};
pub use dashboard::{
    AblationEffect, ActivationExample, AlignedNeuron, BinCounts, CorrelatedFeature,
    CorrelatedNeuron, DashboardOptions, DashboardPage, DashboardTexts, DirectLogits, ExampleGroup,
    ExampleKind, FeatureDashboard, NeuronpediaFeature, SimilarFeature, TokenValue,
    feature_dashboard, feature_dashboards, feature_dashboards_with,
};
pub use dip::{dip, dip_p_value};
pub use factor_recovery::{FactorRecovery, RecoveredFactor, factor_recovery};
pub use feature_summary::{FeatureSummary, TokenExample};
pub use feature_view::{feature_acts, feature_tokens};
pub use frequencies::{FREQUENCY_FLOOR, FeatureFrequencies, feature_frequencies};
pub use hooked_sae::HookedSae;
pub use induction::*;
pub use interpretable::{InterpretableFeatures, describe_feature, interpretable_features};
pub use logits::{TopLogits, feature_logits, top_logits, vocab_frame};
pub use max_activating::{
    MaxActivating, MaxActivation, max_activating, max_activating_feature, max_activating_transcoder,
};
pub(crate) use measurements::assignment;
pub use measurements::*;
pub use mechanisms::*;
pub use predicate::{Predicate, TokenClass};
pub use rare_direction::{NullBand, RareDirection, rare_direction};
pub use reconstruction::{ReconstructionScore, reconstruction_score};
pub use token_frame::{token_frame, top_activations, with_feature};
