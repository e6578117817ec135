//! The sequence of a split in which a feature is strongest, with all of its tokens coloured.
//! `argmax_s max_p acts[s, p, f]`; of equal sequences the first.

use super::feature_view::coloured_tokens;
use super::top_activations::top_activations;
use crate::data::{TokenSplit, Tokenizer};
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::show::{TokenView, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// A sequence in which a feature is strongest.
#[derive(Debug, Clone, PartialEq)]
pub struct StrongestSequence {
    pub feature_id: usize,
    /// Which sequence of the split.
    pub sequence: usize,
    /// Sequences among which it was found.
    pub n_sequences: usize,
    /// The feature's largest activation in it.
    pub activation: f32,
    /// Its text, without the separator before it.
    pub text: String,
    /// Its tokens, coloured by the feature's activation.
    pub tokens: TokenView,
}

/// The sequence among the first `n_sequences` of a split (all, if it has fewer) in which a feature is strongest.
/// An interrupt gives the best of those read until then.
///
/// # Errors
/// No such feature or hook point; a split without a whole sequence of the model's `n_ctx`, or `n_sequences = 0`.
pub fn strongest_sequence(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    tokenizer: &Tokenizer,
    split: &TokenSplit,
    feature_id: usize,
    n_sequences: usize,
) -> Result<StrongestSequence> {
    let n_ctx = model.cfg().n_ctx;
    let n = split.n_sequences(n_ctx).min(n_sequences);
    if n == 0 {
        let reason = format!("there must be a whole one of n_ctx = {n_ctx} tokens to look in");
        return Err(Error::argument("sequences of the split", 0, reason));
    }
    let tokens = split.sequences(n, n_ctx, model.device())?;
    let top = top_activations(model, sae, hook_name, tokenizer, &tokens, feature_id, 1)?;
    let Some(best) = top.rows.first() else {
        return Err(Error::Interrupted {
            what: "the search for the strongest sequence",
        });
    };
    let ids = split.sequence(best.batch, n_ctx);
    let tokens = coloured_tokens(
        model,
        sae,
        hook_name,
        tokenizer,
        &ids[1..],
        feature_id,
        None,
    )?;
    Ok(StrongestSequence {
        feature_id,
        sequence: best.batch,
        n_sequences: top.n_read,
        activation: best.activation,
        text: tokenizer.decode(&ids[1..]),
        tokens,
    })
}

impl StrongestSequence {
    /// One row a token: `token`, `activation`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        Ok(df![
            "token" => self.tokens.str_tokens.clone(),
            "activation" => self.tokens.values.clone(),
        ]?)
    }
}

impl fmt::Display for StrongestSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "feature {} is strongest in sequence {} of {}, {:.4}: {}",
            self.feature_id, self.sequence, self.n_sequences, self.activation, self.text
        )
    }
}

shows_itself!(StrongestSequence, |it| it.tokens);
