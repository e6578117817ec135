//! One optimiser step of a transcoder, crosscoder or cross-layer transcoder, with manual gradients, in f32 on the CPU.
//! `loss = mean_t |y_hat - y|^2 + l1 mean_t sum_j acts_j` (JumpReLU: L0); gradients only where acts count.
//! Dunefsky et al. 2024 (arXiv:2406.11944), Lindsey et al. 2024, Ameisen et al. 2025; lists as in Gao et al. 2024.

use super::gauge;
use super::params::{FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams};
use super::state::{Rule, State};
use super::work::Work;
use crate::config::L0Loss;
use crate::error::{Error, Result};
use crate::model::first_not_finite_of;
use crate::sae::kernels::{AdamStep, Moments};
use crate::sae::training::record::StepFigures;
use crate::sae::training::selection::{BatchTopK, JumpRule, Sparsity, Thresholds};
use std::ops::Range;

/// The trainable state: parameters, Adam's moments, and buffers reused from step to step.
///
/// Decoder rows are held to a length of 1 (summed over the sites that they write), which fixes the scale
/// that could be moved between a feature's activation and its decoder row. Unlike
/// [`StandardStep`](crate::sae::StandardStep) it subtracts nothing from its input and has no dense path
/// for many active features.
#[derive(Debug)]
pub struct TranscoderStep {
    pub(in crate::sae::training::transcoders) state: State,
    beta1: f64,
    beta2: f64,
    steps: usize,
    work: Work,
}

