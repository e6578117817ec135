//! The figures reported by one training step.

/// The figures of one step before its update; means over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepFigures {
    /// Mean over tokens of the squared error summed over `d_in`.
    pub l2: f64,
    /// Mean over tokens of the acts' absolute values summed over `d_sae`.
    pub l1: f64,
    /// Mean number of active features per token; NaN where an activation is not finite.
    pub l0: f64,
    /// AuxK's loss, weighted as it enters the loss; 0 without it.
    pub aux: f64,
    /// True when the dense path was taken.
    pub dense: bool,
}
