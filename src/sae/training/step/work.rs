//! Forward pass and raw gradients of a step, with the memory they reuse.
//! Lists of active features by token (decoder) and, sorted, of tokens by feature (gradients);
//! dense products where so many features are active that lists are slower.

mod aux_k;
mod own_gradients;

use super::super::record::StepFigures;
use super::super::selection::{ByFeature, Selection, keep_largest, next_floor};
use super::aux_k::AuxWork;
use super::state::StepState;
use crate::sae::kernels::{
    self, ActiveLists, BatchRows, CHUNK, Screen, ScreenScratch, finite_or_nan, product,
};
use crate::sae::params::{StandardGrads, StandardParams};
use rayon::prelude::*;

/// Scratch memory of a step.
#[derive(Debug, Default)]
pub(in crate::sae::training) struct Work {
    chunks: Vec<ChunkWork>,
    screen: Screen,
    /// Tokens of the last batch.
    n: usize,
    /// `[tokens rounded up to CHUNK, d_in]`.
    x_cent: Vec<f32>,
    /// For each nested dictionary `2/n (x_hat - x)`, summed from it up to the whole one, same shape.
    resid: Vec<Vec<f32>>,
    /// Where the nested dictionaries end; without nesting only the whole one.
    widths: Vec<usize>,
    /// Activations that count; with gates, the magnitudes at the open ones, including zeros.
    active: ByFeature,
    /// Activations near their feature's threshold.
    near: ByFeature,
    /// Whether features have gates.
    gated: bool,
    /// `2/n (x_hat_frozen - x)`, with gates; shaped as `resid`.
    gate_resid: Vec<f32>,
    /// AuxK's loss: residuals, shaped as `resid`, and the dead features' activations.
    aux: AuxWork,
    /// The least activation that counted among a batch's largest.
    pub least: Option<f32>,
    scratch: Vec<f32>,
    /// Partial gradients of `b_dec`, one row per panel.
    pub panel_b_dec: Vec<f32>,
    /// Gradient of a tied decoder.
    pub g_w_dec: Vec<f32>,
    pub dense: DenseWork,
}

/// Matrices that only the dense path needs.
#[derive(Debug, Default)]
pub(in crate::sae::training) struct DenseWork {
    acts: Vec<f32>,
    g_acts: Vec<f32>,
    pub grads: Option<StandardGrads>,
}

#[derive(Debug, Default)]
struct ChunkWork {
    lists: ActiveLists,
    /// With thresholds, the features near them; with gates, `pi` of the open ones, while `lists` has the magnitudes.
    near: ActiveLists,
    /// Column sums of this chunk's residuals.
    sum_resid: Vec<f32>,
    l2: f64,
    l1: f64,
}