impl TranscoderStep {
    /// Starts training from `params`, whose decoder rows are scaled to length 1, with Adam's two decay
    /// rates, both in [0, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] naming the first thing that does not fit the widths;
    /// [`Error::Argument`] for a decay rate out of its range.
    pub fn new(mut params: TranscoderParams, beta1: f64, beta2: f64) -> Result<Self> {
        params.check()?;
        for (what, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::argument(what, beta, "must lie in [0, 1)"));
            }
        }
        params.normalise();
        Ok(Self {
            state: State::new(params),
            beta1,
            beta2,
            steps: 0,
            work: Work::default(),
        })
    }

    /// Of each token's positive activations only the `k` largest of each block count; the first of equal
    /// ones.
    pub fn with_top_k(mut self, k: usize) -> Self {
        self.state.select(|_| Rule::ByToken);
        for block in &mut self.state.blocks {
            block.packed.top_k = Some(k);
        }
        self
    }

    /// Of the positive activations of a whole batch of n tokens only the `floor(k n)` largest of each
    /// block count; the first of equal ones.
    ///
    /// # Errors
    /// [`Error::Argument`] for a `k` that is not positive and finite.
    pub fn with_batch_top_k(mut self, k: f64) -> Result<Self> {
        if !(k > 0.0 && k.is_finite()) {
            return Err(Error::argument("k", k, "must be positive and finite"));
        }
        let sizes: Vec<usize> = self.state.params.blocks.iter().map(|b| b.d_sae()).collect();
        self.state.select(|b| {
            Rule::Batch(BatchTopK {
                k,
                widths: vec![sizes[b]],
                threshold: 0.0,
            })
        });
        Ok(self)
    }

    /// An activation counts where it is above its feature's threshold, which is trained with a
    /// straight-through estimate of `bandwidth`; the sparsity weight is that of `l0_loss`. A feature that
    /// is reset gets the mean of its block's `thresholds`, which are those of all blocks one after
    /// the other.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is not one threshold per feature; [`Error::Argument`] for one that is
    /// negative or not finite, or a bandwidth that is not positive.
    pub fn with_thresholds(
        mut self,
        thresholds: &[f32],
        bandwidth: f64,
        l0_loss: L0Loss,
    ) -> Result<Self> {
        let d_sae = self.state.params.d_sae();
        if thresholds.len() != d_sae {
            return Err(Error::shape("thresholds", [d_sae], [thresholds.len()]));
        }
        if let Some(bad) = thresholds.iter().find(|t| !(**t >= 0.0 && t.is_finite())) {
            let reason = "must be at least 0 and finite";
            return Err(Error::argument("threshold", bad, reason));
        }
        if !(bandwidth > 0.0 && bandwidth.is_finite()) {
            let reason = "must be positive and finite";
            return Err(Error::argument("bandwidth", bandwidth, reason));
        }
        let ranges = self.feature_ranges();
        self.state.select(|b| {
            let theta = thresholds[ranges[b].clone()].to_vec();
            let sum: f64 = theta.iter().map(|&t| f64::from(t)).sum();
            Rule::Thresholds(Thresholds {
                initial: (sum / theta.len() as f64) as f32,
                moments: Moments::zeros(theta.len()),
                theta,
                rule: JumpRule {
                    bandwidth: bandwidth as f32,
                    l0_loss,
                },
            })
        });
        Ok(self)
    }

    /// The range of each block's features among all.
    fn feature_ranges(&self) -> Vec<Range<usize>> {
        let mut from = 0;
        let blocks = self.state.params.blocks.iter();
        let range = |block: &FeatureBlock| {
            from += block.d_sae();
            from - block.d_sae()..from
        };
        blocks.map(range).collect()
    }

    /// The current parameters.
    pub fn params(&self) -> &TranscoderParams {
        &self.state.params
    }

    /// Ends training and returns the parameters.
    pub fn into_params(self) -> TranscoderParams {
        self.state.params
    }

    /// Optimiser steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps since each feature was last active, of all blocks one after the other.
    pub fn silent_steps(&self) -> Vec<u32> {
        let blocks = self.state.blocks.iter();
        blocks.flat_map(|block| block.silent.clone()).collect()
    }

    /// The value that each feature's activation must exceed to count outside a batch, block by block
    /// `[d_sae]`: the trained thresholds, or the running mean of the least activation among a
    /// batch's largest. None where each token's activations decide.
    pub fn thresholds(&self) -> Option<Vec<Vec<f32>>> {
        let blocks = self.state.blocks.iter().zip(&self.state.params.blocks);
        blocks
            .map(|(state, params)| match &state.rule {
                Rule::ByToken => None,
                Rule::Batch(batch) => Some(vec![batch.threshold as f32; params.d_sae()]),
                Rule::Thresholds(thresholds) => Some(thresholds.theta.clone()),
            })
            .collect()
    }

    /// Whether features compete: only the largest activations, of a token or of a batch, count.
    pub(in crate::sae::training::transcoders) fn keeps_largest(&self) -> bool {
        self.state
            .blocks
            .iter()
            .any(|block| block.packed.top_k.is_some() || matches!(block.rule, Rule::Batch(_)))
    }

    /// One step on inputs `x`, `[n, d_in]`, and targets `y`, `[n, d_out]`: gradients, Adam, decoder rows
    /// scaled to length 1. `sparsity_weight` is that of L1, or of L0 with
    /// [`TranscoderStep::with_thresholds`].
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` or `y` is empty, ends within a row, or they are of different lengths;
    /// [`Error::Argument`] for a rate or a weight that is negative or not finite; [`Error::NotFinite`]
    /// when the loss is not finite, naming the input, the target or the parameter that is the cause.
    /// The state is then unchanged.
    pub fn step(
        &mut self,
        x: &[f32],
        y: &[f32],
        lr: f64,
        sparsity_weight: f64,
    ) -> Result<StepFigures> {
        for (what, value) in [("learning rate", lr), ("sparsity weight", sparsity_weight)] {
            if !(value >= 0.0 && value.is_finite()) {
                let reason = "must be at least 0 and finite";
                return Err(Error::argument(what, value, reason));
            }
        }
        let figures = self.forward(x, y)?;
        if !(figures.l2 + figures.l1).is_finite() {
            return Err(self.not_finite(x, y, &figures));
        }
        for (state, work) in self.state.blocks.iter_mut().zip(&self.work.blocks) {
            if let Rule::Batch(batch) = &mut state.rule {
                batch.saw(work.least);
            }
        }
        let sparsity = self.sparsity(y, sparsity_weight);
        self.steps += 1;
        let adam = AdamStep::new(lr, self.beta1, self.beta2, self.steps);
        self.state.update(&self.work, x, &adam, sparsity);
        Ok(figures)
    }

    /// Figures and gradients of the loss on `x`, `[n, d_in]`, and `y`, `[n, d_out]`, without an update. Those
    /// of decoder rows are before the projection that preserves their length.
    ///
    /// # Errors
    /// As [`TranscoderStep::step`].
    pub fn gradients(
        &mut self,
        x: &[f32],
        y: &[f32],
        sparsity_weight: f64,
    ) -> Result<(StepFigures, TranscoderGrads)> {
        let figures = self.forward(x, y)?;
        let sparsity = self.sparsity(y, sparsity_weight);
        let (params, work) = (&self.state.params, &self.work);
        let blocks = params
            .blocks
            .iter()
            .zip(&self.state.blocks)
            .zip(&work.blocks);
        let blocks = blocks.map(|((block, state), work)| {
            let mut grads = FeatureBlockGrads {
                w_enc_t: vec![0.0; block.w_enc_t.len()],
                b_enc: vec![0.0; block.d_sae()],
                w_dec: vec![0.0; block.w_dec.len()],
                threshold: vec![0.0; block.d_sae()],
            };
            let rows = (grads.w_enc_t.chunks_exact_mut(block.d_in()))
                .zip(grads.w_dec.chunks_exact_mut(block.d_out()));
            let w_dec = block.w_dec.chunks_exact(block.d_out());
            for (j, ((gw_enc, gw_dec), w_dec)) in rows.zip(w_dec).enumerate() {
                let jump = match &state.rule {
                    Rule::Thresholds(t) => Some((t.theta[j], t.rule)),
                    Rule::ByToken | Rule::Batch(_) => None,
                };
                let both = (gw_enc, gw_dec);
                let of = work.gradient(j, &self.work.resid, w_dec, jump, sparsity, both);
                (grads.b_enc[j], grads.threshold[j]) = (of.b_enc, of.threshold);
            }
            grads
        });
        let grads = TranscoderGrads {
            blocks: blocks.collect(),
            b_dec: work.resid_sum(params.d_out),
            w_skip: params
                .w_skip
                .as_ref()
                .map(|_| work.skip_gradient(x, params.d_in, params.d_out)),
        };
        Ok((figures, grads))
    }

    /// Squared error of each token, summed over `d_out`. `[n]`
    ///
    /// # Errors
    /// [`Error::Shape`] as [`TranscoderStep::step`].
    pub fn squared_errors(&mut self, x: &[f32], y: &[f32]) -> Result<Vec<f32>> {
        self.forward(x, y)?;
        Ok(self.work.squared_errors(self.state.params.d_out))
    }

    /// `2/n (y_hat - y)` of row `i` of the last pass at the columns that block `b` writes.
    pub(in crate::sae::training::transcoders) fn residual(&self, i: usize, b: usize) -> &[f32] {
        let params = &self.state.params;
        &self.work.resid[i * params.d_out..][..params.d_out][params.blocks[b].columns()]
    }

    /// Resets feature `j` of block `b` to these encoder weights and this decoder direction,
    /// whose length is set here.
    pub(in crate::sae::training::transcoders) fn restart(
        &mut self,
        b: usize,
        j: usize,
        encoder: (&[f32], f32),
        direction: &[f32],
    ) {
        let mut w_dec = direction.to_vec();
        gauge::normalise(&mut w_dec, &self.state.params.blocks[b].sites());
        self.state.restart(b, j, encoder, &w_dec);
    }

    fn forward(&mut self, x: &[f32], y: &[f32]) -> Result<StepFigures> {
        let (d_in, d_out) = (self.state.params.d_in, self.state.params.d_out);
        for (what, rows, d) in [("the inputs", x, d_in), ("the targets", y, d_out)] {
            if rows.is_empty() || !rows.len().is_multiple_of(d) {
                let expected = format!("[n * {d}] for n of at least 1");
                return Err(Error::shape(what, expected, [rows.len()]));
            }
        }
        let n = x.len() / d_in;
        if y.len() / d_out != n {
            return Err(Error::shape("the targets", [n * d_out], [y.len()]));
        }
        Ok(self.work.forward(&self.state, x, y))
    }

    fn sparsity(&self, y: &[f32], weight: f64) -> Sparsity {
        let n = y.len() / self.state.params.d_out;
        let a_token = (weight / n as f64) as f32;
        let learns = |rule: &Rule| matches!(rule, Rule::Thresholds(_));
        let (l1, l0) = match self.state.blocks.iter().any(|block| learns(&block.rule)) {
            true => (0.0, a_token),
            false => (a_token, 0.0),
        };
        Sparsity { l1, l0 }
    }

    /// What made the loss on `x` and `y` NaN or infinite.
    fn not_finite(&self, x: &[f32], y: &[f32], figures: &StepFigures) -> Error {
        let params = &self.state.params;
        let mut found = None;
        let mut look = |name: &dyn Fn(usize) -> String, values: &[f32]| {
            if found.is_none()
                && let Some(i) = first_not_finite_of(values)
            {
                found = Some((name(i), f64::from(values[i])));
            }
        };
        for (what, values, d) in [("input", x, params.d_in), ("target", y, params.d_out)] {
            look(
                &|i| format!("the {what}, dimension {} of row {}", i % d, i / d),
                values,
            );
        }
        for (b, block) in params.blocks.iter().enumerate() {
            for (name, values, d) in [
                ("W_enc", &block.w_enc_t, block.d_in()),
                ("b_enc", &block.b_enc, 1),
                ("W_dec", &block.w_dec, block.d_out()),
            ] {
                look(
                    &|i| format!("{name} of feature {} of block {b}", i / d),
                    values,
                );
            }
        }
        look(&|i| format!("dimension {i} of b_dec"), &params.b_dec);
        if let Some(w_skip) = &params.w_skip {
            look(&|i| format!("row {} of W_skip", i / params.d_out), w_skip);
        }
        let loss = || ("the loss".to_owned(), figures.l2 + figures.l1);
        let (what, value) = found.unwrap_or_else(loss);
        Error::NotFinite {
            what,
            value,
            step: self.steps + 1,
        }
    }
}
