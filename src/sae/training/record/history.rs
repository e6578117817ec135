//! The record of an autoencoder's training run.
//!
//! Losses are per token, means over a batch: l2 summed over `d_in`, l1 summed over `d_sae`.

use super::figures::StepFigures;
use crate::error::Result;
use crate::show::{
    ChartOptions, Figure, MimeBundle, Panel, Show, Trace, line_panels, shows_itself,
};
use serde::{Deserialize, Deserializer, Serialize};

/// The record of one run, returned by [`train_sae`](super::train_sae).
///
/// Every series is `(step, value)` for that step's batch, before its update unless stated
/// otherwise; steps count from 1.
/// Units are those of the model's activations, also where training scaled them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SaeHistory {
    /// Squared error.
    pub l2: Vec<(usize, f64)>,
    /// Sum of the feature activations.
    pub l1: Vec<(usize, f64)>,
    /// Mean number of active features per token.
    pub l0: Vec<(usize, f64)>,
    /// Share of the features silent over the last `SaeConfig::dead_steps` steps.
    pub dead_share: Vec<(usize, f64)>,
    /// `1 - sum |x_hat - x|^2 / sum |x - mean|^2`.
    pub explained_variance: Vec<(usize, f64)>,
    /// Mean garden defect of the groups ([`DictionaryDefect`](crate::sae::DictionaryDefect)) after
    /// that step's update; only where the dictionary was constrained.
    #[serde(default)]
    pub garden_defect: Vec<(usize, f64)>,
    /// Share of the model's loss that the reconstruction recovers, after that step's update, on a few batches of the
    /// validation set: `(zero_abl - recons) / (zero_abl - loss)`, as in
    /// [`reconstruction_score`](crate::interp::reconstruction_score); only with `SaeConfig::score_every`.
    #[serde(default, deserialize_with = "with_nan")]
    pub score: Vec<(usize, f64)>,
    /// `(step, features moved)` of each resampling.
    pub resampled: Vec<(usize, usize)>,
    /// Factor by which activations were multiplied during training (folded into the result).
    pub input_scale: f64,
    /// Optimiser steps done.
    pub steps: usize,
    /// Activation vectors seen.
    pub tokens: usize,
    /// Activation vectors per second, of the whole run.
    pub tokens_per_second: f64,
    /// Total seconds, including the model's runs that fill the buffer.
    pub seconds: f64,
    /// The user stopped the run before its last step.
    pub interrupted: bool,
}

/// JSON has no NaN: it is written as null.
fn with_nan<'de, D: Deserializer<'de>>(json: D) -> Result<Vec<(usize, f64)>, D::Error> {
    let series = Vec::<(usize, Option<f64>)>::deserialize(json)?;
    let number = |(step, value): (usize, Option<f64>)| (step, value.unwrap_or(f64::NAN));
    Ok(series.into_iter().map(number).collect())
}

/// The units of a step's figures.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae::training) struct Units {
    /// Factor between the activations in training and the model's.
    pub scale: f64,
    /// Mean over tokens of `|x - mean|^2` of the activations in training.
    pub variance: f64,
    /// Steps without activity after which a feature is dead.
    pub dead_steps: usize,
}

impl SaeHistory {
    /// Appends the figures of step `t`, in the model's units; `silent`, `[d_sae]`, are the steps since each feature was
    /// last active.
    pub(in crate::sae::training) fn push(
        &mut self,
        t: usize,
        figures: &StepFigures,
        silent: &[u32],
        units: Units,
    ) {
        let Units {
            scale,
            variance,
            dead_steps,
        } = units;
        let dead = silent.iter().filter(|&&s| s as usize >= dead_steps).count();
        // Constant activations: nothing is left to explain.
        let unexplained = if variance <= 0.0 {
            0.0
        } else {
            figures.l2 / variance
        };
        self.l2.push((t, figures.l2 / (scale * scale)));
        self.l1.push((t, figures.l1 / scale));
        self.l0.push((t, figures.l0));
        self.dead_share.push((t, dead as f64 / silent.len() as f64));
        self.explained_variance.push((t, 1.0 - unexplained));
    }

    /// The last figures, by the names for a reporter.
    pub(in crate::sae::training) fn latest(&self) -> Vec<(&'static str, f64)> {
        let last = |series: &[(usize, f64)]| series.last().map_or(f64::NAN, |&(_, v)| v);
        let mut figures = vec![
            ("l2", last(&self.l2)),
            ("l1", last(&self.l1)),
            ("L0", last(&self.l0)),
            ("dead", last(&self.dead_share)),
            ("explained", last(&self.explained_variance)),
        ];
        if !self.score.is_empty() {
            figures.push(("score", last(&self.score)));
        }
        figures
    }

    /// The last figures and the run's size in one line.
    pub fn summary(&self) -> String {
        let last = |series: &[(usize, f64)]| series.last().map_or(f64::NAN, |&(_, v)| v);
        format!(
            "{} steps{}, {} tokens in {:.1} s ({:.0} tokens/s); explained variance {:.3}, L0 {:.1}, dead {:.1} %",
            self.steps,
            if self.interrupted {
                ", interrupted"
            } else {
                ""
            },
            self.tokens,
            self.seconds,
            self.tokens_per_second,
            last(&self.explained_variance),
            last(&self.l0),
            100.0 * last(&self.dead_share),
        )
    }

    /// Unexplained variance and dead share against the step, logarithmic, and below them L0.
    ///
    /// # Errors
    /// [`crate::Error::Draw`] when the chart cannot be drawn.
    pub fn figure(&self) -> Result<Figure> {
        let map = |series: &[(usize, f64)], f: fn(f64) -> f64| -> Vec<(f64, f64)> {
            series
                .iter()
                .map(|&(step, v)| (step as f64, f(v)))
                .collect()
        };
        // Not `max`, which would turn a NaN into the floor.
        fn floored(v: f64) -> f64 {
            if v < 1e-4 { 1e-4 } else { v }
        }
        let shares = vec![
            Trace::new(
                "unexplained variance",
                map(&self.explained_variance, |v| floored(1.0 - v)),
            ),
            Trace::new("dead features", map(&self.dead_share, floored)),
        ];
        let l0 = Trace::new("L0", map(&self.l0, |v| v));
        let panels = [
            Panel::new("share", shares).log_y(),
            Panel::new("L0 (active features a token)", vec![l0]),
        ];
        let options = ChartOptions::new("Training of the autoencoder", "step", "");
        line_panels(&panels, &options.caption(self.summary()))
    }
}

shows_itself!(SaeHistory);

impl Show for SaeHistory {
    /// The figure of the losses.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        self.figure()?.mime_bundle()
    }
}
