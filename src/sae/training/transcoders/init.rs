//! Initialisation. For a transcoder: random encoder directions, and each decoder row along
//! `sum_t acts_t (y_t - mean y)`, the first gradient of a zero decoder (from which sparsify's
//! transcoders start); for a crosscoder random decoder rows and their transpose as encoder (Lindsey et al.
//! 2024). `b_dec` is the mean target, `W_skip` 0 (Paulo et al. 2025); biases leave each feature active on a
//! set share of the tokens; one factor for all encoders minimises the squared error.

use super::step::{FeatureBlock, TranscoderParams, TranscoderStep, gauge};
use crate::config::Architecture;
use crate::config::TranscoderConfig;
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels::{self, product};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use std::ops::Range;

/// Tokens whose pre-activations set the biases.
const SAMPLE: usize = 4_096;

/// Which columns each block reads and writes, site by site.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub d_in: usize,
    pub d_out: usize,
    pub blocks: Vec<(Range<usize>, Vec<Range<usize>>)>,
    pub skip: bool,
    /// The encoder starts as the decoder's transpose: a block reads what it writes.
    pub transposed: bool,
}

/// (Scaled) activations with their means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// `[n, d]`.
    pub rows: &'a [f32],
    /// `[d]`.
    pub mean: &'a [f32],
}

impl Rows<'_> {
    fn check(&self, what: &str) -> Result<()> {
        let d = self.mean.len();
        match first_not_finite_of(self.rows) {
            None => Ok(()),
            Some(i) => Err(Error::NotFiniteAt {
                what: what.to_owned(),
                value: f64::from(self.rows[i]),
                place: format!("row {}, dimension {}", i / d, i % d),
            }),
        }
    }

    /// Rows `picked`, less the mean; `[picked.len(), columns.len()]`.
    fn centred(&self, picked: &[usize], columns: &Range<usize>) -> Vec<f32> {
        let d = self.mean.len();
        let mut centred = Vec::with_capacity(picked.len() * columns.len());
        for i in picked {
            let row = &self.rows[i * d..][..d][columns.clone()];
            centred.extend(
                row.iter()
                    .zip(&self.mean[columns.clone()])
                    .map(|(x, m)| x - m),
            );
        }
        centred
    }
}

/// The initial step; `x` are the inputs, `y` the targets of the same tokens.
pub(super) fn initial_step(
    layout: &Layout,
    cfg: &TranscoderConfig,
    x: Rows,
    y: Rows,
    rng: &mut ChaCha8Rng,
) -> Result<TranscoderStep> {
    x.check("the inputs")?;
    y.check("the targets")?;
    let n = x.rows.len() / layout.d_in;
    let picked: Vec<usize> = (0..SAMPLE.min(n)).map(|_| rng.random_range(0..n)).collect();
    let mut params = TranscoderParams {
        d_in: layout.d_in,
        d_out: layout.d_out,
        blocks: Vec::with_capacity(layout.blocks.len()),
        b_dec: y.mean.to_vec(),
        w_skip: layout.skip.then(|| vec![0.0; layout.d_in * layout.d_out]),
    };
    for (reads, writes) in &layout.blocks {
        let mut block = FeatureBlock {
            reads: reads.clone(),
            writes: writes.clone(),
            w_enc_t: Vec::new(),
            b_enc: Vec::new(),
            w_dec: Vec::new(),
        };
        let x_cent = x.centred(&picked, reads);
        let y_cent = y.centred(&picked, &block.columns());
        start(&mut block, layout.transposed, cfg, (&x_cent, &y_cent), rng);
        // The encoder's inputs are not centred.
        for (b, w) in block
            .b_enc
            .iter_mut()
            .zip(block.w_enc_t.chunks_exact(reads.len()))
        {
            *b -= kernels::dot(w, &x.mean[reads.clone()]);
        }
        params.blocks.push(block);
    }
    let whole = |rows: Rows, d: usize| -> Vec<f32> {
        let picked = picked.iter().flat_map(|i| &rows.rows[i * d..][..d]);
        picked.copied().collect()
    };
    let (x, y) = (whole(x, layout.d_in), whole(y, layout.d_out));
    scale_encoders(&mut params, &x, &y, &cfg.architecture)?;
    if let Architecture::JumpReLU { init_threshold, .. } = cfg.architecture {
        // What was active above 0 is active above the threshold.
        for block in &mut params.blocks {
            let shift = init_threshold as f32;
            block.b_enc.iter_mut().for_each(|b| *b += shift);
        }
    }
    let d_sae = params.d_sae();
    let step = TranscoderStep::new(params, cfg.beta1, cfg.beta2)?;
    match cfg.architecture {
        Architecture::JumpReLU {
            bandwidth,
            init_threshold,
            l0_loss,
            ..
        } => step.with_thresholds(&vec![init_threshold as f32; d_sae], bandwidth, l0_loss),
        ref architecture => selected(step, architecture),
    }
}

