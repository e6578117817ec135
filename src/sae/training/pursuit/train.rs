//! A training run of matching pursuit.

use super::super::activations::{ActivationBuffer, Statistics, first_rows};
use super::super::record::{SaeHistory, StepFigures};
use super::super::trainer::{Learner, learn};
use super::step::PursuitStep;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{Transformer, first_not_finite_of};
use crate::progress::Reporter;
use crate::sae::kernels::{self, PursuitRules};
use crate::sae::variants::MatchingPursuitSae;
use candle_core::Tensor;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, weighted::WeightedAliasIndex};

/// Inputs whose losses decide where dead features go.
const RESAMPLE_TOKENS: usize = 8_192;

/// Trains a matching-pursuit autoencoder, for activations as they are. The pursuit of scaled activations is that of the
/// unscaled ones, with the threshold in their units.
pub(in crate::sae::training) fn train_pursuit(
    model: &Transformer,
    data: &Dataset,
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
) -> Result<(MatchingPursuitSae, SaeHistory)> {
    let rules = rules_of(cfg)?;
    let (run, history) = learn(cfg, reporter, |stop| {
        PursuitRun::start(model, data, cfg, rules, stop)
    })?;
    let scale = run.stats.scale;
    let b_dec: Vec<f32> = run.step.b_dec.iter().map(|b| b / scale).collect();
    let rules = PursuitRules {
        residual_threshold: rules.residual_threshold / f64::from(scale),
        ..rules
    };
    let device = model.device();
    let w_dec = Tensor::from_vec(run.step.w_dec, (cfg.d_sae, cfg.d_in), device)?;
    let b_dec = Tensor::from_vec(b_dec, cfg.d_in, device)?;
    let mut sae = MatchingPursuitSae::new(w_dec, b_dec, rules)?;
    sae.dictionary.hook_name = Some(cfg.hook_name.clone());
    Ok((sae, history))
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

struct PursuitRun<'c> {
    cfg: &'c SaeConfig,
    buffer: ActivationBuffer,
    stats: Statistics,
    step: PursuitStep,
    rng: ChaCha8Rng,
    /// Scaled activations, reused from step to step.
    batch: Vec<f32>,
}

impl<'c> PursuitRun<'c> {
    /// Random directions, `b_dec` the mean of the activations.
    fn start(
        model: &Transformer,
        data: &Dataset,
        cfg: &'c SaeConfig,
        rules: PursuitRules,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let buffer = ActivationBuffer::new_unless(model, data, cfg, stop)?;
        let stats = Statistics::of(first_rows(buffer.rows(), cfg.d_in), cfg);
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let n = cfg.d_sae * cfg.d_in;
        let mut w_dec: Vec<f32> = StandardNormal.sample_iter(&mut rng).take(n).collect();
        w_dec
            .chunks_exact_mut(cfg.d_in)
            .for_each(kernels::normalise);
        let betas = (cfg.beta1, cfg.beta2);
        Ok(Self {
            step: PursuitStep::new(w_dec, stats.mean.clone(), rules, betas)?,
            cfg,
            buffer,
            stats,
            rng,
            batch: Vec::new(),
        })
    }

    fn next_batch(&mut self, n: usize, stop: &dyn Fn() -> bool) -> Result<()> {
        if stop() {
            let what = "training";
            return Err(Error::Interrupted { what });
        }
        self.buffer.next_batch_unless(n, &mut self.batch, stop)?;
        let scale = self.stats.scale;
        self.batch.iter_mut().for_each(|v| *v *= scale);
        Ok(())
    }
}

impl Learner for PursuitRun<'_> {
    fn step(&mut self, lr: f64, stop: &dyn Fn() -> bool) -> Result<StepFigures> {
        self.next_batch(self.cfg.batch_size, stop)?;
        self.step.step(&self.batch, lr)
    }

    /// To inputs drawn with probability proportional to their squared losses (Bricken et al. 2023).
    fn resample(&mut self, stop: &dyn Fn() -> bool) -> Result<usize> {
        let dead: Vec<usize> = (0..self.cfg.d_sae)
            .filter(|&j| self.step.silent[j] as usize >= self.cfg.dead_steps)
            .collect();
        if dead.is_empty() {
            return Ok(0);
        }
        let n = RESAMPLE_TOKENS.min(self.cfg.buffer_tokens);
        self.next_batch(n, stop)?;
        let errors = self.step.squared_errors(&self.batch)?;
        if let Some(i) = first_not_finite_of(&errors) {
            return Err(Error::NotFiniteAt {
                what: "the squared error".to_owned(),
                value: f64::from(errors[i]),
                place: format!("row {i} of the inputs"),
            });
        }
        let weights: Vec<f64> = errors.iter().map(|&e| f64::from(e).powi(2)).collect();
        // Nothing to gain where every input is reconstructed exactly.
        let Ok(draw) = WeightedAliasIndex::new(weights) else {
            return Ok(0);
        };
        let d = self.cfg.d_in;
        for &j in &dead {
            let mut direction = self.batch[draw.sample(&mut self.rng) * d..][..d].to_vec();
            kernels::add_scaled(-1.0, &self.step.b_dec, &mut direction);
            self.step.replace_feature(j, &direction);
        }
        Ok(dead.len())
    }

    fn silent_steps(&self) -> &[u32] {
        &self.step.silent
    }

    fn statistics(&self) -> &Statistics {
        &self.stats
    }

    fn tokens_a_step(&self) -> usize {
        self.cfg.batch_size
    }
}