impl ChunkWork {
    /// The lists of the chunk's tokens.
    fn encode(
        &mut self,
        state: &StepState,
        screen: &Screen,
        x: &[f32],
        x_cent: &mut [f32],
        scratch: &mut ScreenScratch,
        floor: f32,
    ) {
        let d = state.params.d_in;
        for (xc, x) in x_cent.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            for ((c, x), b) in xc.iter_mut().zip(x).zip(&state.params.b_dec) {
                *c = finite_or_nan(x - b);
            }
        }
        let (packed, w_enc_t) = (&state.packed, &state.params.w_enc_t);
        let rows = (&*x_cent, x.len() / d);
        screen.encode(packed, w_enc_t, rows, floor, scratch, &mut self.lists);
        if let Selection::Thresholds(thresholds) = &state.selection {
            thresholds.split(&mut self.lists, &mut self.near);
        }
        if let Selection::Gates(gates) = &state.selection {
            gates.split(&state.params.b_enc, &mut self.lists, &mut self.near);
        }
    }

    /// Reconstructions from the lists, and their residuals; `resid` has a part for each of the nested
    /// dictionaries, whose numbers of features are `widths`.
    fn decode(
        &mut self,
        params: &StandardParams,
        x: &[f32],
        resid: &mut [&mut [f32]],
        widths: &[usize],
        scale: f32,
    ) {
        let d = params.d_in;
        self.sum_resid.clear();
        self.sum_resid.resize(d, 0.0);
        (self.l2, self.l1) = (0.0, 0.0);
        for (i, x) in x.chunks_exact(d).enumerate() {
            let row = i * d..(i + 1) * d;
            let (idx, vals) = self.lists.row(i);
            let mut from = 0;
            for (level, &width) in widths.iter().enumerate() {
                let (before, rest) = resid.split_at_mut(level);
                let r = &mut rest[0][row.clone()];
                r.copy_from_slice(match before.last() {
                    None => &params.b_dec[..],
                    Some(narrower) => &narrower[row.clone()],
                });
                let to = match level + 1 == widths.len() {
                    true => idx.len(),
                    false => idx.partition_point(|&j| (j as usize) < width),
                };
                kernels::combine(&idx[from..to], &vals[from..to], &params.w_dec, r);
                from = to;
            }
            let mut l2 = 0.0;
            for r in resid.iter_mut() {
                l2 = kernels::residual(&mut r[row.clone()], x, scale);
            }
            // The last is the whole dictionary's.
            self.l2 += f64::from(l2);
            for level in (1..resid.len()).rev() {
                let (before, rest) = resid.split_at_mut(level);
                let narrower = &mut before[level - 1][row.clone()];
                kernels::add_scaled(1.0, &rest[0][row.clone()], narrower);
            }
            self.l1 += vals.iter().map(|&v| f64::from(v.abs())).sum::<f64>();
            kernels::add_scaled(1.0, &resid[0][row], &mut self.sum_resid);
        }
    }
}

impl ChunkWork {
    /// Reconstructions from the magnitudes and, with the decoder frozen, from the open gates, and their residuals.
    fn decode_gated(
        &mut self,
        params: &StandardParams,
        x: &[f32],
        (resid, gate_resid): (&mut [f32], &mut [f32]),
        scale: f32,
    ) {
        let d = params.d_in;
        self.sum_resid.clear();
        self.sum_resid.resize(d, 0.0);
        (self.l2, self.l1) = (0.0, 0.0);
        let rows = resid
            .chunks_exact_mut(d)
            .zip(gate_resid.chunks_exact_mut(d));
        for (i, ((r, gate), x)) in rows.zip(x.chunks_exact(d)).enumerate() {
            let ((idx, mags), (_, pi)) = (self.lists.row(i), self.near.row(i));
            r.copy_from_slice(&params.b_dec);
            gate.copy_from_slice(&params.b_dec);
            kernels::combine_pair(idx, (mags, pi), &params.w_dec, r, gate);
            self.l2 += f64::from(kernels::residual(r, x, scale));
            kernels::residual(gate, x, scale);
            self.l1 += mags.iter().map(|&v| f64::from(v)).sum::<f64>();
            kernels::add_scaled(1.0, r, &mut self.sum_resid);
        }
    }
}

impl ActiveLists {
    /// Writes the acts as a dense matrix and masks `g_acts` with them, adding `l1` where active.
    fn scatter(&self, d_sae: usize, l1: f32, acts: &mut [f32], g_acts: &mut [f32]) {
        acts.fill(0.0);
        let rows = acts
            .chunks_exact_mut(d_sae)
            .zip(g_acts.chunks_exact_mut(d_sae));
        for (i, (acts, g)) in rows.enumerate() {
            let (idx, vals) = self.row(i);
            for (&j, &a) in idx.iter().zip(vals) {
                acts[j as usize] = a;
            }
            for (g, a) in g.iter_mut().zip(acts) {
                *g = if *a != 0.0 { *g + l1 } else { 0.0 };
            }
        }
    }
}

