//! The interface of what is trained in a run, for any parameters.

use super::super::record::StepFigures;
use crate::config::SaeConfig;
use crate::error::Result;
use crate::sae::state_dict::Slots;
use crate::sae::variants::Sae;
use candle_core::Device;
use rand_chacha::ChaCha8Rng;

/// The rates of one step.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae::training) struct Rates {
    pub lr: f64,
    /// Weight of the sparsity loss.
    pub sparsity: f64,
}

/// Parameters, their optimiser, and other state that changes from step to step. All on scaled activations.
pub(in crate::sae::training) trait Learner {
    /// One optimiser step on `x`, `[n, d_in]`.
    fn step(&mut self, x: &[f32], rates: Rates) -> Result<StepFigures>;

    /// Whether dead features are moved.
    fn moves_dead(&self) -> bool;

    /// Moves the features that have been silent for `dead_steps` steps to inputs of `x`, `[n, d_in]`; returns how many.
    fn resample(&mut self, x: &[f32], dead_steps: usize, rng: &mut ChaCha8Rng) -> Result<usize>;

    /// Steps since each feature was last active, `[d_sae]`.
    fn silent_steps(&self) -> &[u32];

    /// The dictionary's mean garden defect, where it is constrained.
    fn defect(&self) -> Result<Option<f64>>;

    /// All numbers that change. After they are written, [`Learner::restored`] must be called.
    fn slots(&mut self) -> Slots<'_>;

    /// Updates what is derived from the numbers of [`Learner::slots`].
    fn restored(&mut self) -> Result<()>;

    /// The trained autoencoder, for unscaled activations (`scale` is the factor in training); without its hook point.
    fn sae(&self, cfg: &SaeConfig, scale: f32, device: &Device) -> Result<Sae>;
}
