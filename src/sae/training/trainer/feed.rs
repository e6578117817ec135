//! What the runs of a pass learn from: shuffled activations of single tokens, or whole sequences of them.

use super::super::activations::{ActivationBuffer, Statistics, first_rows};
use super::super::temporal::Sequences;
use crate::config::{Architecture, SaeConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::sae::state_dict::StateDict;

/// Inputs whose losses decide where dead features go.
const RESAMPLE_TOKENS: usize = 8_192;
/// Batches of sequences whose activations give the mean, the scale and the variance.
const STATISTICS_BATCHES: usize = 16;

/// Which of the two a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// Shuffled tokens, in no order.
    Tokens,
    /// Positions in their order.
    Sequences,
}

impl Reads {
    /// The order in which a pass asks for batches. The buffer may be interrupted and goes on then as if it had not been
    /// asked, so that it comes first.
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
    /// Steps whose batches have been given out.
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

    /// The stream of a checkpoint that was written after step `given`, or why it cannot be; `harvest`: whether it will be
    /// read. Activations are scaled by `scale`.
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

    /// Collects again what a checkpoint only names.
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

    /// What its runs read.
    pub(super) fn reads(&self) -> Reads {
        match self.source {
            Source::Tokens(_) => Reads::Tokens,
            Source::Sequences(_) => Reads::Sequences,
        }
    }

    /// Of the first activations; known where the stream was started here.
    pub(super) fn statistics(&self) -> &Statistics {
        &self.stats
    }

    /// Steps whose batches have been given out.
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

    /// Goes on to the next step's batch.
    ///
    /// # Errors
    /// Those of the model's runs; [`Error::Interrupted`], after which the stream goes on as if it had not been asked.
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

    /// Takes activations for the dead features of step `t`, once, without giving them out.
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

    /// Adds what [`Feed::resumed`] needs beside the number of steps.
    pub(super) fn keep_in(&mut self, dict: &mut StateDict) {
        match &mut self.source {
            Source::Tokens(buffer) => buffer.keep_in(dict),
            Source::Sequences(_) => {}
        }
    }
}
