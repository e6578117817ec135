//! What a model must beat: the losses of counting tokens and pairs of tokens.
//!
//! `p(b) = (c(b) + 1/2) / (N + V/2)`, `p(b|a) = lambda c(a,b)/c(a) + (1 - lambda) p(b)`.
//! Source: Krichevsky and Trofimov 1981 (the 1/2), Jelinek and Mercer 1980 (interpolation).

use super::dataset::Dataset;
use super::tokens::GPT2_VOCAB;
use crate::error::{Error, Result};
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fmt;

/// Losses of the two counting models: means over the tokens, nats per token.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Baselines {
    /// Tokens of the vocabulary; of a compact one those of GPT-2's that were kept.
    pub n_vocab: usize,
    /// Token frequencies alone.
    pub unigram: f64,
    /// Pairs interpolated with frequencies.
    pub bigram: f64,
    /// Weight of the pairs, chosen on the last tenth of the training tokens.
    pub lambda: f64,
}

/// The baselines of a dataset: counted on its training set, scored on its validation set.
///
/// # Errors
/// [`Error::Argument`] when either set has fewer than 2 tokens.
pub fn baselines(data: &Dataset) -> Result<Baselines> {
    let (train, val) = (&data.train.tokens, &data.val.tokens);
    for (name, tokens) in [("training tokens", train), ("validation tokens", val)] {
        if tokens.len() < 2 {
            return Err(Error::argument(
                name,
                tokens.len(),
                "baselines need at least 2",
            ));
        }
    }
    let n_vocab = data.tokenizer.n_vocab();
    let lambda = bigram_lambda(train, n_vocab);
    Ok(Baselines {
        n_vocab,
        unigram: unigram_loss(train, val, n_vocab),
        bigram: Counts::new(train, n_vocab).bigram_loss(val, lambda),
        lambda,
    })
}

impl Baselines {
    /// The loss of a model that knows nothing, `ln n_vocab`, nats per token.
    pub fn uniform(&self) -> f64 {
        (self.n_vocab as f64).ln()
    }

    /// One row a baseline, the weakest first: `baseline`, `loss` (nats per token).
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let (names, losses): (Vec<String>, Vec<f64>) = self.rows().into_iter().unzip();
        Ok(df!["baseline" => names, "loss" => losses]?)
    }

    fn rows(&self) -> Vec<(String, f64)> {
        let mut rows = Vec::new();
        if self.n_vocab < GPT2_VOCAB {
            let name = format!("uniform over all {GPT2_VOCAB} tokens of GPT-2");
            rows.push((name, (GPT2_VOCAB as f64).ln()));
        }
        rows.push((
            format!("uniform over {} tokens", self.n_vocab),
            self.uniform(),
        ));
        rows.push(("unigram".to_owned(), self.unigram));
        rows.push(("bigram".to_owned(), self.bigram));
        rows
    }

    /// What is measured, and how much of GPT-2's vocabulary is kept.
    fn title(&self) -> String {
        let what = "Baselines in nats a token, on the validation documents";
        if self.n_vocab >= GPT2_VOCAB {
            return what.to_owned();
        }
        let saved = 100.0 * (1.0 - self.n_vocab as f64 / GPT2_VOCAB as f64);
        format!(
            "{what}; {} of {GPT2_VOCAB} tokens are kept, the unembedding is {saved:.0} % smaller",
            self.n_vocab
        )
    }
}

impl fmt::Display for Baselines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())?;
        for (name, loss) in self.rows() {
            write!(f, "\n{name}: {loss:.3}")?;
        }
        Ok(())
    }
}

shows_itself!(Baselines, |it| Table::new(it.frame()?).caption(it.title()));

/// Mean loss of `val` under the token frequencies of `train`, nats per token.
///
/// Half a count is added to every token. Ids of `n_vocab` or more count as unseen.
pub fn unigram_loss(train: &[u32], val: &[u32], n_vocab: usize) -> f64 {
    let counts = Counts::new(train, n_vocab);
    let total: f64 = val.iter().map(|&t| -counts.unigram(t).ln()).sum();
    total / val.len() as f64
}

/// Mean loss of `val[1..]`, each token given the one before it, nats per token,
/// with the weight of [`bigram_lambda`].
pub fn bigram_loss(train: &[u32], val: &[u32], n_vocab: usize) -> f64 {
    Counts::new(train, n_vocab).bigram_loss(val, bigram_lambda(train, n_vocab))
}