impl Work {
    /// Encoder, decoder, residuals, and the lists by feature.
    pub(in crate::sae::training) fn forward(
        &mut self,
        state: &StepState,
        x: &[f32],
        dense_above: f64,
    ) -> StepFigures {
        let (d, d_sae) = (state.params.d_in, state.params.d_sae);
        let n = x.len() / d;
        let n_chunks = n.div_ceil(CHUNK);
        self.n = n;
        self.widths = state.selection.widths(d_sae);
        self.gated = matches!(state.selection, Selection::Gates(_));
        self.chunks.resize_with(n_chunks, ChunkWork::default);
        self.x_cent.resize(n_chunks * CHUNK * d, 0.0);
        self.resid.resize_with(self.widths.len(), Vec::new);
        for resid in &mut self.resid {
            resid.resize(n_chunks * CHUNK * d, 0.0);
        }
        self.screen.prepare(&state.packed, x, &state.params.b_dec);
        if let Selection::Batch(batch) = &state.selection {
            self.encode_largest(state, x, batch.in_batch(n));
            self.pass(state, x, None);
        } else {
            self.pass(state, x, Some(0.0));
        }
        let chunks = &self.chunks;
        let mut entries = self.active.count(chunks.iter().map(|c| &c.lists), d_sae);
        if self.gated {
            let mags = chunks.iter().flat_map(|c| &c.lists.vals);
            entries = mags.filter(|mag| **mag != 0.0).count();
        }
        let by_token = matches!(state.selection, Selection::ByToken);
        let dense = by_token && entries as f64 > dense_above * (n * d_sae) as f64;
        if !dense {
            self.active.fill(chunks.iter().map(|c| &c.lists));
        }
        if let Selection::Thresholds(_) = state.selection {
            self.near.count(chunks.iter().map(|c| &c.near), d_sae);
            self.near.fill(chunks.iter().map(|c| &c.near));
        }
        let mean = |f: fn(&ChunkWork) -> f64| self.chunks.iter().map(f).sum::<f64>() / n as f64;
        let l1 = mean(|c| c.l1);
        StepFigures {
            l2: mean(|c| c.l2),
            l1,
            // The count ignores NaN; the sum of what is counted does not.
            l0: if l1.is_finite() {
                entries as f64 / n as f64
            } else {
                f64::NAN
            },
            aux: 0.0,
            dense,
        }
    }

    /// Encodes above `floor` if there is one, and decodes.
    fn pass(&mut self, state: &StepState, x: &[f32], floor: Option<f32>) {
        let rows = CHUNK * state.params.d_in;
        let scale = 2.0 / self.n as f32;
        let (widths, screen) = (&self.widths, &self.screen);
        // The parts of every nested dictionary, chunk by chunk.
        let mut resid: Vec<Vec<&mut [f32]>> = self.chunks.iter().map(|_| Vec::new()).collect();
        for level in &mut self.resid {
            for (parts, part) in resid.iter_mut().zip(level.chunks_mut(rows)) {
                parts.push(part);
            }
        }
        let gated = self.gated;
        if gated {
            self.gate_resid.resize(self.chunks.len() * rows, 0.0);
            for (parts, part) in resid.iter_mut().zip(self.gate_resid.chunks_mut(rows)) {
                parts.push(part);
            }
        }
        (
            &mut self.chunks,
            self.x_cent.par_chunks_mut(rows),
            &mut resid,
            x.par_chunks(rows),
        )
            .into_par_iter()
            .for_each_init(
                ScreenScratch::default,
                |scratch, (chunk, x_cent, resid, x)| {
                    if let Some(floor) = floor {
                        chunk.encode(state, screen, x, x_cent, scratch, floor);
                    }
                    match &mut resid[..] {
                        [resid, gates] if gated => {
                            chunk.decode_gated(&state.params, x, (resid, gates), scale);
                        }
                        resid => chunk.decode(&state.params, x, resid, widths, scale),
                    }
                },
            );
    }

    /// The lists of the `count` largest activations of the batch.
    fn encode_largest(&mut self, state: &StepState, x: &[f32], count: usize) {
        let rows = CHUNK * state.params.d_in;
        let guess = next_floor(self.least);
        let screen = &self.screen;
        for floor in [guess, 0.0] {
            (
                &mut self.chunks,
                self.x_cent.par_chunks_mut(rows),
                x.par_chunks(rows),
            )
                .into_par_iter()
                .for_each_init(
                    ScreenScratch::default,
                    |scratch, (chunk, x_cent, x)| {
                        chunk.encode(state, screen, x, x_cent, scratch, floor);
                    },
                );
            let found: usize = self.chunks.iter().map(|c| c.lists.idx.len()).sum();
            if found >= count || floor == 0.0 {
                break;
            }
        }
        let mut lists: Vec<_> = self.chunks.iter_mut().map(|c| &mut c.lists).collect();
        self.least = keep_largest(&mut lists, count, &mut self.scratch);
    }

