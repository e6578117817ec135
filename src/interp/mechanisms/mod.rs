//! Mechanisms: which parts of a model compute its output, and how they are wired to each other.
//! Logit lens, direct logit attribution, activation patching, head scores, circuits, steering.
//! Source: TransformerLens; Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

mod ablate_features;
mod circuits;
mod composition;
mod copying;
mod edges;
mod eigenvalues;
mod factored_matrix;
mod head_scores;
mod head_scores_view;
mod input;
mod logit_attribution;
mod logit_attribution_view;
mod logit_lens;
mod logit_lens_view;
mod patch_metric;
mod patching;
mod patching_view;
mod steering;
#[cfg(test)]
mod testing;

pub use ablate_features::ablate_features;
pub use circuits::{ov_circuit, qk_circuit};
pub use composition::{Composition, CompositionScore, CompositionScores, composition_scores};
pub use copying::{CopyingScore, CopyingScores, copying_scores};
pub use edges::*;
pub use factored_matrix::FactoredMatrix;
pub use head_scores::{
    HeadScore, HeadScores, head_scores, head_scores_with_hooks, repeated_random_tokens,
};
pub use logit_attribution::{
    LogitAttribution, LogitComponent, LogitContribution, direct_logit_attribution,
};
pub use logit_lens::{LensPrediction, LogitLens, logit_lens};
pub use patch_metric::PatchMetric;
pub use patching::{ActivationPatching, Patch, PatchSite, activation_patching};
pub use steering::{ablate_direction, ablate_head, add_direction, mean_ablate_head};
