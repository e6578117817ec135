//! Sampling text from the model, one token at a time.
//!
//! `p = softmax(logits / temperature)`, cut to the `top_k` likeliest, then to the smallest set
//! that holds `top_p`. Source: Fan et al. 2018 (top-k); Holtzman et al. 2020 (nucleus).

use super::decode::Decoder;
use crate::config::Fields;
use crate::error::{Error, Result};
use crate::model::ops::{Kernel, widest};
use crate::model::transformer::Transformer;
use crate::show::Interrupts;
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
        let fields = Fields("GenerateConfig");
        fields.not_negative("temperature", self.temperature)?;
        if let Some(k) = self.top_k {
            fields.at_least_one("top_k", k)?;
        }
        if let Some(p) = self.top_p {
            fields.some_share("top_p", p)?;
        }
        Ok(())
    }
}

impl Transformer {
    /// The prompt followed by `max_new_tokens` sampled tokens. The model sees the last `n_ctx`
    /// of them at each step. An interrupt returns what has been sampled until then.
    ///
    /// # Errors
    /// [`Error::Config`] for a setting out of its range, [`Error::Argument`] for an empty
    /// prompt or a token id out of range, [`Error::NotFiniteAt`] for a logit of NaN or infinity.
    pub fn generate(&self, prompt: &[u32], cfg: &GenerateConfig) -> Result<Vec<u32>> {
        cfg.validate()?;
        if prompt.is_empty() {
            return Err(Error::argument(
                "prompt",
                "[]",
                "must hold at least one token, for example the tokenizer's bos()",
            ));
        }
        let mut decoder = Decoder::new(self, prompt.len().saturating_add(cfg.max_new_tokens))?;
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let mut tokens = prompt.to_vec();
        let interrupts = Interrupts::listen();
        for _ in 0..cfg.max_new_tokens {
            if interrupts.heard() {
                break;
            }
            // On one of the threads that share the work: each product then starts at once,
            // without waking one up first.
            let logits = rayon::scope(|_| decoder.logits_after(&tokens))?;
            tokens.push(sample(&logits, cfg, &mut rng)?);
        }
        Ok(tokens)
    }
}

/// One token id drawn from `logits` `[d_vocab]`.
fn sample(logits: &[f32], cfg: &GenerateConfig, rng: &mut ChaCha8Rng) -> Result<u32> {
    let largest = widest(Largest(logits));
    // Minus infinity excludes a token; where it excludes all of them, there is nothing to draw.
    let Some(largest) = largest.filter(|l| l.is_finite()) else {
        let bad = |x: &f32| x.is_nan() || *x == f32::INFINITY;
        let id = logits.iter().position(bad).unwrap_or(0);
        return Err(Error::NotFiniteAt {
            what: format!("the logit of token {id}"),
            value: logits.get(id).copied().map_or(f64::NAN, f64::from),
            place: "the text's end; first_non_finite says where it began".to_owned(),
        });
    };
    if cfg.temperature == 0.0 {
        let first = logits.iter().position(|x| *x == largest);
        return Ok(first.unwrap_or_default() as u32);
    }
    let best = f64::from(largest);
    let weight = |id: u32| ((f64::from(logits[id as usize]) - best) / cfg.temperature).exp();
    let everything = 0..logits.len() as u32;
    let kept: Vec<u32> = match (cfg.top_k, cfg.top_p) {
        (None, None) => everything.collect(),
        (Some(k), None) => likeliest_first(logits, k),
        (top_k, Some(top_p)) => {
            let pool = match top_k {
                Some(k) => likeliest_first(logits, k),
                None => everything.collect(),
            };
            let total: f64 = pool.iter().map(|&id| weight(id)).sum();
            nucleus(logits, pool.len(), top_p * total, weight)
        }
    };
    let weights: Vec<f64> = kept.iter().map(|&id| weight(id)).collect();
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    for (id, p) in kept.iter().zip(&weights) {
        left -= p;
        if left < 0.0 {
            return Ok(*id);
        }
    }
    Ok(kept[kept.len() - 1])
}

