//! The constraint on a dictionary during training: none, a penalty, or a tied decoder.
//! The kernels' gradients first, then the constraint's part of the chain rule.

use super::super::record::StepFigures;
use super::super::step::StandardStep;
use super::init::{initial_params, params_along};
use super::resample::{resample_dead, resample_dead_tied};
use crate::config::{DictionaryConstraint, SaeConfig};
use crate::error::Result;
use crate::sae::constraints::{
    DictionaryDefect, GardenPairing, GardenPenalty, TiedDecoder, TiedGenerators,
};
use crate::sae::params::StandardParams;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The stream of the seed's random numbers for constraints, so that all other draws are the same
/// with and without one.
const STREAM: u64 = 1;

/// A constraint with its state.
#[derive(Debug)]
pub(super) enum Constraint {
    Free,
    Penalty(Box<GardenPenalty>),
    Tied(TiedDecoder),
}

impl Constraint {
    pub(super) fn new(cfg: &SaeConfig) -> Result<Self> {
        let penalty = |pairing, lambda| {
            let penalty = GardenPenalty::new(pairing, lambda, cfg.d_sae, cfg.seed)?;
            Ok(Self::Penalty(Box::new(penalty)))
        };
        let tied = |generators| {
            let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
            rng.set_stream(STREAM);
            TiedDecoder::new(generators, cfg.d_in, cfg.d_sae, &mut rng).map(Self::Tied)
        };
        match cfg.constraint {
            DictionaryConstraint::Free => Ok(Self::Free),
            DictionaryConstraint::GardenPenalty { lambda } => {
                penalty(GardenPairing::Garden, lambda)
            }
            DictionaryConstraint::ScrambledPenalty { lambda } => {
                penalty(GardenPairing::Scrambled, lambda)
            }
            DictionaryConstraint::RedrawnPenalty { lambda } => {
                penalty(GardenPairing::Redrawn, lambda)
            }
            DictionaryConstraint::HoloraumyTied => tied(TiedGenerators::Holoraumy),
            DictionaryConstraint::RandomTied => tied(TiedGenerators::RandomOrthogonal),
        }
    }

    /// [`initial_params`], with the constraint's decoder.
    pub(super) fn initial_params(
        &self,
        cfg: &SaeConfig,
        rows: &[f32],
        mean: &[f32],
        rng: &mut ChaCha8Rng,
    ) -> Result<StandardParams> {
        match self {
            Self::Free | Self::Penalty(_) => initial_params(cfg, rows, mean, rng),
            Self::Tied(tied) => params_along(cfg, tied.w_dec(), rows, mean, rng),
        }
    }

    pub(super) fn step(
        &mut self,
        step: &mut StandardStep,
        x: &[f32],
        lr: f64,
        l1: f64,
    ) -> Result<StepFigures> {
        match self {
            Self::Free => step.step(x, lr, l1),
            Self::Penalty(penalty) => {
                let (_, gradients) = penalty.gradients(step.params())?;
                step.step_with_penalty(x, lr, l1, gradients)
            }
            Self::Tied(tied) => step.step_tied(x, lr, l1, tied),
        }
    }

    pub(super) fn resample(
        &mut self,
        step: &mut StandardStep,
        x: &[f32],
        silent_steps: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<usize> {
        match self {
            Self::Free | Self::Penalty(_) => resample_dead(step, x, silent_steps, rng),
            Self::Tied(tied) => resample_dead_tied(step, tied, x, silent_steps, rng),
        }
    }

    /// The groups' mean garden defect, if there are groups.
    pub(super) fn defect(&self, params: &StandardParams) -> Result<Option<f64>> {
        match self {
            Self::Free => Ok(None),
            Self::Penalty(_) | Self::Tied(_) => {
                Ok(Some(DictionaryDefect::of(params)?.mean_closure()))
            }
        }
    }
}
