//! What is left of a model whose MLPs are replaced by transcoders: one at a time, and all of them at once.

mod mlp_replacement;
mod scores;
mod scores_view;
#[cfg(test)]
mod tests;

pub use mlp_replacement::MlpReplacement;
pub use scores::{ReplacementScore, ReplacementScores, replacement_scores};
