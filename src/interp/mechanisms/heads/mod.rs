//! Attention heads: what they attend to, what they read and write, and how they compose.
//! Source: Elhage et al. 2021; Olsson et al. 2022; TransformerLens.

mod circuits;
mod composition;
mod copying;
mod factored_matrix;
mod head_scores;
mod head_scores_view;

pub use circuits::{ov_circuit, qk_circuit};
pub use composition::{Composition, CompositionScore, CompositionScores, composition_scores};
pub use copying::{CopyingScore, CopyingScores, copying_scores};
pub use factored_matrix::FactoredMatrix;
pub use head_scores::{
    HeadScore, HeadScores, head_scores, head_scores_with_hooks, repeated_random_tokens,
};
