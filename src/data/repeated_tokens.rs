//! Sequences of random tokens that repeat: nothing to learn but where the same token stood before.
//! `token[i] = token[i - period]`, the period drawn anew for each sequence.
//! Source: the repeated random sequences of Olsson et al. 2022, "In-context Learning and Induction Heads".

use super::dataset::Dataset;
use super::digest::hex;
use super::tokens::{GPT2_VOCAB, TokenSplit, Tokenizer};
use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// Which sequences [`Dataset::of_repeated_tokens`] draws.
#[derive(Debug, Clone, PartialEq)]
pub struct RepeatedTokens {
    /// Different tokens, apart from the one that begins each sequence.
    pub n_symbols: usize,
    /// Length of a sequence, its first token included; the model's `n_ctx`.
    pub n_ctx: usize,
    /// Shortest period.
    pub min_period: usize,
    /// Longest period; above half of `n_ctx - 1` some sequences are not repeated whole.
    pub max_period: usize,
    /// Sequences of the training part: as many as the run takes, `steps * batch_size`. Later epochs cut
    /// the tokens at other places, across two sequences of different periods.
    pub n_train: usize,
    /// Sequences of the validation part, and of the test part.
    pub n_val: usize,
    /// Seed of all that is drawn.
    pub seed: u64,
}

impl Default for RepeatedTokens {
    fn default() -> Self {
        Self {
            n_symbols: 64,
            n_ctx: 64,
            min_period: 12,
            max_period: 31,
            n_train: 32_000,
            n_val: 256,
            seed: 42_069,
        }
    }
}

impl RepeatedTokens {
    /// Checks every field; the error names the field, its value and the rule.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn validate(&self) -> Result<()> {
        if self.n_symbols < 2 || self.n_symbols >= GPT2_VOCAB {
            let rule = format!("must lie in 2 to {}", GPT2_VOCAB - 1);
            return Err(Error::argument("n_symbols", self.n_symbols, rule));
        }
        if self.n_ctx < 3 {
            return Err(Error::argument("n_ctx", self.n_ctx, "must be at least 3"));
        }
        if self.min_period == 0 || self.min_period > self.max_period {
            let rule = format!("must lie in 1 to max_period = {}", self.max_period);
            return Err(Error::argument("min_period", self.min_period, rule));
        }
        if self.max_period >= self.n_ctx - 1 {
            let rule = format!(
                "must be below n_ctx - 1 = {}, or nothing is repeated",
                self.n_ctx - 1
            );
            return Err(Error::argument("max_period", self.max_period, rule));
        }
        for (what, n) in [("n_train", self.n_train), ("n_val", self.n_val)] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        Ok(())
    }

    /// `n` sequences without their first token, one after another.
    fn draw(&self, n: usize, rng: &mut ChaCha8Rng) -> Vec<u32> {
        let len = self.n_ctx - 1;
        let mut tokens = Vec::with_capacity(n * len);
        for _ in 0..n {
            let period = rng.random_range(self.min_period..=self.max_period);
            let start = tokens.len();
            for i in 0..len {
                let token = match i < period {
                    true => rng.random_range(0..self.n_symbols as u32),
                    false => tokens[start + i - period],
                };
                tokens.push(token);
            }
        }
        tokens
    }
}

