//! How the language model is trained.

use super::Fields;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// AdamW with warm-up and a cosine schedule on next-token cross-entropy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Sequences a step.
    pub batch_size: usize,
    /// Peak learning rate.
    pub lr: f64,
    /// The schedule ends at `lr * min_lr_frac`.
    pub min_lr_frac: f64,
    /// Steps of linear warm-up from 0.
    pub warmup_steps: usize,
    /// Decoupled weight decay, on matrices only.
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub adam_eps: f64,
    /// Largest global gradient norm; 0 clips nothing.
    pub grad_clip: f64,
    /// Steps between evaluations on the validation set (the last step is always evaluated).
    pub eval_every: usize,
    /// Batches an evaluation; 0: the whole validation set.
    pub eval_batches: usize,
    /// Steps between checkpoints in `run_dir`; 0: only the best and the last.
    pub checkpoint_every: usize,
    /// Where metrics, event files and checkpoints go; `None` keeps all in memory.
    pub run_dir: Option<PathBuf>,
    /// Seed of the data order.
    pub seed: u64,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 400,
            batch_size: 16,
            lr: 2e-3,
            min_lr_frac: 0.1,
            warmup_steps: 20,
            weight_decay: 0.01,
            beta1: 0.9,
            beta2: 0.95,
            adam_eps: 1e-8,
            grad_clip: 1.0,
            eval_every: 100,
            eval_batches: 8,
            checkpoint_every: 0,
            run_dir: None,
            seed: 42_069,
        }
    }
}

impl TrainingConfig {
    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("TrainingConfig");
        fields.at_least_one("batch_size", self.batch_size)?;
        fields.at_least_one("eval_every", self.eval_every)?;
        fields.positive("lr", self.lr)?;
        fields.share("min_lr_frac", self.min_lr_frac)?;
        fields.decay("beta1", self.beta1)?;
        fields.decay("beta2", self.beta2)?;
        fields.positive("adam_eps", self.adam_eps)?;
        fields.not_negative("grad_clip", self.grad_clip)?;
        fields.not_negative("weight_decay", self.weight_decay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn the_defaults_are_valid_and_each_bad_field_is_named() {
        let good = TrainingConfig::default();
        assert!(good.validate().is_ok());
        let cases = [
            (
                "batch_size",
                TrainingConfig {
                    batch_size: 0,
                    ..good.clone()
                },
            ),
            (
                "eval_every",
                TrainingConfig {
                    eval_every: 0,
                    ..good.clone()
                },
            ),
            (
                "lr",
                TrainingConfig {
                    lr: f64::NAN,
                    ..good.clone()
                },
            ),
            (
                "beta2",
                TrainingConfig {
                    beta2: 1.0,
                    ..good.clone()
                },
            ),
            (
                "adam_eps",
                TrainingConfig {
                    adam_eps: 0.0,
                    ..good.clone()
                },
            ),
            (
                "grad_clip",
                TrainingConfig {
                    grad_clip: f64::INFINITY,
                    ..good.clone()
                },
            ),
            (
                "weight_decay",
                TrainingConfig {
                    weight_decay: -0.1,
                    ..good.clone()
                },
            ),
        ];
        for (name, config) in cases {
            let outcome = config.validate();
            assert!(
                matches!(outcome, Err(Error::Config { field, .. }) if field == name),
                "{name}: {outcome:?}"
            );
        }
    }
}
