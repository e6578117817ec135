//! Attribution graphs: the features, errors and embeddings that make the logits of one prompt.
//! Transcoders in place of the MLPs, attention patterns and norm scales frozen, all else linear.
//! Source: Ameisen et al. 2025, "Circuit Tracing"; circuit-tracer 0.5 for every definition.

mod attribution;
mod circuit_tracer;
mod components;
mod config;
mod control;
mod frozen;
mod graph;
mod influence;
mod intervention;
mod logit_targets;
mod node;
mod picture;
mod pruned;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use attribution::attribution_graph;
pub use components::ComponentInfluence;
pub use config::AttributionConfig;
pub use control::{GraphWithControl, control_graph};
pub use graph::AttributionGraph;
pub use influence::GraphScores;
pub use intervention::{
    CheckedEffect, EffectCorrelation, InterventionCheck, InterventionEffect, InterventionEffects,
    InterventionMode, ReadingCheck,
};
pub use node::{GraphEdge, GraphNode, GraphNodeKind};
pub use pruned::PrunedGraph;
