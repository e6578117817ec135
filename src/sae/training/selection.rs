//! Which activations of a step count, and what is learnt about that beside the weights.

mod batch_top_k;
mod jump_relu;

pub(super) use batch_top_k::{BatchTopK, keep_largest, next_floor};
pub(super) use jump_relu::{JumpRule, PanelThresholds, Thresholds};

/// Which activations count.
#[derive(Debug, Clone, Default)]
pub(super) enum Selection {
    /// The positive ones, or the `k` largest of them where the encoder has a `top_k`.
    #[default]
    ByToken,
    /// The largest of the batch.
    Batch(BatchTopK),
    /// Those above their feature's threshold.
    Thresholds(Thresholds),
}

impl Selection {
    /// Features that each nested dictionary has: one, of all features, unless it says otherwise.
    pub(super) fn widths(&self, d_sae: usize) -> Vec<usize> {
        match self {
            Self::Batch(batch) => batch.widths.clone(),
            Self::ByToken | Self::Thresholds(_) => vec![d_sae],
        }
    }
}

/// Gradient of the sparsity loss with respect to what it counts, for one token of the batch's mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sparsity {
    /// Of the sum of the activations.
    pub l1: f32,
    /// Of the number of active features, or of what stands for it.
    pub l0: f32,
}
