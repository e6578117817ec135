//! The sites whose activations are trained on, concatenated in a row, each scaled by its own factor.

use super::super::activations::{ActivationBuffer, Statistics, first_rows};
use crate::config::{SaeConfig, TranscoderConfig};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::model::{HookName, Transformer};
use std::ops::Range;

/// A shuffled pool of rows, and statistics of each site.
pub(super) struct Sites {
    pub buffer: ActivationBuffer,
    /// Width of a row.
    pub width: usize,
    pub sites: Vec<Site>,
    /// The factor of each column, `[width]`.
    scales: Vec<f32>,
}

/// One site: its columns, scale, mean and variance.
pub(super) struct Site {
    pub columns: Range<usize>,
    pub stats: Statistics,
}

impl Sites {
    /// A full pool of the activations at these hook points.
    ///
    /// # Errors
    /// [`Error::UnknownHook`] for one that the model does not have; [`Error::Argument`] for one without
    /// one row per token; those of the model's run; [`Error::Interrupted`].
    pub(super) fn collect(
        model: &Transformer,
        data: &Dataset,
        hook_names: &[String],
        cfg: &TranscoderConfig,
        stop: &dyn Fn() -> bool,
    ) -> Result<Sites> {
        let mut hooks = Vec::with_capacity(hook_names.len());
        for name in hook_names {
            let hook = HookName::of_model(name, model.cfg())?;
            let Some(width) = hook.width(model.cfg()) else {
                let reason = "holds values of pairs of tokens, not one row per token";
                return Err(Error::argument("hook_name", name, reason));
            };
            hooks.push((hook, width));
        }
        let width = hooks.iter().map(|(_, width)| width).sum();
        let cfg = cfg.schedule(width);
        let buffer = ActivationBuffer::of_sites(model, data, &hooks, &cfg, stop)?;
        let mut sites: Vec<Site> = Vec::with_capacity(hooks.len());
        let (mut from, mut scales) = (0, Vec::with_capacity(width));
        for (_, d) in hooks {
            let columns = from..from + d;
            from += d;
            let rows = columns_of(first_rows(buffer.rows(), width), width, &columns);
            let stats = Statistics::of(
                &rows,
                &SaeConfig {
                    d_in: d,
                    ..cfg.clone()
                },
            );
            scales.extend(std::iter::repeat_n(stats.scale, d));
            sites.push(Site { columns, stats });
        }
        Ok(Sites {
            buffer,
            width,
            sites,
            scales,
        })
    }

    /// The factor of each of these columns.
    pub(super) fn scales(&self, columns: &Range<usize>) -> &[f32] {
        &self.scales[columns.clone()]
    }

    /// The mean of these columns, scaled.
    pub(super) fn mean(&self, columns: &Range<usize>) -> Vec<f32> {
        let within = self
            .sites
            .iter()
            .filter(|site| site.columns.start >= columns.start && site.columns.end <= columns.end);
        within.flat_map(|site| site.stats.mean.clone()).collect()
    }

    /// The rows for initialisation, scaled.
    pub(super) fn first_rows(&self) -> Vec<f32> {
        let mut rows = first_rows(self.buffer.rows(), self.width).to_vec();
        self.scale(&mut rows);
        rows
    }

    /// The next `n` rows, scaled, into `batch`.
    pub(super) fn next_batch(
        &mut self,
        n: usize,
        batch: &mut Vec<f32>,
        stop: &dyn Fn() -> bool,
    ) -> Result<()> {
        self.buffer.next_batch_unless(n, batch, stop)?;
        self.scale(batch);
        Ok(())
    }

    fn scale(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.width) {
            (row.iter_mut().zip(&self.scales)).for_each(|(v, s)| *v *= s);
        }
    }
}

/// These columns of rows of `width`, `[n, columns.len()]`.
pub(super) fn columns_of(rows: &[f32], width: usize, columns: &Range<usize>) -> Vec<f32> {
    if columns.len() == width {
        return rows.to_vec();
    }
    let rows = rows.chunks_exact(width);
    rows.flat_map(|row| &row[columns.clone()])
        .copied()
        .collect()
}
