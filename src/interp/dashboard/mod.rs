//! A dashboard per feature: how strongly and on which tokens it is active, what it writes to the logits,
//! what goes with it, and what the model loses without it; shown, as a page, and in Neuronpedia's JSON.
//! Source: sae_vis (McDougall 2024), Neuronpedia, and the feature pages of Bricken et al. 2023.

mod ablation;
mod bins;
mod co_activity;
mod collect;
mod examples;
mod feature;
mod neuronpedia;
mod page;
mod scan;
mod token_value;
mod view;

pub use ablation::AblationEffect;
pub use bins::BinCounts;
pub use co_activity::{CorrelatedFeature, CorrelatedNeuron};
pub use collect::{
    DashboardOptions, DashboardTexts, feature_dashboard, feature_dashboards,
    feature_dashboards_with,
};
pub use examples::{ActivationExample, ExampleGroup, ExampleKind};
pub use feature::{AlignedNeuron, DirectLogits, FeatureDashboard, SimilarFeature};
pub use neuronpedia::NeuronpediaFeature;
pub use page::DashboardPage;
pub use token_value::TokenValue;
