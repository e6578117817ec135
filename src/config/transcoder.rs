//! How transcoders, crosscoders and cross-layer transcoders are shaped and trained.

use super::{Architecture, Fields, SaeConfig};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// What a transcoder reads and writes, how wide it is, and how it is trained; also for crosscoders and
/// cross-layer transcoders.
///
/// ```
/// use holoscope::config::{Architecture, TranscoderConfig};
///
/// let cfg = TranscoderConfig {
///     architecture: Architecture::TopK { k: 16 },
///     skip: true,
///     ..TranscoderConfig::default()
/// };
/// cfg.validate().unwrap();
/// assert_eq!(cfg.hooks_of(1), ["blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_out"]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TranscoderConfig {
    /// Hook point that is read; `{layer}` stands for the number of the block.
    pub hook_name: String,
    /// Hook point that is reconstructed; `{layer}` stands for the number of the block.
    pub hook_name_out: String,
    /// Learn a linear path around the features, too (Paulo et al. 2025, arXiv:2501.18823); of transcoders
    /// alone.
    pub skip: bool,
    /// Number of features; of a cross-layer transcoder, of each layer.
    pub d_sae: usize,
    /// Which activations count, and what is paid for them: Standard (ReLU and L1), JumpReLU, TopK or
    /// BatchTopK. `k` is that of each layer. Gates and nested dictionaries there are none.
    pub architecture: Architecture,
    /// Steps over which the weight of the sparsity loss (L1 or L0) rises linearly from 0.
    pub sparsity_warmup_steps: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Tokens a step.
    pub batch_size: usize,
    /// Peak learning rate of Adam.
    pub lr: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Share of the steps, at the end, over which the learning rate falls linearly to 0.
    pub decay_frac: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// Train on activations scaled to a mean norm of `sqrt(d)` at each site, inputs and outputs each by its
    /// own factor; the factors are folded into the result.
    pub normalize_activations: bool,
    /// Leave out the first position of every sequence (the beginning-of-sequence token).
    pub skip_bos: bool,
    /// Share of the tokens on which each feature is active at the start, where the architecture has biases
    /// to say so (TopK and BatchTopK have none).
    pub init_active: f64,
    /// Tokens that the shuffled buffer holds; it is refilled when half empty. A token takes 4 bytes for each
    /// number that is read or reconstructed, of all layers that are trained together.
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

impl Default for TranscoderConfig {
    fn default() -> Self {
        let sae = SaeConfig::default();
        Self {
            hook_name: "blocks.{layer}.ln2.hook_normalized".to_owned(),
            hook_name_out: "blocks.{layer}.hook_mlp_out".to_owned(),
            skip: false,
            d_sae: sae.d_sae,
            architecture: sae.architecture,
            sparsity_warmup_steps: sae.sparsity_warmup_steps,
            steps: sae.steps,
            batch_size: sae.batch_size,
            lr: sae.lr,
            warmup_steps: sae.warmup_steps,
            decay_frac: sae.decay_frac,
            beta1: sae.beta1,
            beta2: sae.beta2,
            normalize_activations: sae.normalize_activations,
            skip_bos: sae.skip_bos,
            init_active: sae.init_active,
            buffer_tokens: 65_536,
            resample_every: sae.resample_every,
            dead_steps: sae.dead_steps,
            resample_until_frac: sae.resample_until_frac,
            log_every: sae.log_every,
            seed: sae.seed,
        }
    }
}

impl TranscoderConfig {
    /// The two hook points of block `layer`: what is read, and what is reconstructed.
    pub fn hooks_of(&self, layer: usize) -> [String; 2] {
        let of = |name: &str| name.replace("{layer}", &layer.to_string());
        [of(&self.hook_name), of(&self.hook_name_out)]
    }

    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("TranscoderConfig");
        match self.architecture {
            Architecture::Standard { .. }
            | Architecture::JumpReLU { .. }
            | Architecture::TopK { .. }
            | Architecture::BatchTopK { .. } => {}
            _ => {
                let reason = "must be Standard, JumpReLU, TopK or BatchTopK";
                return fields.bad("architecture", self.architecture.name(), reason);
            }
        }
        let outcome = self.schedule(1).validate();
        outcome.map_err(|error| match error {
            Error::Config {
                field,
                value,
                reason,
                ..
            } => Error::Config {
                config: "TranscoderConfig",
                field,
                value,
                reason,
            },
            other => other,
        })
    }

    /// What it has in common with an autoencoder of activations `d_in` wide.
    pub(crate) fn schedule(&self, d_in: usize) -> SaeConfig {
        SaeConfig {
            hook_name: self.hook_name.clone(),
            d_in,
            d_sae: self.d_sae,
            architecture: self.architecture.clone(),
            sparsity_warmup_steps: self.sparsity_warmup_steps,
            steps: self.steps,
            batch_size: self.batch_size,
            lr: self.lr,
            warmup_steps: self.warmup_steps,
            decay_frac: self.decay_frac,
            beta1: self.beta1,
            beta2: self.beta2,
            normalize_activations: self.normalize_activations,
            skip_bos: self.skip_bos,
            init_active: self.init_active,
            buffer_tokens: self.buffer_tokens,
            resample_every: self.resample_every,
            dead_steps: self.dead_steps,
            resample_until_frac: self.resample_until_frac,
            log_every: self.log_every,
            seed: self.seed,
            ..SaeConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bad_field_is_named_as_one_of_this_configuration() {
        TranscoderConfig::default().validate().unwrap();
        type Change = fn(&mut TranscoderConfig);
        let cases: [(&str, Change); 7] = [
            ("architecture", |c| {
                c.architecture = Architecture::Gated { l1_coeff: 1.0 };
            }),
            ("architecture", |c| {
                let widths = vec![8];
                c.architecture = Architecture::MatryoshkaBatchTopK { k: 2.0, widths };
            }),
            ("k", |c| c.architecture = Architecture::TopK { k: 0 }),
            ("d_sae", |c| c.d_sae = 0),
            ("lr", |c| c.lr = f64::NAN),
            ("beta2", |c| c.beta2 = 1.0),
            ("buffer_tokens", |c| c.buffer_tokens = c.batch_size - 1),
        ];
        for (name, change) in cases {
            let mut cfg = TranscoderConfig::default();
            change(&mut cfg);
            let outcome = cfg.validate();
            assert!(
                matches!(outcome, Err(Error::Config { config: "TranscoderConfig", field, .. }) if field == name),
                "{name}: {outcome:?}"
            );
        }
    }
}
