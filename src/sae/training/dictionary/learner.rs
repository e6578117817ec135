//! An autoencoder with an encoder and a dictionary, with any selection of activations.
//! Minimises `mean_t |x_hat - x|^2 + l1_coeff mean_t |acts|_1` (TopK: the first term; JumpReLU: L0). Bricken et al. 2023,
//! Gao et al. 2024.

use super::super::activations::{Statistics, unscaled};
use super::super::record::StepFigures;
use super::super::step::StandardStep;
use super::super::trainer::{Learner, Rates};
use super::constraint::Constraint;
use super::init::own_parameters;
use crate::config::{Architecture, SaeConfig};
use crate::error::Result;
use crate::sae::params::StandardParams;
use crate::sae::state_dict::Slots;
use crate::sae::variants::{AbsTopKSae, GatedSae, JumpReLUSae, Sae, StandardSae, TopKSae};
use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;

/// The initial training step.
fn step_of(cfg: &SaeConfig, params: StandardParams) -> Result<StandardStep> {
    let step = StandardStep::new(params, cfg.beta1, cfg.beta2)?;
    let (aux, dead) = (cfg.aux_coeff, cfg.dead_steps);
    match &cfg.architecture {
        Architecture::Standard { .. } => Ok(step),
        Architecture::Gated { .. } => {
            // Magnitudes initially equal the gates.
            let b_mag = step.params().b_enc.clone();
            step.with_gates(vec![0.0; cfg.d_sae], b_mag)
        }
        Architecture::TopK { k } => step.with_top_k(*k).with_aux_k(aux, dead),
        Architecture::AbsTopK { k } => step.with_abs_top_k(*k).with_aux_k(aux, dead),
        Architecture::BatchTopK { k } => step.with_batch_top_k(*k, &[])?.with_aux_k(aux, dead),
        Architecture::MatryoshkaBatchTopK { k, widths } => {
            let step = step.with_batch_top_k(*k, widths)?;
            step.with_aux_k(aux, dead)
        }
        Architecture::MatchingPursuit { .. } | Architecture::Temporal { .. } => {
            Err(own_parameters(&cfg.architecture))
        }
        Architecture::JumpReLU {
            bandwidth,
            init_threshold,
            l0_loss,
            ..
        } => {
            let thresholds = vec![*init_threshold as f32; cfg.d_sae];
            step.with_thresholds(thresholds, *bandwidth, *l0_loss)
        }
    }
}

/// A dictionary in training, with its constraint.
pub(in crate::sae::training) struct DictionaryLearner {
    constraint: Constraint,
    step: StandardStep,
}

impl DictionaryLearner {
    /// The learner before its first step; `sample` are scaled activations with statistics `stats`.
    pub(in crate::sae::training) fn start(
        cfg: &SaeConfig,
        stats: &Statistics,
        sample: &[f32],
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let constraint = Constraint::new(cfg)?;
        let params = constraint.initial_params(cfg, sample, &stats.mean, rng)?;
        let step = step_of(cfg, params)?;
        Ok(Self { constraint, step })
    }

    /// A learner of zeros, to be filled from a checkpoint.
    pub(in crate::sae::training) fn empty(cfg: &SaeConfig) -> Result<Self> {
        let (d, s) = (cfg.d_in, cfg.d_sae);
        let params = StandardParams {
            d_in: d,
            d_sae: s,
            w_enc_t: vec![0.0; s * d],
            w_dec: vec![0.0; s * d],
            b_enc: vec![0.0; s],
            b_dec: vec![0.0; d],
        };
        let constraint = Constraint::new(cfg)?;
        let step = step_of(cfg, params)?;
        Ok(Self { constraint, step })
    }
}

impl Learner for DictionaryLearner {
    fn step(&mut self, x: &[f32], rates: Rates) -> Result<StepFigures> {
        let Rates { lr, sparsity } = rates;
        self.constraint.step(&mut self.step, x, lr, sparsity)
    }

    fn moves_dead(&self) -> bool {
        true
    }

    fn resample(&mut self, x: &[f32], dead_steps: usize, rng: &mut ChaCha8Rng) -> Result<usize> {
        self.constraint.resample(&mut self.step, x, dead_steps, rng)
    }

    fn silent_steps(&self) -> &[u32] {
        self.step.silent_steps()
    }

    fn defect(&self) -> Result<Option<f64>> {
        self.constraint.defect(self.step.params())
    }

    fn slots(&mut self) -> Slots<'_> {
        let Self { constraint, step } = self;
        let mut slots = step.slots();
        match constraint {
            Constraint::Free => {}
            Constraint::Penalty(penalty) => slots.extend(penalty.slots()),
            Constraint::Tied(tied) => slots.extend(tied.slots()),
        }
        slots
    }

    fn restored(&mut self) -> Result<()> {
        self.step.repack();
        Ok(())
    }

    fn sae(&self, cfg: &SaeConfig, scale: f32, device: &Device) -> Result<Sae> {
        let unscale = |values: &[f32]| values.iter().map(|v| v / scale).collect::<Vec<f32>>();
        let params = unscaled(self.step.params().clone(), scale);
        let dictionary = StandardSae::from_params(params, device)?;
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, cfg.d_sae, device);
        if let Some((r_mag, b_mag)) = self.step.magnitudes() {
            let (r_mag, b_mag) = (tensor(r_mag.to_vec())?, tensor(unscale(b_mag))?);
            return Ok(GatedSae::new(dictionary, r_mag, b_mag)?.into());
        }
        let thresholds = self.step.thresholds().map(|all| unscale(&all));
        let sae = match (&cfg.architecture, thresholds) {
            (_, Some(thresholds)) => JumpReLUSae::new(dictionary, tensor(thresholds)?)?.into(),
            (Architecture::TopK { k }, None) => TopKSae::new(dictionary, *k)?.into(),
            (Architecture::AbsTopK { k }, None) => AbsTopKSae::new(dictionary, *k)?.into(),
            (_, None) => dictionary.into(),
        };
        Ok(sae)
    }
}