/// The weight of the pairs that is best for the last tenth of `train` when the
/// rest is counted; a multiple of 0.01.
pub fn bigram_lambda(train: &[u32], n_vocab: usize) -> f64 {
    let (counted, held_out) = train.split_at(train.len() - train.len() / 10);
    if held_out.len() < 2 {
        return 0.5;
    }
    let counts = Counts::new(counted, n_vocab);
    let terms = counts.pair_terms(held_out);
    // The loss is convex in lambda: a grid finds its only minimum.
    (1..100)
        .map(|hundredths| hundredths as f64 / 100.0)
        .min_by(|&a, &b| mean_loss(&terms, a).total_cmp(&mean_loss(&terms, b)))
        .unwrap_or(0.5)
}

/// Counts of tokens and of pairs.
struct Counts {
    singles: Vec<u32>,
    /// How often a token is followed by another.
    contexts: Vec<u32>,
    pairs: HashMap<(u32, u32), u32>,
    n: usize,
}

impl Counts {
    fn new(tokens: &[u32], n_vocab: usize) -> Counts {
        let mut counts = Counts {
            singles: vec![0; n_vocab],
            contexts: vec![0; n_vocab],
            pairs: HashMap::new(),
            n: tokens.len(),
        };
        for &t in tokens {
            if let Some(slot) = counts.singles.get_mut(t as usize) {
                *slot += 1;
            }
        }
        for pair in tokens.windows(2) {
            if let Some(slot) = counts.contexts.get_mut(pair[0] as usize) {
                *slot += 1;
            }
            *counts.pairs.entry((pair[0], pair[1])).or_default() += 1;
        }
        counts
    }

    fn unigram(&self, token: u32) -> f64 {
        let count = self.singles.get(token as usize).copied().unwrap_or(0);
        (f64::from(count) + 0.5) / (self.n as f64 + 0.5 * self.singles.len() as f64)
    }

    /// For each pair of neighbours: its relative frequency (`None` after a token
    /// never seen as context) and the second token's unigram probability.
    fn pair_terms(&self, tokens: &[u32]) -> Vec<(Option<f64>, f64)> {
        let term = |pair: &[u32]| {
            let context = self.contexts.get(pair[0] as usize).copied().unwrap_or(0);
            let count = self.pairs.get(&(pair[0], pair[1])).copied().unwrap_or(0);
            let frequency = (context > 0).then(|| f64::from(count) / f64::from(context));
            (frequency, self.unigram(pair[1]))
        };
        tokens.windows(2).map(term).collect()
    }

    fn bigram_loss(&self, tokens: &[u32], lambda: f64) -> f64 {
        mean_loss(&self.pair_terms(tokens), lambda)
    }
}

fn mean_loss(terms: &[(Option<f64>, f64)], lambda: f64) -> f64 {
    let loss = |&(pair, single): &(Option<f64>, f64)| match pair {
        Some(pair) => -(lambda * pair + (1.0 - lambda) * single).ln(),
        None => -single.ln(),
    };
    terms.iter().map(loss).sum::<f64>() / terms.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;

    #[test]
    fn unigram_loss_of_a_constant_is_by_hand() {
        // 4 zeros of 4 tokens, 2 ids: p(0) = 4.5/5.
        let loss = unigram_loss(&[0; 4], &[0, 0], 2);
        assert!((loss - (5.0_f64 / 4.5).ln()).abs() < 1e-12);
    }

    #[test]
    fn baselines_show_what_the_vocabulary_saves() {
        let of = |n_vocab| Baselines {
            n_vocab,
            unigram: 6.5,
            bigram: 5.5,
            lambda: 0.5,
        };
        let text = of(100).to_string();
        // 1 - 100/50257 = 99.8 %; ln 50257 = 10.825, ln 100 = 4.605.
        assert!(text.contains("100 of 50257 tokens are kept, the unembedding is 100 % smaller"));
        assert!(
            text.contains("of GPT-2: 10.825\nuniform over 100 tokens: 4.605"),
            "{text}"
        );
        assert_eq!(of(100).frame().unwrap().shape(), (4, 2));
        assert_eq!(of(GPT2_VOCAB).frame().unwrap().shape(), (3, 2));
        let shown = of(100).mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("bigram"));
    }

    #[test]
    fn bigrams_beat_unigrams_where_order_is_all() {
        let cycle: Vec<u32> = (0..3_000).map(|i| i % 10).collect();
        let (train, val) = cycle.split_at(2_000);
        assert!((unigram_loss(train, val, 10) - 10_f64.ln()).abs() < 1e-6);
        assert!(bigram_loss(train, val, 10) < 0.02);
        assert_eq!(bigram_lambda(train, 10), 0.99);
    }

    #[test]
    fn pairs_of_independent_tokens_get_little_weight() {
        use rand::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let noise: Vec<u32> = (0..4_000).map(|_| rng.random_range(0..200)).collect();
        assert!(bigram_lambda(&noise, 200) < 0.3);
    }

    #[test]
    fn losses_are_finite_for_unseen_tokens() {
        assert!(bigram_loss(&[0, 1, 0, 1], &[7, 3, 2], 4).is_finite());
    }
}
