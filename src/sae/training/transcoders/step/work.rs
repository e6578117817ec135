//! Forward pass and raw gradients of a sparse map's step, with the memory they reuse.
//! Each block has its own lists of active features, by token (decoder) and by feature (gradients); all
//! share one residual, `2/n (y_hat - y)`.

use super::params::{FeatureBlock, TranscoderParams};
use super::state::{BlockState, Rule, State};
use crate::config::L0Loss;
use crate::sae::kernels::{
    self, ActiveLists, BatchRows, CHUNK, Screen, ScreenScratch, finite_or_nan, product,
};
use crate::sae::training::record::StepFigures;
use crate::sae::training::selection::ByFeature;
use crate::sae::training::selection::{JumpRule, Sparsity, keep_largest, next_floor};
use rayon::prelude::*;

/// Scratch memory of a step.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub blocks: Vec<BlockWork>,
    /// `2/n (y_hat - y)`, `[tokens rounded up to CHUNK, d_out]`.
    pub resid: Vec<f32>,
    sums: Vec<ChunkSums>,
    n: usize,
}

/// Sums over one chunk of tokens.
#[derive(Debug, Default, Clone)]
struct ChunkSums {
    resid: Vec<f32>,
    l2: f64,
    l1: f64,
}

/// One block's part.
#[derive(Debug, Default)]
pub(super) struct BlockWork {
    chunks: Vec<ChunkLists>,
    screen: Screen,
    /// What the block reads, `[tokens rounded up to CHUNK, columns read]`.
    x: Vec<f32>,
    /// The residual at the columns that it writes, if these are not all.
    resid: Vec<f32>,
    active: ByFeature,
    /// Activations near their feature's threshold.
    near: ByFeature,
    /// The least activation that counted among a batch's largest.
    pub least: Option<f32>,
    scratch: Vec<f32>,
}

#[derive(Debug, Default)]
struct ChunkLists {
    lists: ActiveLists,
    near: ActiveLists,
}

/// Gradients of one feature's numbers.
pub(super) struct FeatureGradient {
    pub b_enc: f32,
    pub threshold: f32,
}

impl Work {
    /// Encoders, decoders, residuals, and the lists by feature. `x` is `[n, d_in]`, `y` `[n, d_out]`.
    pub(super) fn forward(&mut self, state: &State, x: &[f32], y: &[f32]) -> StepFigures {
        let params = &state.params;
        let n = y.len() / params.d_out;
        self.n = n;
        self.blocks
            .resize_with(params.blocks.len(), BlockWork::default);
        for ((work, block), state) in self
            .blocks
            .iter_mut()
            .zip(&params.blocks)
            .zip(&state.blocks)
        {
            work.encode(block, state, x, params.d_in);
        }
        self.decode(params, x, y);
        let mut entries = 0;
        for (work, block) in self.blocks.iter_mut().zip(&params.blocks) {
            entries += work.index(block, &self.resid, params.d_out);
        }
        let mean = |of: fn(&ChunkSums) -> f64| self.sums.iter().map(of).sum::<f64>() / n as f64;
        let l1 = mean(|sums| sums.l1);
        StepFigures {
            l2: mean(|sums| sums.l2),
            l1,
            // The count ignores NaN; the sum of what is counted does not.
            l0: match l1.is_finite() {
                true => entries as f64 / n as f64,
                false => f64::NAN,
            },
            aux: 0.0,
            dense: false,
        }
    }

