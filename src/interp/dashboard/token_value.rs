//! Tokens with a figure each, and the extremes of the vocabulary.

use super::super::features::descending;
use crate::data::Tokenizer;

/// A token and a figure of it: a logit, a change of a logit, a share.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenValue {
    /// The token's text, spaces and line breaks as they are.
    pub token: String,
    /// Its figure; what holds the token says in which unit.
    pub value: f64,
}

/// The `k` tokens of the largest values, the largest first, and the `k` of the smallest, the smallest
/// first; of a vocabulary of fewer than `2 k` tokens half each. `values`: one a token of the vocabulary.
pub(super) fn extremes(
    tokenizer: &Tokenizer,
    values: &[f32],
    k: usize,
) -> (Vec<TokenValue>, Vec<TokenValue>) {
    let order = descending(values);
    let k = k.min(order.len() / 2);
    let named = |&i: &usize| TokenValue {
        token: tokenizer.token_str(i as u32),
        value: f64::from(values[i]),
    };
    let smallest = order[order.len() - k..].iter().rev().map(named);
    (order[..k].iter().map(named).collect(), smallest.collect())
}
