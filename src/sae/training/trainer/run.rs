//! One autoencoder's run: what it learns from the batches that it is given, and what it records.
//! Minimises `mean_t |x_hat - x|^2 + l1_coeff mean_t |acts|_1` (TopK: the first term; JumpReLU: L0) over activations
//! scaled to a mean norm of `sqrt(d_in)`; the scale is folded away. Bricken et al. 2023, Gao et al. 2024.

use super::super::activations::{Statistics, unscaled};
use super::super::dictionary::{Constraint, own_parameters};
use super::super::record::{SaeHistory, StepFigures};
use super::super::step::StandardStep;
use super::schedule::{learning_rate, resamples_at, sparsity_weight};
use crate::config::{Architecture, SaeConfig};
use crate::error::Result;
use crate::sae::params::StandardParams;
use crate::sae::state_dict::{Slot, Slots, StateDict};
use crate::sae::variants::{AbsTopKSae, GatedSae, JumpReLUSae, Sae, StandardSae, TopKSae};
use candle_core::{Device, Tensor};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Names in a checkpoint of what a run has.
const PREFIX: &str = "sae.";

/// The first step's state.
fn step_of(cfg: &SaeConfig, params: StandardParams) -> Result<StandardStep> {
    let step = StandardStep::new(params, cfg.beta1, cfg.beta2)?;
    let (aux, dead) = (cfg.aux_coeff, cfg.dead_steps);
    match &cfg.architecture {
        Architecture::Standard { .. } => Ok(step),
        Architecture::Gated { .. } => {
            // At first magnitudes are what the gates are.
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

/// A training run of one autoencoder.
pub(super) struct Run<'c> {
    pub cfg: &'c SaeConfig,
    pub history: SaeHistory,
    stats: Statistics,
    constraint: Constraint,
    step: StandardStep,
    rng: ChaCha8Rng,
    /// Seconds of the parts before this one.
    seconds_before: f64,
}

impl<'c> Run<'c> {
    /// A run before its first step; `sample` are scaled activations, of which `stats` are.
    pub(super) fn start(cfg: &'c SaeConfig, stats: &Statistics, sample: &[f32]) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let constraint = Constraint::new(cfg)?;
        let params = constraint.initial_params(cfg, sample, &stats.mean, &mut rng)?;
        Ok(Self {
            cfg,
            history: SaeHistory {
                input_scale: f64::from(stats.scale),
                ..SaeHistory::default()
            },
            stats: stats.clone(),
            constraint,
            step: step_of(cfg, params)?,
            rng,
            seconds_before: 0.0,
        })
    }

    /// The run of a checkpoint, or why it cannot be.
    pub(super) fn resumed(
        cfg: &'c SaeConfig,
        history: SaeHistory,
        dict: &StateDict,
    ) -> Result<Result<Self, String>> {
        let (d, s) = (cfg.d_in, cfg.d_sae);
        let params = StandardParams {
            d_in: d,
            d_sae: s,
            w_enc_t: vec![0.0; s * d],
            w_dec: vec![0.0; s * d],
            b_enc: vec![0.0; s],
            b_dec: vec![0.0; d],
        };
        let mut run = Self {
            cfg,
            stats: Statistics {
                scale: 1.0,
                mean: vec![0.0; d],
                variance: 0.0,
            },
            constraint: Constraint::new(cfg)?,
            step: step_of(cfg, params)?,
            rng: ChaCha8Rng::seed_from_u64(cfg.seed),
            seconds_before: history.seconds,
            history,
        };
        let restored = dict.restore(PREFIX, run.slots());
        run.step.repack();
        Ok(restored.map(|()| run))
    }

    /// Adds what [`Run::resumed`] needs beside the history.
    pub(super) fn keep_in(&mut self, dict: &mut StateDict) {
        dict.keep(self.slots());
    }

    /// All numbers that change.
    fn slots(&mut self) -> Slots<'_> {
        let Self {
            cfg: _,
            history: _,
            stats:
                Statistics {
                    scale,
                    mean,
                    variance,
                },
            constraint,
            step,
            rng,
            seconds_before: _,
        } = self;
        let mut slots = step.slots();
        match constraint {
            Constraint::Free => {}
            Constraint::Penalty(penalty) => slots.extend(penalty.slots()),
            Constraint::Tied(tied) => slots.extend(tied.slots()),
        }
        slots.extend([
            ("rng".to_owned(), Slot::Rng(rng)),
            ("scale".to_owned(), Slot::F32(std::slice::from_mut(scale))),
            ("mean".to_owned(), Slot::F32(mean)),
            (
                "variance".to_owned(),
                Slot::F64(std::slice::from_mut(variance)),
            ),
        ]);
        for (name, _) in &mut slots {
            name.insert_str(0, PREFIX);
        }
        slots
    }

    /// Factor that the activations have been multiplied by.
    pub(super) fn scale(&self) -> f32 {
        self.stats.scale
    }

    /// Whether all steps are done.
    pub(super) fn is_done(&self) -> bool {
        self.history.steps >= self.cfg.steps
    }

    /// Optimiser step `t`, counted from 1, on scaled activations `[batch_size, d_in]`; true when the
    /// history has a new entry.
    pub(super) fn step(&mut self, t: usize, batch: &[f32]) -> Result<bool> {
        let cfg = self.cfg;
        let (lr, sparsity) = (learning_rate(cfg, t), sparsity_weight(cfg, t));
        let figures = self.constraint.step(&mut self.step, batch, lr, sparsity)?;
        self.history.steps = t;
        self.history.tokens += cfg.batch_size;
        let logs = t.is_multiple_of(cfg.log_every) || t == cfg.steps;
        if logs {
            record(&mut self.history, t, &figures, &self.step, cfg, &self.stats);
            if let Some(defect) = self.constraint.defect(self.step.params())? {
                self.history.garden_defect.push((t, defect));
            }
        }
        Ok(logs)
    }

    /// Whether dead features are moved after step `t`.
    pub(super) fn resamples_at(&self, t: usize) -> bool {
        resamples_at(self.cfg, t)
    }

    /// Moves the features that are dead after step `t` to inputs of `sample`, scaled activations.
    pub(super) fn resample(&mut self, t: usize, sample: &[f32]) -> Result<()> {
        let silent = self.cfg.dead_steps;
        let step = &mut self.step;
        let moved = self
            .constraint
            .resample(step, sample, silent, &mut self.rng)?;
        self.history.resampled.push((t, moved));
        Ok(())
    }

    /// Notes how long the run has taken, the part since it was resumed being `seconds`.
    pub(super) fn took(&mut self, seconds: f64) {
        let history = &mut self.history;
        history.seconds = self.seconds_before + seconds;
        history.tokens_per_second = history.tokens as f64 / history.seconds.max(1e-9);
    }

    /// What has been learnt, for activations as they are.
    pub(super) fn sae(&self, device: &Device) -> Result<Sae> {
        let (cfg, scale) = (self.cfg, self.stats.scale);
        let unscale = |values: &[f32]| values.iter().map(|v| v / scale).collect::<Vec<f32>>();
        let params = unscaled(self.step.params().clone(), scale);
        let mut dictionary = StandardSae::from_params(params, device)?;
        dictionary.hook_name = Some(cfg.hook_name.clone());
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

/// Appends this step's figures, in the model's units.
fn record(
    history: &mut SaeHistory,
    t: usize,
    figures: &StepFigures,
    step: &StandardStep,
    cfg: &SaeConfig,
    stats: &Statistics,
) {
    let scale = f64::from(stats.scale);
    let silent = step
        .silent_steps()
        .iter()
        .filter(|&&s| s as usize >= cfg.dead_steps)
        .count();
    let unexplained = if stats.variance <= 0.0 {
        0.0
    } else {
        figures.l2 / stats.variance
    };
    history.l2.push((t, figures.l2 / (scale * scale)));
    history.l1.push((t, figures.l1 / scale));
    history.l0.push((t, figures.l0));
    history
        .dead_share
        .push((t, silent as f64 / cfg.d_sae as f64));
    history.explained_variance.push((t, 1.0 - unexplained));
}

/// The last figures by name.
pub(super) fn latest(history: &SaeHistory) -> Vec<(&'static str, f64)> {
    let last = |series: &[(usize, f64)]| series.last().map_or(f64::NAN, |&(_, v)| v);
    let mut figures = vec![
        ("l2", last(&history.l2)),
        ("l1", last(&history.l1)),
        ("L0", last(&history.l0)),
        ("dead", last(&history.dead_share)),
        ("explained", last(&history.explained_variance)),
    ];
    if !history.score.is_empty() {
        figures.push(("score", last(&history.score)));
    }
    figures
}
