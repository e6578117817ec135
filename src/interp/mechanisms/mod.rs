//! Mechanisms: which parts of a model compute its output, and how they are wired to each other.
//! Logit lens, direct logit attribution, activation patching, head scores, circuits, steering.
//! Source: TransformerLens; Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

mod ablate_features;
mod edges;
mod heads;
mod input;
mod logits;
mod patch_metric;
mod patching;
mod patching_view;
mod site_ablation;
mod steering;
#[cfg(test)]
mod testing;

pub use ablate_features::ablate_features;
pub use edges::*;
pub use heads::*;
pub use logits::*;
pub use patch_metric::PatchMetric;
pub use patching::{ActivationPatching, Patch, PatchSite, activation_patching};
pub use site_ablation::{AblatedLoss, BatchAblation, ablated_loss, ablated_loss_with};
pub use steering::{ablate_direction, ablate_head, add_direction, mean_ablate_head};
