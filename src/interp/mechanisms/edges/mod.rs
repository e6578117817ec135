//! Edges of a circuit: what goes from one component to another, scored by patching it.
//! Path patching, edge and node attribution patching, and how well each finds a known circuit.
//! Source: Wang et al. 2022; Syed et al. 2023; Conmy et al. 2023; Gupta et al. 2024 (InterpBench).

mod attribution;
mod attribution_view;
mod node_attribution;
mod path_patching;
mod ranking;
mod recovery;
mod recovery_view;
mod scores;
mod task;
#[cfg(test)]
mod tests;

pub use attribution::{edge_attribution_patching, edge_attribution_patching_ig};
pub use node_attribution::{NodeAttribution, NodeScore, node_attribution_patching};
pub use path_patching::{edge_activation_patching, path_patching};
pub use recovery::{CircuitRecovery, RecoveryScore, circuit_recovery};
pub use scores::{EdgeScore, EdgeScores};
pub use task::PatchTask;
pub use task::compiled_tasks::{compiled_tasks, compiled_zero_tasks};
