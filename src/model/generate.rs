//! Sampling text from the model, one token at a time.
//!
//! `p = softmax(logits / temperature)`, cut to the `top_k` likeliest, then to the smallest set
//! that holds `top_p`. Source: Fan et al. 2018 (top-k); Holtzman et al. 2020 (nucleus).

use super::transformer::Transformer;
use crate::error::{Error, Result};
use candle_core::Tensor;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How tokens are sampled.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateConfig {
    /// Tokens to add to the prompt.
    pub max_new_tokens: usize,
    /// Divides the logits; 0 takes the likeliest token each time.
    pub temperature: f64,
    /// Keep only this many likeliest tokens.
    pub top_k: Option<usize>,
    /// Keep only the likeliest tokens that together hold this probability.
    pub top_p: Option<f64>,
    /// Seed of the sampling.
    pub seed: u64,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            max_new_tokens: 64,
            temperature: 1.0,
            top_k: None,
            top_p: None,
            seed: 42_069,
        }
    }
}

impl GenerateConfig {
    /// Checks each field.
    pub fn validate(&self) -> Result<()> {
        let bad = |field, value: String, reason: &str| {
            Err(Error::Config {
                config: "GenerateConfig",
                field,
                value,
                reason: reason.to_owned(),
            })
        };
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return bad(
                "temperature",
                self.temperature.to_string(),
                "must be a finite number, at least 0",
            );
        }
        if self.top_k == Some(0) {
            return bad("top_k", "0".to_owned(), "must be at least 1");
        }
        if let Some(p) = self.top_p
            && !(p > 0.0 && p <= 1.0)
        {
            return bad("top_p", p.to_string(), "must be above 0 and at most 1");
        }
        Ok(())
    }
}

impl Transformer {
    /// The prompt followed by `max_new_tokens` sampled tokens. The model sees the last `n_ctx`
    /// of them at each step.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting out of its range, [`Error::Argument`] for an empty
    /// prompt or a token id out of range.
    pub fn generate(&self, prompt: &[u32], cfg: &GenerateConfig) -> Result<Vec<u32>> {
        cfg.validate()?;
        if prompt.is_empty() {
            return Err(Error::argument(
                "prompt",
                "[]",
                "must hold at least one token, for example the tokenizer's bos()",
            ));
        }
        let model = self.without_gradients();
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let mut tokens = prompt.to_vec();
        for _ in 0..cfg.max_new_tokens {
            let start = tokens.len().saturating_sub(self.cfg().n_ctx);
            let seen =
                Tensor::from_slice(&tokens[start..], (1, tokens.len() - start), self.device())?;
            let logits = model.last_logits(&seen)?.to_vec1::<f32>()?;
            tokens.push(sample(&logits, cfg, &mut rng)?);
        }
        Ok(tokens)
    }
}

/// One token id drawn from `logits` `[d_vocab]`.
fn sample(logits: &[f32], cfg: &GenerateConfig, rng: &mut ChaCha8Rng) -> Result<u32> {
    if let Some(bad) = logits.iter().find(|x| x.is_nan()) {
        return Err(Error::argument(
            "logit",
            bad,
            "the model's logits are not numbers",
        ));
    }
    // Likeliest first; equal logits by id, so that the order is one and the same everywhere.
    let mut ranked: Vec<(usize, f64)> = logits.iter().map(|&x| f64::from(x)).enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    if cfg.temperature == 0.0 {
        return Ok(ranked[0].0 as u32);
    }
    ranked.truncate(cfg.top_k.unwrap_or(ranked.len()));
    let best = ranked[0].1;
    for (_, x) in &mut ranked {
        *x = ((*x - best) / cfg.temperature).exp();
    }
    if let Some(top_p) = cfg.top_p {
        let total: f64 = ranked.iter().map(|(_, p)| p).sum();
        let mut held = 0.0;
        let kept = ranked.iter().take_while(|(_, p)| {
            let needed = held < top_p * total;
            held += p;
            needed
        });
        let kept = kept.count().max(1);
        ranked.truncate(kept);
    }
    let total: f64 = ranked.iter().map(|(_, p)| p).sum();
    let mut left = rng.random::<f64>() * total;
    for (id, p) in &ranked {
        left -= p;
        if left < 0.0 {
            return Ok(*id as u32);
        }
    }
    Ok(ranked[ranked.len() - 1].0 as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(logits: &[f32], cfg: &GenerateConfig, n: usize) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        (0..n)
            .map(|_| sample(logits, cfg, &mut rng).unwrap())
            .collect()
    }

    #[test]
    fn zero_temperature_takes_the_likeliest_and_ties_go_to_the_lowest_id() {
        let cfg = GenerateConfig {
            temperature: 0.0,
            ..GenerateConfig::default()
        };
        assert_eq!(draws(&[0.0, 2.0, 2.0, -1.0], &cfg, 3), [1, 1, 1]);
    }

    #[test]
    fn top_k_keeps_exactly_k_tokens() {
        let cfg = GenerateConfig {
            top_k: Some(2),
            temperature: 100.0,
            ..GenerateConfig::default()
        };
        let mut seen = draws(&[3.0, 1.0, 2.0, 0.0], &cfg, 200);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [0, 2]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_holds_p() {
        // Probabilities 0.5, 0.3, 0.2.
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        for (top_p, expected) in [(0.4, vec![0]), (0.7, vec![0, 1]), (1.0, vec![0, 1, 2])] {
            let cfg = GenerateConfig {
                top_p: Some(top_p),
                ..GenerateConfig::default()
            };
            let mut seen = draws(&logits, &cfg, 300);
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen, expected, "top_p = {top_p}");
        }
    }

    #[test]
    fn samples_follow_the_probabilities() {
        let logits = [0.5f32.ln(), 0.3f32.ln(), 0.2f32.ln()];
        let seen = draws(&logits, &GenerateConfig::default(), 20_000);
        let share = seen.iter().filter(|&&id| id == 0).count() as f64 / 20_000.0;
        // Four standard errors of a share of 0.5 in 20,000 draws.
        assert!((share - 0.5).abs() < 0.0142, "{share}");
    }
}