/// Adds to the step the selection that depends on the activations alone.
fn selected(step: TranscoderStep, architecture: &Architecture) -> Result<TranscoderStep> {
    match architecture {
        Architecture::TopK { k } => Ok(step.with_top_k(*k)),
        Architecture::BatchTopK { k } => step.with_batch_top_k(*k),
        _ => Ok(step),
    }
}

/// Directions and biases of a block on centred inputs and targets of the same tokens.
fn start(
    block: &mut FeatureBlock,
    transposed: bool,
    cfg: &TranscoderConfig,
    (x, y): (&[f32], &[f32]),
    rng: &mut ChaCha8Rng,
) {
    let (s, d_in, d_out) = (cfg.d_sae, block.d_in(), block.d_out());
    let n = x.len() / d_in;
    let mut normal =
        |n: usize| -> Vec<f32> { StandardNormal.sample_iter(&mut *rng).take(n).collect() };
    let (active, shifts) = match cfg.architecture {
        Architecture::TopK { k } => (k as f64 / s as f64, false),
        Architecture::BatchTopK { k } => (k / s as f64, false),
        _ => (cfg.init_active, true),
    };
    let sites = block.sites();
    block.w_enc_t = normal(s * d_in);
    for w in block.w_enc_t.chunks_exact_mut(d_in) {
        match transposed {
            true => gauge::normalise(w, &sites),
            false => kernels::normalise(w),
        }
    }
    let mut pre = vec![0f32; s * n]; // [d_sae, tokens]
    product(&block.w_enc_t, false, x, true, [s, d_in, n], &mut pre);
    let keep = ((active * n as f64) as usize).clamp(1, n) - 1;
    let quantiles: Vec<f32> = pre
        .par_chunks_exact_mut(n)
        .map(|pre| {
            let mut sorted = pre.to_vec();
            let quantile = *sorted.select_nth_unstable_by(keep, |a, b| b.total_cmp(a)).1;
            let floor = quantile.max(0.0);
            pre.iter_mut()
                .for_each(|p| *p = if *p >= floor { *p } else { 0.0 });
            quantile
        })
        .collect();
    block.b_enc = match shifts {
        true => quantiles.iter().map(|q| -q).collect(),
        false => vec![0.0; s],
    };
    if transposed {
        block.w_dec = block.w_enc_t.clone();
        return;
    }
    block.w_dec = vec![0f32; s * d_out];
    product(&pre, false, y, false, [s, n, d_out], &mut block.w_dec);
    for w in block.w_dec.chunks_exact_mut(d_out) {
        if w.iter().all(|w| *w == 0.0) {
            // No activation gives a direction: any one will do.
            w.copy_from_slice(&normal(d_out));
        }
        gauge::normalise(w, &sites);
    }
}

/// Scales all encoders by the factor that minimises the squared error on `x` and `y`. The set of active features
/// stays the same, so that the error is a parabola in the factor, determined by its values at 0, 1 and 2.
fn scale_encoders(
    params: &mut TranscoderParams,
    x: &[f32],
    y: &[f32],
    architecture: &Architecture,
) -> Result<()> {
    let scaled = |c: f32| {
        let mut p = params.clone();
        for block in &mut p.blocks {
            let encoder = block.w_enc_t.iter_mut().chain(&mut block.b_enc);
            encoder.for_each(|w| *w *= c);
        }
        p
    };
    let error = |c: f32| -> Result<f64> {
        let mut step = selected(TranscoderStep::new(scaled(c), 0.0, 0.0)?, architecture)?;
        let errors = step.squared_errors(x, y)?;
        Ok(errors.iter().map(|&e| f64::from(e)).sum())
    };
    let (e0, e1, e2) = (error(0.0)?, error(1.0)?, error(2.0)?);
    if !(e0 + e1 + e2).is_finite() {
        let reason = "the activations are too large to square";
        let what = "squared error of a reconstruction";
        return Err(Error::argument(what, e0 + e1 + e2, reason));
    }
    let curvature = (e2 - 2.0 * e1 + e0) / 2.0;
    let slope = e1 - e0 - curvature;
    let best = -slope / (2.0 * curvature);
    // Nothing active, or targets that are all the same: all factors are equivalent.
    if best.is_finite() && best > 0.0 {
        *params = scaled(best as f32);
    }
    Ok(())
}
