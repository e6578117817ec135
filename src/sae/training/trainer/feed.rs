//! The input of a pass' runs: shuffled activations of single tokens, or of whole sequences.

use super::super::activations::{ActivationBuffer, Statistics, first_rows};
use super::super::temporal::Sequences;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::state_dict::StateDict;

/// Number of inputs among which dead features are moved, by their losses.
const RESAMPLE_TOKENS: usize = 8_192;
/// Number of batches of sequences that give the mean, the scale and the variance.
const STATISTICS_BATCHES: usize = 16;

/// The kind of input that a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Shuffled tokens.
    Tokens,
    /// Positions in their order.
    Sequences,
}

impl Reads {
    /// The order in which a pass requests batches. The buffer comes first, because only its call can be interrupted; it
    /// then continues as if it had not been called.
    pub(super) const ALL: [Self; 2] = [Self::Tokens, Self::Sequences];

    pub(super) fn of(cfg: &SaeConfig) -> Self {
        match cfg.architecture {
            Architecture::Temporal { .. } => Self::Sequences,
            _ => Self::Tokens,
        }
    }
}

enum Source {
    Tokens(Box<ActivationBuffer>),
    Sequences(Sequences),
}

/// One stream of batches, scaled.
pub(super) struct Feed {
    source: Source,
    stats: Statistics,
    /// Number of steps whose batches have been drawn.
    given: usize,
    batch: Vec<f32>,
    sample: Vec<f32>,
    /// The step after which `sample` was taken.
    sampled_at: usize,
}

impl Feed {
    /// The stream before the first step.
    pub(super) fn start(
        reads: Reads,
        (model, data): (&Transformer, &Dataset),
        cfg: &SaeConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let (source, stats, mut sample) = match reads {
            Reads::Tokens => {
                let buffer = ActivationBuffer::new_unless(model, data, cfg, stop)?;
                let stats = Statistics::of(buffer.rows(), cfg);
                let sample = first_rows(buffer.rows(), cfg.d_in).to_vec();
                (Source::Tokens(Box::new(buffer)), stats, sample)
            }
            Reads::Sequences => {
                let mut sequences = Sequences::new(model, data, cfg)?;
                let mut rows = Vec::new();
                for _ in 0..STATISTICS_BATCHES {
                    if stop() {
                        let what = "the collection of activations";
                        return Err(Error::Interrupted { what });
                    }
                    rows.extend(sequences.next()?);
                }
                let stats = Statistics::of(&rows, cfg);
                (Source::Sequences(sequences), stats, Vec::new())
            }
        };
        sample.iter_mut().for_each(|v| *v *= stats.scale);
        Ok(Self {
            source,
            stats,
            given: 0,
            batch: Vec::new(),
            sample,
            sampled_at: 0,
        })
    }

    /// The stream of a checkpoint that was written after step `given`, or why it cannot be restored. Activations are
    /// scaled by `scale`.
    pub(super) fn resumed(
        reads: Reads,
        (model, data): (&Transformer, &Dataset),
        cfg: &SaeConfig,
        (numbers, given): (&StateDict, usize),
        scale: f32,
    ) -> Result<Result<Self, String>> {
        let source = match reads {
            Reads::Tokens => match ActivationBuffer::resumed(model, data, cfg, numbers)? {
                Ok(buffer) => Source::Tokens(Box::new(buffer)),
                Err(why) => return Ok(Err(why)),
            },
            Reads::Sequences => {
                let mut sequences = Sequences::new(model, data, cfg)?;
                sequences.seek(STATISTICS_BATCHES + given);
                Source::Sequences(sequences)
            }
        };
        Ok(Ok(Self {
            source,
            stats: Statistics {
                scale,
                mean: Vec::new(),
                variance: 0.0,
            },
            given,
            batch: Vec::new(),
            sample: Vec::new(),
            sampled_at: 0,
        }))
    }

    /// Recomputes the activations whose numbers a checkpoint stores.
    ///
    /// # Errors
    /// Those of the model's runs; [`Error::Interrupted`].
    pub(super) fn harvest_again(
        &mut self,
        numbers: &StateDict,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        match &mut self.source {
            Source::Tokens(buffer) => buffer.harvest_again(numbers, stop),
            Source::Sequences(_) => Ok(()),
        }
    }

    /// The kind of input of this stream.
    pub(super) fn reads(&self) -> Reads {
        match self.source {
            Source::Tokens(_) => Reads::Tokens,
            Source::Sequences(_) => Reads::Sequences,
        }
    }

    /// Statistics of the first activations; complete only for a stream that was started here.
    pub(super) fn statistics(&self) -> &Statistics {
        &self.stats
    }

    /// Number of steps whose batches have been drawn.
    pub(super) fn given(&self) -> usize {
        self.given
    }

    /// The batch of the last step, `[n, d_in]`.
    pub(super) fn batch(&self) -> &[f32] {
        &self.batch
    }

    /// The last sample, `[n, d_in]`: of the first activations, or that of [`Feed::take_sample`].
    pub(super) fn sample(&self) -> &[f32] {
        &self.sample
    }

    /// Advances to the next step's batch.
    ///
    /// # Errors
    /// Those of the model's runs; [`Error::Interrupted`], after which the stream continues as if not called.
    pub(super) fn next(&mut self, cfg: &SaeConfig, stop: &dyn Fn() -> bool) -> Result<()> {
        match &mut self.source {
            Source::Tokens(buffer) => {
                buffer.next_batch_unless(cfg.batch_size, &mut self.batch, stop)?;
            }
            Source::Sequences(sequences) => self.batch = sequences.next()?,
        }
        let scale = self.stats.scale;
        self.batch.iter_mut().for_each(|v| *v *= scale);
        self.given += 1;
        Ok(())
    }

    /// Samples activations for the dead features of step `t`, once per step, without drawing them.
    pub(super) fn take_sample(&mut self, t: usize, cfg: &SaeConfig) -> Result<()> {
        if self.sampled_at == t {
            return Ok(());
        }
        if let Source::Tokens(buffer) = &self.source {
            let n = RESAMPLE_TOKENS.min(cfg.buffer_tokens);
            buffer.sample(n, &mut self.sample)?;
            let scale = self.stats.scale;
            self.sample.iter_mut().for_each(|v| *v *= scale);
        }
        self.sampled_at = t;
        Ok(())
    }

    /// Adds the state that [`Feed::resumed`] needs in addition to the number of steps.
    pub(super) fn keep_in(&mut self, dict: &mut StateDict) {
        match &mut self.source {
            Source::Tokens(buffer) => buffer.keep_in(dict),
            Source::Sequences(_) => {}
        }
    }
}
