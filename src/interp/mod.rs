//! Analysis: what a dictionary of features keeps of a model, and what its features respond to.
//! Reconstruction score, frequencies, rare features, logits, token frames, scored descriptions;
//! in `mechanisms`, which parts of a model compute its output; in `attribution_graph`, which features.
//! Source: Bricken et al. 2023, and Neel Nanda's 1L-Sparse-Autoencoder.

mod activation_sign;
mod activations;
mod attribution_graph;
mod circuit_benchmark;
mod dashboard;
mod descriptions;
mod dictionaries;
mod features;
mod hooked_sae;
mod induction;
mod measurements;
mod mechanisms;
mod order;
mod statistics;
mod token_frame;

pub use activation_sign::ActivationSign;
pub use attribution_graph::*;
pub use circuit_benchmark::*;
pub use dashboard::{
    AblationEffect, ActivationExample, AlignedNeuron, BinCounts, CorrelatedFeature,
    CorrelatedNeuron, DashboardOptions, DashboardPage, DashboardTexts, DirectLogits, ExampleGroup,
    ExampleKind, FeatureDashboard, NeuronpediaFeature, SimilarFeature, TokenValue,
    feature_dashboard, feature_dashboards, feature_dashboards_with,
};
pub use descriptions::*;
pub use dictionaries::*;
pub(crate) use dictionaries::{centred_rows, check_l0, fixed_dictionary};
pub use features::*;
pub use hooked_sae::HookedSae;
pub use induction::*;
pub(crate) use measurements::assignment;
pub use measurements::*;
pub use mechanisms::*;
pub use statistics::*;
pub use token_frame::{token_frame, with_feature};