    /// Reconstructions from the lists, and their residuals.
    fn decode(&mut self, params: &TranscoderParams, x: &[f32], y: &[f32]) {
        let (d_in, d, n) = (params.d_in, params.d_out, self.n);
        let n_chunks = n.div_ceil(CHUNK);
        self.sums.resize_with(n_chunks, ChunkSums::default);
        self.resid.resize(n_chunks * CHUNK * d, 0.0);
        if let Some(w_skip) = &params.w_skip {
            product(
                x,
                false,
                w_skip,
                false,
                [n, d_in, d],
                &mut self.resid[..n * d],
            );
        }
        let scale = 2.0 / n as f32;
        let blocks: Vec<_> = params.blocks.iter().map(|block| block.columns()).collect();
        let works = &self.blocks;
        (
            self.resid.par_chunks_mut(CHUNK * d),
            y.par_chunks(CHUNK * d),
            &mut self.sums,
        )
            .into_par_iter()
            .enumerate()
            .for_each(|(c, (resid, y, sums))| {
                sums.resid.clear();
                sums.resid.resize(d, 0.0);
                (sums.l2, sums.l1) = (0.0, 0.0);
                for (i, (r, y)) in resid.chunks_exact_mut(d).zip(y.chunks_exact(d)).enumerate() {
                    match params.w_skip {
                        Some(_) => kernels::add_scaled(1.0, &params.b_dec, r),
                        None => r.copy_from_slice(&params.b_dec),
                    }
                    for ((work, block), columns) in works.iter().zip(&params.blocks).zip(&blocks) {
                        let (idx, vals) = work.chunks[c].lists.row(i);
                        kernels::combine(idx, vals, &block.w_dec, &mut r[columns.clone()]);
                        sums.l1 += vals.iter().map(|&v| f64::from(v)).sum::<f64>();
                    }
                    sums.l2 += f64::from(kernels::residual(r, y, scale));
                    kernels::add_scaled(1.0, r, &mut sums.resid);
                }
            });
    }

    /// `sum_t 2/n (y_hat - y)`: the gradient of `b_dec`.
    pub(super) fn resid_sum(&self, d_out: usize) -> Vec<f32> {
        let mut sum = vec![0.0; d_out];
        for chunk in &self.sums {
            kernels::add_scaled(1.0, &chunk.resid, &mut sum);
        }
        sum
    }

    /// The gradient of `w_skip`: `sum_t x_t (2/n (y_hat - y))`.
    pub(super) fn skip_gradient(&self, x: &[f32], d_in: usize, d_out: usize) -> Vec<f32> {
        let mut gradient = vec![0.0; d_in * d_out];
        let resid = &self.resid[..self.n * d_out];
        product(x, true, resid, false, [d_in, self.n, d_out], &mut gradient);
        gradient
    }

    /// `|y_hat - y|^2` of each token of the last forward pass.
    pub(super) fn squared_errors(&self, d_out: usize) -> Vec<f32> {
        let unscale = (self.n as f32 / 2.0).powi(2);
        let rows = self.resid[..self.n * d_out].chunks_exact(d_out);
        rows.map(|r| unscale * kernels::dot(r, r)).collect()
    }
}

impl BlockWork {
    /// The lists of the activations that count.
    fn encode(&mut self, block: &FeatureBlock, state: &BlockState, x: &[f32], d_in: usize) {
        let d = block.d_in();
        let n = x.len() / d_in;
        let n_chunks = n.div_ceil(CHUNK);
        self.chunks.resize_with(n_chunks, ChunkLists::default);
        self.x.resize(n_chunks * CHUNK * d, 0.0);
        let reads = &block.reads;
        (self.x.par_chunks_mut(CHUNK * d), x.par_chunks(CHUNK * d_in))
            .into_par_iter()
            .for_each(|(rows, x)| {
                for (row, x) in rows.chunks_exact_mut(d).zip(x.chunks_exact(d_in)) {
                    for (to, from) in row.iter_mut().zip(&x[reads.clone()]) {
                        *to = finite_or_nan(*from);
                    }
                }
            });
        let no_bias = vec![0.0; d];
        self.screen
            .prepare(&state.packed, &self.x[..n * d], &no_bias);
        let Rule::Batch(batch) = &state.rule else {
            return self.list(block, state, n, 0.0);
        };
        let count = batch.in_batch(n);
        for floor in [next_floor(self.least), 0.0] {
            self.list(block, state, n, floor);
            let found: usize = self.chunks.iter().map(|c| c.lists.idx.len()).sum();
            if found >= count || floor == 0.0 {
                break;
            }
        }
        let mut lists: Vec<_> = self.chunks.iter_mut().map(|c| &mut c.lists).collect();
        self.least = keep_largest(&mut lists, count, &mut self.scratch);
    }

