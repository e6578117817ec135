//! The learner for matching pursuit: it starts from random directions, with the mean of the activations as `b_dec`.
//! The pursuit of scaled activations is that of the unscaled ones, with the threshold in their units.

use super::super::activations::Statistics;
use super::super::record::StepFigures;
use super::super::trainer::{Learner, Rates};
use super::step::PursuitStep;
use crate::config::{Architecture, SaeConfig};
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels::{self, PursuitRules};
use crate::sae::state_dict::Slots;
use crate::sae::variants::{MatchingPursuitSae, Sae};
use candle_core::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, weighted::WeightedAliasIndex};

/// A matching-pursuit dictionary in training.
pub(in crate::sae::training) struct PursuitLearner {
    step: PursuitStep,
}

impl PursuitLearner {
    /// The learner before its first step.
    pub(in crate::sae::training) fn start(
        cfg: &SaeConfig,
        stats: &Statistics,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        let n = cfg.d_sae * cfg.d_in;
        let mut w_dec: Vec<f32> = StandardNormal.sample_iter(rng).take(n).collect();
        w_dec
            .chunks_exact_mut(cfg.d_in)
            .for_each(kernels::normalise);
        Self::of(cfg, w_dec, stats.mean.clone())
    }

    /// A learner of zeros, to be filled from a checkpoint.
    pub(in crate::sae::training) fn empty(cfg: &SaeConfig) -> Result<Self> {
        let w_dec = vec![0.0; cfg.d_sae * cfg.d_in];
        Self::of(cfg, w_dec, vec![0.0; cfg.d_in])
    }

    fn of(cfg: &SaeConfig, w_dec: Vec<f32>, b_dec: Vec<f32>) -> Result<Self> {
        let betas = (cfg.beta1, cfg.beta2);
        let step = PursuitStep::new(w_dec, b_dec, rules_of(cfg)?, betas)?;
        Ok(Self { step })
    }
}

fn rules_of(cfg: &SaeConfig) -> Result<PursuitRules> {
    match cfg.architecture {
        Architecture::MatchingPursuit {
            residual_threshold,
            max_iterations,
            stop_on_duplicate_support,
        } => Ok(PursuitRules {
            residual_threshold,
            max_iterations,
            stop_on_duplicate_support,
        }),
        ref other => {
            let reason = "is not matching pursuit";
            Err(Error::argument("architecture", other.name(), reason))
        }
    }
}

impl Learner for PursuitLearner {
    fn step(&mut self, x: &[f32], rates: Rates) -> Result<StepFigures> {
        self.step.step(x, rates.lr)
    }

    fn moves_dead(&self) -> bool {
        true
    }

    /// Moves dead features to inputs drawn with probability proportional to their squared losses (Bricken et al. 2023).
    fn resample(&mut self, x: &[f32], dead_steps: usize, rng: &mut ChaCha8Rng) -> Result<usize> {
        let silent = self.step.silent.iter().enumerate();
        let dead = silent.filter(|&(_, &silent)| silent as usize >= dead_steps);
        let dead: Vec<usize> = dead.map(|(j, _)| j).collect();
        if dead.is_empty() {
            return Ok(0);
        }
        let errors = self.step.squared_errors(x)?;
        if let Some(i) = first_not_finite_of(&errors) {
            return Err(Error::NotFiniteAt {
                what: "the squared error".to_owned(),
                value: f64::from(errors[i]),
                place: format!("row {i} of the inputs"),
            });
        }
        let weights: Vec<f64> = errors.iter().map(|&e| f64::from(e).powi(2)).collect();
        // No weights where every input is reconstructed exactly.
        let Ok(draw) = WeightedAliasIndex::new(weights) else {
            return Ok(0);
        };
        let d = self.step.b_dec.len();
        for &j in &dead {
            let mut direction = x[draw.sample(rng) * d..][..d].to_vec();
            kernels::add_scaled(-1.0, &self.step.b_dec, &mut direction);
            self.step.replace_feature(j, &direction);
        }
        Ok(dead.len())
    }

    fn silent_steps(&self) -> &[u32] {
        &self.step.silent
    }

    /// None: constraints are not supported.
    fn defect(&self) -> Result<Option<f64>> {
        Ok(None)
    }

    fn slots(&mut self) -> Slots<'_> {
        self.step.slots()
    }

    fn restored(&mut self) -> Result<()> {
        self.step.repack();
        Ok(())
    }

    fn sae(&self, cfg: &SaeConfig, scale: f32, device: &Device) -> Result<Sae> {
        let b_dec: Vec<f32> = self.step.b_dec.iter().map(|b| b / scale).collect();
        let rules = rules_of(cfg)?;
        let rules = PursuitRules {
            residual_threshold: rules.residual_threshold / f64::from(scale),
            ..rules
        };
        let w_dec = Tensor::from_slice(&self.step.w_dec, (cfg.d_sae, cfg.d_in), device)?;
        let b_dec = Tensor::from_vec(b_dec, cfg.d_in, device)?;
        Ok(MatchingPursuitSae::new(w_dec, b_dec, rules)?.into())
    }
}
