//! One map in training: its columns of the rows, its step, its record.

use super::super::record::{SaeHistory, StepFigures, Units};
use super::init::{Layout, Rows, initial_step};
use super::resample::resample_dead;
use super::sites::{Sites, columns_of};
use super::step::{TranscoderParams, TranscoderStep};
use crate::config::TranscoderConfig;
use crate::error::Result;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

/// A map to be trained: the columns of its input and its target in a row.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub x: Range<usize>,
    pub y: Range<usize>,
    pub layout: Layout,
    /// Feature activations are converted to the units of the target, which has one scale.
    pub acts_in_units_of_target: bool,
}

/// A map in training.
pub(super) struct Coder {
    plan: Plan,
    pub step: TranscoderStep,
    pub history: SaeHistory,
    /// Factors of the input's and the target's columns.
    scales: (Vec<f32>, Vec<f32>),
    mean_x: Vec<f32>,
    /// Mean over tokens of `|y - mean|^2`, scaled.
    variance: f64,
    x: Vec<f32>,
    y: Vec<f32>,
}

/// A trained map of unscaled activations.
pub(super) struct Trained {
    pub params: TranscoderParams,
    /// Thresholds of the activations, block by block `[d_sae]`, where thresholds decide.
    pub thresholds: Option<Vec<Vec<f32>>>,
    pub history: SaeHistory,
}

impl Coder {
    pub(super) fn start(
        plan: Plan,
        cfg: &TranscoderConfig,
        sites: &Sites,
        rng: &mut ChaCha8Rng,
    ) -> Result<Coder> {
        let rows = sites.first_rows();
        let x = columns_of(&rows, sites.width, &plan.x);
        let y = columns_of(&rows, sites.width, &plan.y);
        let (mean_x, mean_y) = (sites.mean(&plan.x), sites.mean(&plan.y));
        let of = |rows, mean| Rows { rows, mean };
        let step = initial_step(&plan.layout, cfg, of(&x, &mean_x), of(&y, &mean_y), rng)?;
        let scales = (
            sites.scales(&plan.x).to_vec(),
            sites.scales(&plan.y).to_vec(),
        );
        let written = sites
            .sites
            .iter()
            .filter(|site| site.columns.start >= plan.y.start && site.columns.end <= plan.y.end);
        Ok(Coder {
            history: SaeHistory {
                input_scale: geometric_mean(&scales.0),
                ..SaeHistory::default()
            },
            variance: written.map(|site| site.stats.variance).sum(),
            plan,
            step,
            scales,
            mean_x,
            x: Vec::new(),
            y: Vec::new(),
        })
    }

    fn take(&mut self, batch: &[f32], width: usize) {
        self.x = columns_of(batch, width, &self.plan.x);
        self.y = columns_of(batch, width, &self.plan.y);
    }

    /// One optimiser step on rows of all sites.
    pub(super) fn step(
        &mut self,
        batch: &[f32],
        width: usize,
        lr: f64,
        sparsity_weight: f64,
    ) -> Result<StepFigures> {
        self.take(batch, width);
        let figures = self.step.step(&self.x, &self.y, lr, sparsity_weight)?;
        self.history.steps += 1;
        self.history.tokens += batch.len() / width;
        Ok(figures)
    }

    /// Moves the features that are dead after step `t`.
    pub(super) fn resample(
        &mut self,
        t: usize,
        batch: &[f32],
        width: usize,
        silent_steps: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<()> {
        self.take(batch, width);
        let rows = (&self.x[..], &self.y[..]);
        let moved = resample_dead(&mut self.step, rows, &self.mean_x, silent_steps, rng)?;
        self.history.resampled.push((t, moved));
        Ok(())
    }

    /// Appends a step's figures: in the model's units if the target has one scale, else in scaled ones.
    pub(super) fn record(&mut self, t: usize, figures: &StepFigures, dead_steps: usize) {
        let units = Units {
            scale: self.acts_scale(),
            variance: self.variance,
            dead_steps,
        };
        let silent = self.step.silent_steps();
        self.history.push(t, figures, &silent, units);
    }

    /// The factor by which feature activations are divided at the end.
    fn acts_scale(&self) -> f64 {
        match self.plan.acts_in_units_of_target {
            true => f64::from(self.scales.1[0]),
            false => 1.0,
        }
    }

    /// The map of unscaled activations.
    pub(super) fn finish(self, seconds: f64) -> Trained {
        let factor = (1.0 / self.acts_scale()) as f32;
        let thresholds = self.step.thresholds().map(|mut blocks| {
            let all = blocks.iter_mut().flatten();
            all.for_each(|theta| *theta *= factor);
            blocks
        });
        let (of_input, of_output) = &self.scales;
        let params = self.step.into_params().unscaled(of_input, of_output);
        let mut history = self.history;
        history.seconds = seconds;
        history.tokens_per_second = history.tokens as f64 / seconds.max(1e-9);
        Trained {
            params: params.with_acts_times(factor),
            thresholds,
            history,
        }
    }
}

fn geometric_mean(scales: &[f32]) -> f64 {
    let logs: f64 = scales.iter().map(|&s| f64::from(s).ln()).sum();
    (logs / scales.len().max(1) as f64).exp()
}
