//! The loop of a training run whose steps are no [`StandardStep`](super::step::StandardStep)'s: matching pursuit and the
//! temporal autoencoder.

use super::super::activations::Statistics;
use super::super::record::{SaeHistory, StepFigures};
use super::schedule::{learning_rate, resamples_at};
use crate::config::SaeConfig;
use crate::error::{Error, Result};
use crate::progress::{Progress, Reporter};
use std::time::Instant;

/// What learns, and reads its own batches.
pub(in crate::sae::training) trait Learner {
    /// One optimiser step at rate `lr`; [`Error::Interrupted`] where `stop` says so before it has begun.
    fn step(&mut self, lr: f64, stop: &dyn Fn() -> bool) -> Result<StepFigures>;

    /// Moves dead features, if it does that; returns how many.
    fn resample(&mut self, stop: &dyn Fn() -> bool) -> Result<usize>;

    /// Steps since each feature was last active, `[d_sae]`.
    fn silent_steps(&self) -> &[u32];

    /// Of the activations that it learns from.
    fn statistics(&self) -> &Statistics;

    /// Activation vectors of a step.
    fn tokens_a_step(&self) -> usize;
}

/// Trains what `start` makes; returns it with the record. When the user interrupts, what has been learnt so far.
pub(in crate::sae::training) fn learn<L: Learner>(
    cfg: &SaeConfig,
    reporter: &mut dyn Reporter,
    start: impl FnOnce(&dyn Fn() -> bool) -> Result<L>,
) -> Result<(L, SaeHistory)> {
    cfg.validate()?;
    let began = Instant::now();
    let mut progress = Progress::new(reporter, "train SAE", "step", cfg.steps as u64).curves(
        "squared error l2, sum of activations l1 (per token)",
        &["l2", "l1"],
    );
    let started = start(&|| progress.interrupted());
    let mut learner = match started {
        Ok(learner) => learner,
        Err(error) => {
            progress.finish();
            return Err(error);
        }
    };
    let mut history = SaeHistory {
        input_scale: f64::from(learner.statistics().scale),
        ..SaeHistory::default()
    };
    for t in 1..=cfg.steps {
        let figures = match learner.step(learning_rate(cfg, t), &|| progress.interrupted()) {
            Err(Error::Interrupted { .. }) => {
                history.interrupted = true;
                break;
            }
            figures => figures?,
        };
        history.steps = t;
        history.tokens += learner.tokens_a_step();
        if t.is_multiple_of(cfg.log_every) || t == cfg.steps {
            let row = record(&mut history, t, &figures, &learner, cfg);
            progress.update(t as u64, &row);
        }
        if resamples_at(cfg, t) {
            match learner.resample(&|| progress.interrupted()) {
                Err(Error::Interrupted { .. }) => {
                    history.interrupted = true;
                    break;
                }
                moved => history.resampled.push((t, moved?)),
            }
        }
    }
    progress.finish();
    history.seconds = began.elapsed().as_secs_f64();
    history.tokens_per_second = history.tokens as f64 / history.seconds.max(1e-9);
    Ok((learner, history))
}

/// Appends this step's figures, in the model's units, and returns them.
fn record(
    history: &mut SaeHistory,
    t: usize,
    figures: &StepFigures,
    learner: &impl Learner,
    cfg: &SaeConfig,
) -> [(&'static str, f64); 5] {
    let stats = learner.statistics();
    let scale = f64::from(stats.scale);
    let silent = learner.silent_steps().iter();
    let silent = silent.filter(|&&s| s as usize >= cfg.dead_steps).count();
    let unexplained = if stats.variance <= 0.0 {
        0.0
    } else {
        figures.l2 / stats.variance
    };
    let row = [
        ("l2", figures.l2 / (scale * scale)),
        ("l1", figures.l1 / scale),
        ("L0", figures.l0),
        ("dead", silent as f64 / cfg.d_sae as f64),
        ("explained", 1.0 - unexplained),
    ];
    let series = [
        &mut history.l2,
        &mut history.l1,
        &mut history.l0,
        &mut history.dead_share,
        &mut history.explained_variance,
    ];
    for (series, (_, value)) in series.into_iter().zip(row) {
        series.push((t, value));
    }
    row
}
