//! Which activations of a step count, and the parameters trained for that.

mod batch_top_k;
mod by_feature;
mod gates;
mod jump_relu;

pub(super) use batch_top_k::{BatchTopK, keep_largest, next_floor};
pub(super) use by_feature::ByFeature;
pub(super) use gates::{Gates, PanelGates};
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
    /// Those whose gate is open.
    Gates(Gates),
}

/// The parameters of one panel's features in addition to their weights.
pub(super) enum PanelSelection<'a> {
    Nothing,
    Thresholds(PanelThresholds<'a>),
    Gates(PanelGates<'a>),
}

impl Selection {
    /// Number of features of each nested dictionary; without nesting, one of all features.
    pub(super) fn widths(&self, d_sae: usize) -> Vec<usize> {
        match self {
            Self::Batch(batch) => batch.widths.clone(),
            Self::ByToken | Self::Thresholds(_) | Self::Gates(_) => vec![d_sae],
        }
    }

    /// Each panel's part.
    pub(super) fn by_panel(&mut self, n_panels: usize) -> Vec<PanelSelection<'_>> {
        match self {
            Self::ByToken | Self::Batch(_) => {
                (0..n_panels).map(|_| PanelSelection::Nothing).collect()
            }
            Self::Thresholds(thresholds) => thresholds
                .by_panel()
                .map(PanelSelection::Thresholds)
                .collect(),
            Self::Gates(gates) => gates.by_panel().map(PanelSelection::Gates).collect(),
        }
    }
}

/// Gradient of the sparsity loss with respect to what it counts, per token of the batch's mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sparsity {
    /// With respect to the sum of the activations.
    pub l1: f32,
    /// With respect to the number of active features, or its differentiable substitute.
    pub l0: f32,
}
