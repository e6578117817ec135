//! The edges against the model: sums, finite differences, interventions; and what is refused.

mod cross_layer;
mod edges;
mod errors;
mod interventions;
mod pruning;
mod trained;
