//! Measurements on activations with labels: sparse probing, targeted probe perturbation, removal of a
//! spurious correlation, absorption. Probes are logistic regressions, fitted to convergence on the
//! training rows; the test rows only score. Source: SAEBench 0.6 (Karvonen et al. 2025), `evals`.

mod absorption;
mod activations;
mod config;
mod effects;
mod feature_rows;
mod logistic;
mod probe;
mod sparse_probing;
mod spurious;
#[cfg(test)]
mod testing;
mod tpp;

pub(super) use feature_rows::FeatureRows;

pub use absorption::{Absorption, AbsorptionRow, absorption};
pub use activations::{LabelledActivations, factor_activations, factor_activations_with};
pub use config::ProbeConfig;
pub use logistic::{LogisticRegression, logistic_regression};
pub use sparse_probing::{SparseProbeRow, SparseProbing, sparse_probing};
pub use spurious::{
    SpuriousActivations, SpuriousRemoval, SpuriousRow, spurious_correlation_removal,
};
pub use tpp::{ProbePerturbation, ProbePerturbationRow, targeted_probe_perturbation};
