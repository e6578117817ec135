//! How the sparse autoencoder is shaped and trained.

use super::{DictionaryConstraint, Fields};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The standard L1 autoencoder of Bricken et al. 2023 or, with `top_k`, the TopK autoencoder of
/// Gao et al. 2024.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaeConfig {
    /// Hook point whose activations are reconstructed, as TransformerLens writes it.
    pub hook_name: String,
    /// Width of those activations.
    pub d_in: usize,
    /// Number of dictionary features.
    pub d_sae: usize,
    /// Of each token's positive activations only so many count, the largest: the TopK autoencoder,
    /// trained by `train_top_k_sae`. None: the standard one, trained by `train_sae`.
    pub top_k: Option<usize>,
    /// What the dictionary is held to.
    pub constraint: DictionaryConstraint,
    /// Weight of the L1 term (of none where `top_k` is set), per token: `loss = mean_t |x_hat - x|^2 + l1_coeff * mean_t |acts|_1`,
    /// in units of the scaled activations where `normalize_activations` is set.
    pub l1_coeff: f64,
    /// Steps over which the L1 weight rises linearly from 0.
    pub l1_warmup_steps: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Activation vectors (tokens) a step.
    pub batch_size: usize,
    /// Peak learning rate of Adam.
    pub lr: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Share of the steps, at the end, over which the learning rate falls linearly to 0.
    pub decay_frac: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// Train on activations scaled to a mean norm of `sqrt(d_in)`, so that `l1_coeff` and `lr` mean
    /// the same for every hook point; the scale is folded into the result.
    pub normalize_activations: bool,
    /// Leave out the first position of every sequence (the beginning-of-sequence token).
    pub skip_bos: bool,
    /// Share of the tokens on which each feature is active at the start (without `top_k`).
    pub init_active: f64,
    /// Activation vectors that the shuffled buffer holds; it is refilled when half empty.
    pub buffer_tokens: usize,
    /// Steps between resamplings of dead features; 0: never.
    pub resample_every: usize,
    /// A feature is dead when it was active in none of this many last steps.
    pub dead_steps: usize,
    /// Resampling stops after this share of the steps.
    pub resample_until_frac: f64,
    /// Steps between entries of the history.
    pub log_every: usize,
    /// Seed of initialisation, buffer order and resampling.
    pub seed: u64,
}

impl Default for SaeConfig {
    fn default() -> Self {
        Self {
            hook_name: "blocks.0.mlp.hook_post".to_owned(),
            d_in: 512,
            d_sae: 4_096,
            top_k: None,
            constraint: DictionaryConstraint::Free,
            l1_coeff: 1.5,
            l1_warmup_steps: 100,
            steps: 1_000,
            batch_size: 1_024,
            lr: 2e-3,
            warmup_steps: 50,
            decay_frac: 0.2,
            beta1: 0.9,
            beta2: 0.99,
            normalize_activations: true,
            skip_bos: false,
            init_active: 0.03,
            buffer_tokens: 131_072,
            resample_every: 250,
            dead_steps: 200,
            resample_until_frac: 0.7,
            log_every: 10,
            seed: 42_069,
        }
    }
}

impl SaeConfig {
    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("SaeConfig");
        fields.at_least_one("d_in", self.d_in)?;
        fields.at_least_one("d_sae", self.d_sae)?;
        fields.at_least_one("batch_size", self.batch_size)?;
        fields.at_least_one("log_every", self.log_every)?;
        fields.at_least_one("dead_steps", self.dead_steps)?;
        if let Some(k) = self.top_k
            && !(1..=self.d_sae).contains(&k)
        {
            let reason = format!("must lie in 1 to d_sae = {}", self.d_sae);
            return fields.bad("top_k", k, &reason);
        }
        self.constraint.validate(self.d_sae)?;
        if self.buffer_tokens < self.batch_size {
            let reason = format!("must hold at least one batch of {}", self.batch_size);
            return fields.bad("buffer_tokens", self.buffer_tokens, &reason);
        }
        fields.positive("lr", self.lr)?;
        fields.not_negative("l1_coeff", self.l1_coeff)?;
        fields.share("decay_frac", self.decay_frac)?;
        fields.some_share("init_active", self.init_active)?;
        fields.share("resample_until_frac", self.resample_until_frac)?;
        fields.decay("beta1", self.beta1)?;
        fields.decay("beta2", self.beta2)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    type Change = fn(&mut SaeConfig);

    #[test]
    fn the_defaults_are_valid_and_each_bad_field_is_named() {
        SaeConfig::default().validate().unwrap();
        let cases: [(&str, Change); 22] = [
            ("d_in", |c| c.d_in = 0),
            ("d_sae", |c| c.d_sae = 0),
            ("batch_size", |c| c.batch_size = 0),
            ("log_every", |c| c.log_every = 0),
            ("dead_steps", |c| c.dead_steps = 0),
            ("top_k", |c| c.top_k = Some(0)),
            ("top_k", |c| c.top_k = Some(c.d_sae + 1)),
            ("constraint", |c| {
                c.d_sae = 100;
                c.constraint = DictionaryConstraint::HoloraumyTied;
            }),
            ("constraint", |c| {
                c.constraint = DictionaryConstraint::GardenPenalty { lambda: -1.0 };
            }),
            ("constraint", |c| {
                c.constraint = DictionaryConstraint::RedrawnPenalty { lambda: f64::NAN };
            }),
            ("buffer_tokens", |c| c.buffer_tokens = c.batch_size - 1),
            ("lr", |c| c.lr = 0.0),
            ("lr", |c| c.lr = f64::NAN),
            ("lr", |c| c.lr = f64::INFINITY),
            ("l1_coeff", |c| c.l1_coeff = -1.0),
            ("l1_coeff", |c| c.l1_coeff = f64::NAN),
            ("init_active", |c| c.init_active = 0.0),
            ("init_active", |c| c.init_active = 1.5),
            ("init_active", |c| c.init_active = f64::NAN),
            ("beta1", |c| c.beta1 = 1.0),
            ("beta2", |c| c.beta2 = -0.1),
            ("beta2", |c| c.beta2 = f64::NAN),
        ];
        for (name, change) in cases {
            let mut cfg = SaeConfig::default();
            change(&mut cfg);
            let outcome = cfg.validate();
            assert!(
                matches!(outcome, Err(Error::Config { field, .. }) if field == name),
                "{name}: {outcome:?}"
            );
        }
    }
}
