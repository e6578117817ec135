//! One autoencoder's run: training on the given batches, and its record.
//! Activations are scaled to a mean norm of `sqrt(d_in)`; the scale is folded in, or remains a factor on the input.

use super::super::activations::Statistics;
use super::super::dictionary::DictionaryLearner;
use super::super::pursuit::PursuitLearner;
use super::super::record::{SaeHistory, Units};
use super::super::temporal::TemporalLearner;
use super::feed::{Feed, Reads};
use super::learner::{Learner, Rates};
use super::schedule::{learning_rate, resamples_at, sparsity_weight};
use crate::config::{Architecture, SaeConfig};
use crate::error::Result;
use crate::model::Transformer;
use crate::sae::state_dict::{Slot, Slots, StateDict};
use crate::sae::variants::Sae;
use candle_core::Device;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Prefix of a run's names in a checkpoint.
const PREFIX: &str = "sae.";

/// A training run of one autoencoder.
pub(super) struct Run<'c> {
    pub cfg: &'c SaeConfig,
    pub history: SaeHistory,
    stats: Statistics,
    learner: Box<dyn Learner>,
    rng: ChaCha8Rng,
    /// Seconds of the earlier parts of a resumed run.
    seconds_before: f64,
}

impl<'c> Run<'c> {
    /// A run on `model` before its first step, with the statistics and the sample of `feed`.
    pub(super) fn start(cfg: &'c SaeConfig, model: &Transformer, feed: &Feed) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let stats = feed.statistics();
        let learner: Box<dyn Learner> = match cfg.architecture {
            Architecture::MatchingPursuit { .. } => {
                Box::new(PursuitLearner::start(cfg, stats, &mut rng)?)
            }
            Architecture::Temporal { .. } => {
                Box::new(TemporalLearner::start(cfg, &stats.mean, model, &mut rng)?)
            }
            _ => {
                let sample = feed.sample();
                Box::new(DictionaryLearner::start(cfg, stats, sample, &mut rng)?)
            }
        };
        Ok(Self {
            cfg,
            history: SaeHistory {
                input_scale: f64::from(stats.scale),
                ..SaeHistory::default()
            },
            stats: stats.clone(),
            learner,
            rng,
            seconds_before: 0.0,
        })
    }

    /// The run of a checkpoint, or why it cannot be restored.
    pub(super) fn resumed(
        cfg: &'c SaeConfig,
        model: &Transformer,
        history: SaeHistory,
        dict: &StateDict,
    ) -> Result<Result<Self, String>> {
        let mut rng = ChaCha8Rng::seed_from_u64(cfg.seed);
        let mean = vec![0.0; cfg.d_in];
        let learner: Box<dyn Learner> = match cfg.architecture {
            Architecture::MatchingPursuit { .. } => Box::new(PursuitLearner::empty(cfg)?),
            Architecture::Temporal { .. } => {
                Box::new(TemporalLearner::start(cfg, &mean, model, &mut rng)?)
            }
            _ => Box::new(DictionaryLearner::empty(cfg)?),
        };
        let mut run = Self {
            cfg,
            stats: Statistics {
                scale: 1.0,
                mean,
                variance: 0.0,
            },
            learner,
            rng,
            seconds_before: history.seconds,
            history,
        };
        let restored = dict.restore(PREFIX, run.slots());
        run.learner.restored()?;
        Ok(restored.map(|()| run))
    }

    /// Adds the state that [`Run::resumed`] needs in addition to the history.
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
            learner,
            rng,
            seconds_before: _,
        } = self;
        let mut slots = learner.slots();
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

    /// The kind of input that it reads.
    pub(super) fn reads(&self) -> Reads {
        Reads::of(self.cfg)
    }

    /// Factor by which the activations have been multiplied.
    pub(super) fn scale(&self) -> f32 {
        self.stats.scale
    }

    /// Whether all steps are done.
    pub(super) fn is_done(&self) -> bool {
        self.history.steps >= self.cfg.steps
    }

    /// Optimiser step `t`, counted from 1, on scaled activations `[n, d_in]`; true when the history has a
    /// new entry.
    pub(super) fn step(&mut self, t: usize, batch: &[f32]) -> Result<bool> {
        let cfg = self.cfg;
        let rates = Rates {
            lr: learning_rate(cfg, t),
            sparsity: sparsity_weight(cfg, t),
        };
        let figures = self.learner.step(batch, rates)?;
        self.history.steps = t;
        self.history.tokens += batch.len() / cfg.d_in;
        let logs = t.is_multiple_of(cfg.log_every) || t == cfg.steps;
        if logs {
            let units = Units {
                scale: f64::from(self.stats.scale),
                variance: self.stats.variance,
                dead_steps: cfg.dead_steps,
            };
            let silent = self.learner.silent_steps();
            self.history.push(t, &figures, silent, units);
            if let Some(defect) = self.learner.defect()? {
                self.history.garden_defect.push((t, defect));
            }
        }
        Ok(logs)
    }

    /// Whether dead features are moved after step `t`.
    pub(super) fn resamples_at(&self, t: usize) -> bool {
        self.learner.moves_dead() && resamples_at(self.cfg, t)
    }

    /// Moves the features that are dead after step `t` to inputs of `sample`, scaled activations.
    pub(super) fn resample(&mut self, t: usize, sample: &[f32]) -> Result<()> {
        let dead_steps = self.cfg.dead_steps;
        let moved = self.learner.resample(sample, dead_steps, &mut self.rng)?;
        self.history.resampled.push((t, moved));
        Ok(())
    }

    /// Records the run's duration; `seconds` is that of the part since it was resumed.
    pub(super) fn took(&mut self, seconds: f64) {
        let history = &mut self.history;
        history.seconds = self.seconds_before + seconds;
        history.tokens_per_second = history.tokens as f64 / history.seconds.max(1e-9);
    }

    /// The trained autoencoder, for unscaled activations.
    pub(super) fn sae(&self, device: &Device) -> Result<Sae> {
        let sae = self.learner.sae(self.cfg, self.stats.scale, device)?;
        Ok(sae.with_hook_name(&self.cfg.hook_name))
    }
}
