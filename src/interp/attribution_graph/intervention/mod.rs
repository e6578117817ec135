//! Interventions: does the model do what the graph says when a feature is scaled?
//! Measured by hooks on the model's own forward pass, which shares nothing with the edges' algebra.
//! Source: circuit-tracer's `feature_intervention`; Ameisen et al. 2025, validation by perturbation.

mod check;
mod check_view;
mod hooked;
mod intervene;
mod reading;

pub use check::{CheckedEffect, EffectCorrelation, InterventionCheck};
#[cfg(test)]
pub(super) use hooked::{Replacement, hooked_run};
pub use intervene::{InterventionEffect, InterventionEffects, InterventionMode};
pub use reading::ReadingCheck;
