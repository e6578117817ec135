//! Methods that find circuits, scored on compiled models, whose circuits are known.
//! Attribution graphs beside patching and attribution patching, and random scores beside all.
//! Source: Lindner et al. 2023 (Tracr); Gupta et al. 2024 (InterpBench), arXiv:2407.14494.

mod graph_influence;
mod mean_recoveries;
mod program_recoveries;
mod program_recoveries_view;
#[cfg(test)]
mod tests;

pub use graph_influence::edge_graph_influence;
pub use mean_recoveries::UnseenEdges;
pub use program_recoveries::{
    MeanRecoveries, MeanRecovery, ProgramRecoveries, ProgramRecovery, compiled_recoveries,
};