impl Dataset {
    /// Random tokens that repeat: each sequence of `n_ctx` tokens is the first token, then random ones
    /// that begin again after a period, which differs from sequence to sequence. Within the first
    /// period nothing can be predicted (`ln n_symbols` nats); behind it everything can, by looking for
    /// the token that followed the present one before. A fixed distance does not help.
    ///
    /// A document is a sequence without a separator. Read it with the model's `n_ctx` equal to this
    /// one; the tokens' texts are GPT-2's first ones and mean nothing.
    ///
    /// ```
    /// use holoscope::data::{Dataset, RepeatedTokens};
    /// let data = Dataset::of_repeated_tokens(&RepeatedTokens { n_train: 4, ..Default::default() })?;
    /// assert_eq!((data.tokenizer.n_vocab(), data.train.n_sequences(64)), (65, 4));
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`RepeatedTokens::validate`].
    pub fn of_repeated_tokens(cfg: &RepeatedTokens) -> Result<Dataset> {
        cfg.validate()?;
        let ids: Vec<u32> = (0..cfg.n_symbols as u32).collect();
        let tokenizer = Tokenizer::compact(&ids)?;
        let rng = &mut ChaCha8Rng::seed_from_u64(cfg.seed);
        let mut first = 0;
        let mut part = |n: usize| {
            let split = TokenSplit {
                tokens: cfg.draw(n, rng),
                starts: (0..n).map(|i| i * (cfg.n_ctx - 1)).collect(),
                document_ids: (first..first + n).collect(),
                bos: tokenizer.bos(),
                labels: None,
            };
            first += n;
            split
        };
        let (train, val, test) = (part(cfg.n_train), part(cfg.n_val), part(cfg.n_val));
        let mut hasher = Sha256::new();
        for token in [&train, &val, &test].into_iter().flat_map(|p| &p.tokens) {
            hasher.update(token.to_le_bytes());
        }
        Ok(Dataset {
            corpus_name: "repeated random tokens".to_owned(),
            source_note: format!(
                "Random tokens of {} that begin again after {} to {} tokens (seed {}).",
                cfg.n_symbols, cfg.min_period, cfg.max_period, cfg.seed
            ),
            digest: hex(&hasher.finalize()),
            n_tokens: first * (cfg.n_ctx - 1),
            n_distinct: cfg.n_symbols,
            n_documents: first,
            tokenizer,
            train,
            val,
            test,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn small() -> RepeatedTokens {
        RepeatedTokens {
            n_symbols: 50,
            n_ctx: 21,
            min_period: 4,
            max_period: 9,
            n_train: 300,
            n_val: 20,
            seed: 5,
        }
    }

    #[test]
    fn every_sequence_has_a_period_and_all_periods_occur() {
        let cfg = small();
        let data = Dataset::of_repeated_tokens(&cfg).unwrap();
        let mut periods = HashSet::new();
        for i in 0..300 {
            let row = data.train.sequence(i, cfg.n_ctx);
            assert_eq!((row.len(), row[0]), (21, 50));
            assert!(row[1..].iter().all(|&id| id < 50));
            let repeats = |p: usize| (1..21 - p).all(|i| row[i] == row[i + p]);
            // The shortest one: of random tokens a shorter one is a rare accident.
            let period = (1..20).find(|&p| repeats(p)).unwrap();
            periods.insert(period);
        }
        assert!((4..=9).all(|p| periods.contains(&p)), "{periods:?}");
        assert!(periods.iter().all(|p| *p <= 9));
        let counts = [
            data.train.n_documents(),
            data.val.n_documents(),
            data.n_documents,
        ];
        assert_eq!(counts, [300, 20, 340]);
        assert_eq!(data.val.document(3), data.val.sequence(3, 21)[1..]);
    }

    #[test]
    fn seeds_repeat_and_differ_and_parts_differ() {
        let of = |seed| Dataset::of_repeated_tokens(&RepeatedTokens { seed, ..small() }).unwrap();
        let (a, b, c) = (of(1), of(1), of(2));
        assert_eq!((&a.train, &a.digest), (&b.train, &b.digest));
        assert_ne!(a.digest, c.digest);
        assert_ne!(a.val.tokens, a.test.tokens);
    }

    #[test]
    fn bad_fields_are_named() {
        let of = |change: fn(&mut RepeatedTokens)| {
            let mut cfg = small();
            change(&mut cfg);
            Dataset::of_repeated_tokens(&cfg).unwrap_err().to_string()
        };
        assert!(of(|c| c.n_symbols = 1).contains("n_symbols = 1"));
        assert!(of(|c| c.n_ctx = 2).contains("n_ctx = 2"));
        assert!(of(|c| c.min_period = 0).contains("min_period = 0"));
        assert!(of(|c| c.min_period = 10).contains("min_period = 10"));
        assert!(of(|c| c.max_period = 20).contains("max_period = 20"));
        assert!(of(|c| c.n_train = 0).contains("n_train = 0"));
        assert!(of(|c| c.n_val = 0).contains("n_val = 0"));
    }
}