/// The largest of some logits; `None` if one of them is NaN.
struct Largest<'a>(&'a [f32]);

impl Kernel for Largest<'_> {
    type Output = Option<f32>;

    #[inline(always)]
    fn run(self) -> Option<f32> {
        // As many running maxima as the widest vectors hold.
        let mut lanes = [f32::NEG_INFINITY; 16];
        let mut nan = [0u32; 16];
        let (chunks, tail) = self.0.as_chunks::<16>();
        for chunk in chunks {
            for i in 0..16 {
                nan[i] |= u32::from(chunk[i].is_nan());
                lanes[i] = if chunk[i] > lanes[i] {
                    chunk[i]
                } else {
                    lanes[i]
                };
            }
        }
        let any = nan.iter().any(|n| *n != 0) || tail.iter().any(|x| x.is_nan());
        let largest = lanes
            .iter()
            .chain(tail)
            .fold(f32::NEG_INFINITY, |a, &x| a.max(x));
        (!any).then_some(largest)
    }
}

/// The `k` likeliest tokens, likeliest first; equal logits by id, so that the order is one and
/// the same everywhere. Sorts no more than it returns.
fn likeliest_first(logits: &[f32], k: usize) -> Vec<u32> {
    let order = |&a: &u32, &b: &u32| {
        let (x, y) = (logits[a as usize], logits[b as usize]);
        y.total_cmp(&x).then(a.cmp(&b))
    };
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    if k < ids.len() {
        ids.select_nth_unstable_by(k, order);
        ids.truncate(k);
    }
    ids.sort_unstable_by(order);
    ids
}

/// The fewest of the `n` likeliest tokens that together weigh `wanted`.
fn nucleus(logits: &[f32], n: usize, wanted: f64, weight: impl Fn(u32) -> f64) -> Vec<u32> {
    // Few tokens hold most of the weight, mostly: rank more of them only where they do not.
    let mut k = 64;
    loop {
        let mut ranked = likeliest_first(logits, k.min(n));
        let mut held = 0.0;
        let needed = ranked.iter().position(|&id| {
            held += weight(id);
            held >= wanted
        });
        match needed {
            Some(last) => ranked.truncate(last + 1),
            None if k < n => {
                k *= 8;
                continue;
            }
            None => {}
        }
        return ranked;
    }
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
        // Whole vectors and a rest, the likeliest in each.
        for at in [0, 17, 31, 32, 36] {
            let mut logits = [-3.0; 37];
            logits[at] = -2.0;
            assert_eq!(draws(&logits, &cfg, 1), [at as u32]);
            assert_eq!(likeliest_first(&logits, 1), [at as u32]);
        }
    }

    #[test]
    fn a_logit_that_is_no_number_is_an_error() {
        let cfg = GenerateConfig::default();
        for at in [0, 17, 36] {
            let mut logits = [1.0; 37];
            logits[at] = f32::NAN;
            let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
            assert!(sample(&logits, &cfg, &mut rng).is_err());
        }
    }

    #[test]
    fn infinite_logits_are_an_error_unless_they_exclude_some_tokens() {
        let inf = f32::INFINITY;
        for temperature in [0.0, 1.0] {
            let cfg = GenerateConfig {
                temperature,
                ..GenerateConfig::default()
            };
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut outcome = |logits: &[f32]| sample(logits, &cfg, &mut rng);
            assert_eq!(outcome(&[-inf, 0.5, -inf]).unwrap(), 1);
            let error = outcome(&[0.0, 1.0, inf]).unwrap_err().to_string();
            assert!(error.starts_with("the logit of token 2 is inf"), "{error}");
            assert!(outcome(&[-inf; 3]).is_err());
        }
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
    fn a_nucleus_wider_than_the_first_ranking_is_found() {
        // 200 equal tokens: 0.9 of them are 180, more than are ranked at first.
        let nucleus = nucleus(&[0.0; 200], 200, 0.9 * 200.0, |_| 1.0);
        assert_eq!(nucleus, (0..180).collect::<Vec<u32>>());
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