    /// `sum_t 2/n (x_hat - x)`: the decoder's share of the gradient of `b_dec`.
    pub(in crate::sae::training) fn resid_sum(&self, d_in: usize) -> Vec<f32> {
        let mut sum = vec![0.0; d_in];
        for chunk in &self.chunks {
            kernels::add_scaled(1.0, &chunk.sum_resid, &mut sum);
        }
        sum
    }

    /// `|x_hat - x|^2` of each token of the last forward pass.
    pub(in crate::sae::training) fn squared_errors(&self, d_in: usize) -> Vec<f32> {
        let unscale = (self.n as f32 / 2.0).powi(2);
        let whole = self.resid.last().map_or(&[][..], Vec::as_slice);
        let rows = whole[..self.n * d_in].chunks_exact(d_in);
        rows.map(|r| unscale * kernels::dot(r, r)).collect()
    }

    /// Whether feature `j` was active in the last forward pass.
    pub(in crate::sae::training) fn was_active(&self, j: usize) -> bool {
        match self.gated {
            // A gate may be open where the magnitude is 0.
            true => self.active.of(j).1.iter().any(|mag| *mag != 0.0),
            false => self.active.has(j),
        }
    }

    /// Gradients of feature `j` from its list; returns that of `b_enc[j]`.
    pub(in crate::sae::training) fn feature_gradient(
        &self,
        j: usize,
        w_dec: &[f32],
        l1: f32,
        gw_enc: &mut [f32],
        gw_dec: &mut [f32],
    ) -> f32 {
        let (tokens, acts) = self.active.of(j);
        let batch = BatchRows {
            r: self.resid_of(j),
            x_cent: &self.x_cent,
        };
        kernels::feature_gradient(tokens, acts, &batch, w_dec, l1, gw_enc, gw_dec)
    }

    /// Gradient of the squared errors with respect to feature `j`'s part of the reconstructions:
    /// `2/n (x_hat - x)`, summed over the nested dictionaries that have it. `[n, d_in]`
    fn resid_of(&self, j: usize) -> &[f32] {
        &self.resid[self.widths.partition_point(|&width| width <= j)]
    }

    /// Gradients of both matrices and of `b_enc` by dense products (that of `b_dec` stays 0).
    pub(in crate::sae::training) fn dense_gradients(
        &mut self,
        params: &StandardParams,
        l1: f32,
    ) -> &StandardGrads {
        let (d, s, n) = (params.d_in, params.d_sae, self.n);
        let DenseWork {
            acts,
            g_acts,
            grads,
        } = &mut self.dense;
        let (resid, x_cent) = (&self.resid[0][..n * d], &self.x_cent[..n * d]);
        acts.resize(n * s, 0.0);
        g_acts.resize(n * s, 0.0);
        // g_acts = r W_dec^T, [n, s]
        product(resid, false, &params.w_dec, true, [n, d, s], g_acts);
        (
            acts.par_chunks_mut(CHUNK * s),
            g_acts.par_chunks_mut(CHUNK * s),
            &self.chunks,
        )
            .into_par_iter()
            .for_each(|(acts, g_acts, chunk)| chunk.lists.scatter(s, l1, acts, g_acts));
        let grads = grads.get_or_insert_with(|| StandardGrads::zeros(d, s));
        // [s, d] = g_acts^T x_cent and acts^T r
        product(g_acts, true, x_cent, false, [s, n, d], &mut grads.w_enc_t);
        product(acts, true, resid, false, [s, n, d], &mut grads.w_dec);
        grads.b_enc.fill(0.0);
        for row in g_acts.chunks_exact(s) {
            kernels::add_scaled(1.0, row, &mut grads.b_enc);
        }
        grads
    }
}
