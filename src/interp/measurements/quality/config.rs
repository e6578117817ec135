//! What is measured, and on how much.

use crate::error::{Error, Result};

/// Settings of [`super::measure`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasureConfig {
    /// The hook point whose activation the autoencoder reads and replaces.
    pub hook_name: String,
    /// Sequences of `n_ctx` tokens, drawn without replacement; 0: all of the split.
    pub n_sequences: usize,
    /// Sequences of one batch (at least 2: resample ablation takes from another sequence). Fewer are
    /// used where the logits of a batch would need more than 64 MB.
    pub batch_size: usize,
    /// Leaves the first token of each sequence (BOS) as it is in every ablation, and out of all
    /// measures of reconstruction and sparsity. Its activation is often many times as long as others.
    pub exclude_bos: bool,
    /// Resamples of the bootstrap; 0: no intervals.
    pub n_resamples: usize,
    /// Draws the sequences, the sources of resample ablation and the bootstrap.
    pub seed: u64,
}

impl Default for MeasureConfig {
    /// 256 sequences at the first block's MLP, BOS included as in [`crate::interp::reconstruction_score`].
    fn default() -> Self {
        Self {
            hook_name: "blocks.0.mlp.hook_post".to_owned(),
            n_sequences: 256,
            batch_size: 16,
            exclude_bos: false,
            n_resamples: 1_000,
            seed: 0,
        }
    }
}

impl MeasureConfig {
    /// The defaults at another hook point.
    pub fn at(hook_name: &str) -> Self {
        Self {
            hook_name: hook_name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.batch_size < 2 {
            return Err(Error::argument(
                "batch_size",
                self.batch_size,
                "must be at least 2: resample ablation takes activations from another sequence",
            ));
        }
        Ok(())
    }
}
