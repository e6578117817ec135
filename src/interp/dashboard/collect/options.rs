//! How much a dashboard holds, and the text that it is made of.

use crate::data::{TokenSplit, Tokenizer};
use crate::error::Result;
use crate::model::Transformer;
use candle_core::Tensor;

/// How much a dashboard holds. `..Default::default()` fills in the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardOptions {
    /// Tokens of a [`crate::data::Dataset`] that are read at most.
    pub max_tokens: usize,
    /// Examples of the highest activations, at most one a sequence.
    pub n_top: usize,
    /// Intervals of equal width between 0 and the largest activation.
    pub n_intervals: usize,
    /// Examples drawn from each interval.
    pub per_interval: usize,
    /// Examples drawn from all active tokens.
    pub n_random: usize,
    /// Tokens shown before the example's token.
    pub context_before: usize,
    /// Tokens shown after it.
    pub context_after: usize,
    /// Bins of the histograms.
    pub n_bins: usize,
    /// Tokens listed with the largest and with the smallest logits.
    pub n_logits: usize,
    /// Features and neurons listed of each kind.
    pub n_neighbours: usize,
    /// Tokens on which the activations of all features are computed, for the correlations; 0 for none.
    pub correlation_tokens: usize,
    /// Top examples on which the feature is removed; 0 for none.
    pub ablation_examples: usize,
    /// Seed of the examples drawn.
    pub seed: u64,
}

impl Default for DashboardOptions {
    fn default() -> Self {
        Self {
            max_tokens: 32_768,
            n_top: 20,
            n_intervals: 5,
            per_interval: 5,
            n_random: 5,
            context_before: 12,
            context_after: 8,
            n_bins: 40,
            n_logits: 10,
            n_neighbours: 5,
            correlation_tokens: 4_096,
            ablation_examples: 10,
            seed: 0,
        }
    }
}

/// The text that dashboards are made of: sequences of tokens, and the tokenizer that names them.
#[derive(Debug, Clone)]
pub struct DashboardTexts {
    pub tokenizer: Tokenizer,
    /// `[batch, pos]`, u32.
    pub tokens: Tensor,
}

impl DashboardTexts {
    /// Sequences `[batch, pos]` and their tokenizer.
    pub fn new(tokenizer: &Tokenizer, tokens: &Tensor) -> Self {
        Self {
            tokenizer: tokenizer.clone(),
            tokens: tokens.clone(),
        }
    }

    /// The first sequences of a split, as the model reads them, at most `max_tokens` tokens but at least
    /// one sequence.
    ///
    /// # Errors
    /// A split too short for one sequence.
    pub fn of_split(
        model: &Transformer,
        tokenizer: &Tokenizer,
        split: &TokenSplit,
        max_tokens: usize,
    ) -> Result<Self> {
        let n_ctx = model.cfg().n_ctx;
        let n = (max_tokens / n_ctx.max(1)).max(1);
        let n = n.min(split.n_sequences(n_ctx).max(1));
        Ok(Self::new(
            tokenizer,
            &split.sequences(n, n_ctx, model.device())?,
        ))
    }
}