    /// The lists of activations above `floor`, or above their feature's threshold.
    fn list(&mut self, block: &FeatureBlock, state: &BlockState, n: usize, floor: f32) {
        let (d, screen) = (block.d_in(), &self.screen);
        (&mut self.chunks, self.x.par_chunks(CHUNK * d))
            .into_par_iter()
            .enumerate()
            .for_each_init(ScreenScratch::default, |scratch, (c, (chunk, x))| {
                let tokens = CHUNK.min(n - c * CHUNK);
                let packed = &state.packed;
                let (w_enc_t, lists) = (&block.w_enc_t, &mut chunk.lists);
                screen.encode(packed, w_enc_t, (x, tokens), floor, scratch, lists);
                if let Rule::Thresholds(thresholds) = &state.rule {
                    thresholds.split(&mut chunk.lists, &mut chunk.near);
                } else {
                    chunk.near.ends.clear();
                    chunk.near.idx.clear();
                    chunk.near.vals.clear();
                }
            });
    }

    /// Builds the lists by feature, and the block's residual; returns the number of entries.
    fn index(&mut self, block: &FeatureBlock, resid: &[f32], d_out: usize) -> usize {
        let chunks = &self.chunks;
        let entries = self
            .active
            .count(chunks.iter().map(|c| &c.lists), block.d_sae());
        self.active.fill(chunks.iter().map(|c| &c.lists));
        self.near
            .count(chunks.iter().map(|c| &c.near), block.d_sae());
        self.near.fill(chunks.iter().map(|c| &c.near));
        let columns = block.columns();
        if columns.len() < d_out {
            let d = columns.len();
            self.resid.resize(resid.len() / d_out * d, 0.0);
            (
                self.resid.par_chunks_exact_mut(d),
                resid.par_chunks_exact(d_out),
            )
                .into_par_iter()
                .with_min_len(CHUNK)
                .for_each(|(to, from)| to.copy_from_slice(&from[columns.clone()]));
        }
        entries
    }

    /// Whether feature `j` was active in the last forward pass.
    pub(super) fn was_active(&self, j: usize) -> bool {
        self.active.has(j)
    }

    /// Gradients of feature `j`, before the projection of its decoder row; `resid` is that of all columns.
    pub(super) fn gradient(
        &self,
        j: usize,
        resid: &[f32],
        w_dec: &[f32],
        jump: Option<(f32, JumpRule)>,
        sparsity: Sparsity,
        (gw_enc, gw_dec): (&mut [f32], &mut [f32]),
    ) -> FeatureGradient {
        let batch = BatchRows {
            r: match self.resid.is_empty() {
                true => resid,
                false => &self.resid,
            },
            x_cent: &self.x,
        };
        let (tokens, acts) = self.active.of(j);
        let l1 = sparsity.l1;
        let mut b_enc = kernels::feature_gradient(tokens, acts, &batch, w_dec, l1, gw_enc, gw_dec);
        let Some((theta, rule)) = jump else {
            return FeatureGradient {
                b_enc,
                threshold: 0.0,
            };
        };
        let (d, d_in) = (w_dec.len(), gw_enc.len());
        if matches!(rule.l0_loss, L0Loss::Tanh { .. }) {
            for (&t, &act) in tokens.iter().zip(acts) {
                let slope = sparsity.l0 * rule.slope(act);
                kernels::add_scaled(slope, &self.x[t as usize * d_in..][..d_in], gw_enc);
                b_enc += slope;
            }
        }
        let (tokens, acts) = self.near.of(j);
        let slopes = tokens
            .iter()
            .map(|&t| kernels::dot(&batch.r[t as usize * d..][..d], w_dec));
        let near = acts.iter().copied().zip(slopes);
        FeatureGradient {
            b_enc,
            threshold: rule.gradient(theta, sparsity.l0, near),
        }
    }
}
