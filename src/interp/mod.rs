//! Analysis: what a dictionary of features keeps of a model, and what its features respond to.
//! Reconstruction score, frequencies, rare features, logits, token frames, scored descriptions;
//! in `mechanisms`, which parts of a model compute its output; in `attribution_graph`, which features.
//! Source: Bricken et al. 2023, and Neel Nanda's 1L-Sparse-Autoencoder.

mod activation_sign;
mod activations;
#[cfg(feature = "notebook")]
mod attribution_graph;
#[cfg(feature = "notebook")]
mod circuit_benchmark;
#[cfg(feature = "notebook")]
mod dashboard;
#[cfg(feature = "notebook")]
mod descriptions;
#[cfg(feature = "notebook")]
mod dictionaries;
mod features;
#[cfg(feature = "notebook")]
mod hooked_sae;
#[cfg(feature = "notebook")]
mod induction;
#[cfg(feature = "notebook")]
mod measurements;
#[cfg(feature = "notebook")]
mod mechanisms;
pub mod neuroscope;
mod order;
#[cfg(feature = "notebook")]
mod statistics;
#[cfg(feature = "notebook")]
mod token_frame;

pub use activation_sign::ActivationSign;
#[cfg(feature = "notebook")]
pub use attribution_graph::*;
#[cfg(feature = "notebook")]
pub use circuit_benchmark::*;
#[cfg(feature = "notebook")]
pub use dashboard::{
    AblationEffect, ActivationExample, AlignedNeuron, BinCounts, CorrelatedFeature,
    CorrelatedNeuron, DashboardOptions, DashboardPage, DashboardTexts, DirectLogits, ExampleGroup,
    ExampleKind, FeatureDashboard, NeuronpediaFeature, SimilarFeature, TokenValue,
    feature_dashboard, feature_dashboards, feature_dashboards_with,
};
#[cfg(feature = "notebook")]
pub use descriptions::*;
#[cfg(feature = "notebook")]
pub use dictionaries::*;
#[cfg(feature = "notebook")]
pub(crate) use dictionaries::{centred_rows, check_l0, fixed_dictionary};
pub use features::*;
#[cfg(feature = "notebook")]
pub use hooked_sae::HookedSae;
#[cfg(feature = "notebook")]
pub use induction::*;
#[cfg(feature = "notebook")]
#[cfg(feature = "notebook")]
pub use measurements::*;
#[cfg(feature = "notebook")]
pub use mechanisms::*;
#[cfg(feature = "notebook")]
pub use statistics::*;
#[cfg(feature = "notebook")]
pub use token_frame::{token_frame, with_feature};
