//! How the sparse autoencoder is shaped and trained.

use super::{Architecture, DictionaryConstraint, Fields};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What an autoencoder reads, how wide it is, and how it is trained.
///
/// ```
/// use holoscope::config::{Architecture, SaeConfig};
///
/// let cfg = SaeConfig { architecture: Architecture::TopK { k: 32 }, ..SaeConfig::default() };
/// cfg.validate().unwrap();
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SaeConfig {
    /// Hook point whose activations are reconstructed, as TransformerLens writes it.
    pub hook_name: String,
    /// Width of those activations.
    pub d_in: usize,
    /// Number of dictionary features.
    pub d_sae: usize,
    /// Which autoencoder, with the settings that only that one has.
    pub architecture: Architecture,
    /// What the dictionary is held to.
    pub constraint: DictionaryConstraint,
    /// Weight of the AuxK loss, by which dead features reconstruct what the others leave over (Gao et al. 2024,
    /// arXiv:2406.04093, appendix A.2: 1/32 of normalised errors; SAELens: 1): `loss += aux_coeff
    /// min(n_dead / k_aux, 1) mean_t |e_hat - e|^2`, `k_aux = d_in / 2`. Only TopK, AbsTopK, BatchTopK and its Matryoshka
    /// form have it; 0: none. Resampling goes on beside it unless `resample_every` is 0.
    pub aux_coeff: f64,
    /// Steps over which the weight of the sparsity loss (L1 or L0) rises linearly from 0.
    pub sparsity_warmup_steps: usize,
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
    /// Train on activations scaled to a mean norm of `sqrt(d_in)`, so that the sparsity weight and `lr` mean
    /// the same for every hook point; the scale is folded into the result.
    pub normalize_activations: bool,
    /// Leave out the first position of every sequence (the beginning-of-sequence token).
    pub skip_bos: bool,
    /// Share of the tokens on which each feature is active at the start, where the architecture has biases to say so
    /// (TopK and BatchTopK have none).
    pub init_active: f64,
    /// Activation vectors that the shuffled buffer holds; it is refilled when half empty.
    pub buffer_tokens: usize,
    /// Steps between resamplings of dead features; 0: never.
    pub resample_every: usize,
    /// A feature is dead, for resampling and AuxK, when it was active in none of this many last steps.
    pub dead_steps: usize,
    /// Resampling stops after this share of the steps.
    pub resample_until_frac: f64,
    /// Steps between entries of the history.
    pub log_every: usize,
    /// Steps between measurements of the share of the model's loss that the reconstruction recovers, on a few batches of
    /// the validation set (`SaeHistory::score`); 0: never.
    pub score_every: usize,
    /// Steps between checkpoints in `run_dir`; 0: only at the end and at an interrupt.
    pub checkpoint_every: usize,
    /// Folder for the configuration and the checkpoints, from which `resume_sae` goes on; `None` keeps all in memory.
    pub run_dir: Option<PathBuf>,
    /// Seed of initialisation, buffer order and resampling.
    pub seed: u64,
}

impl Default for SaeConfig {
    fn default() -> Self {
        Self {
            hook_name: "blocks.0.mlp.hook_post".to_owned(),
            d_in: 512,
            d_sae: 4_096,
            architecture: Architecture::default(),
            constraint: DictionaryConstraint::Free,
            aux_coeff: 0.0,
            sparsity_warmup_steps: 100,
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
            score_every: 0,
            checkpoint_every: 0,
            run_dir: None,
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
        self.architecture.validate(self.d_sae, self.batch_size)?;
        self.constraint.validate(self.d_sae)?;
        let own_decoder = matches!(
            self.architecture,
            Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. }
        );
        if own_decoder && self.constraint != DictionaryConstraint::Free {
            let reason = format!("{} takes none: it must be Free", self.architecture.name());
            return fields.bad("constraint", format!("{:?}", self.constraint), &reason);
        }
        fields.not_negative("aux_coeff", self.aux_coeff)?;
        if self.aux_coeff > 0.0 && !self.architecture.keeps_largest() {
            let reason = format!(
                "must be 0 for {}: only topk, abstopk, batchtopk and matryoshka_batchtopk have an AuxK loss",
                self.architecture.name()
            );
            return fields.bad("aux_coeff", self.aux_coeff, &reason);
        }
        if self.buffer_tokens < self.batch_size {
            let reason = format!("must hold at least one batch of {}", self.batch_size);
            return fields.bad("buffer_tokens", self.buffer_tokens, &reason);
        }
        fields.positive("lr", self.lr)?;
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
            ("k", |c| c.architecture = Architecture::TopK { k: 0 }),
            ("k", |c| {
                c.architecture = Architecture::TopK { k: c.d_sae + 1 };
            }),
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
            ("l1_coeff", |c| {
                c.architecture = Architecture::Standard { l1_coeff: -1.0 };
            }),
            ("l1_coeff", |c| {
                c.architecture = Architecture::Standard { l1_coeff: f64::NAN };
            }),
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
