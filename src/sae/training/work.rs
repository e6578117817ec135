//! Forward pass and raw gradients of a step, with the memory they reuse.
//! Lists of active features by token (decoder) and, sorted, of tokens by feature (gradients);
//! dense products where so much is active that lists are slower.

use super::figures::StepFigures;
use crate::sae::kernels::{
    self, ActiveLists, BatchRows, CHUNK, PackedEncoder, above, finite_or_nan, product,
};
use crate::sae::params::{StandardGrads, StandardParams};
use rayon::prelude::*;

/// Scratch memory of a step.
#[derive(Debug, Default)]
pub(super) struct Work {
    chunks: Vec<ChunkWork>,
    /// Tokens of the last batch.
    n: usize,
    /// `[tokens rounded up to CHUNK, d_in]`.
    x_cent: Vec<f32>,
    /// `2/n (x_hat - x)`, same shape.
    resid: Vec<f32>,
    /// Feature `j` owns entries `starts[j]..starts[j + 1]` of `tokens` and `acts`.
    starts: Vec<u32>,
    cursor: Vec<u32>,
    tokens: Vec<u32>,
    acts: Vec<f32>,
    /// Partial gradients of `b_dec`, one row a panel.
    pub panel_b_dec: Vec<f32>,
    /// Gradient of the decoder, where it is not free.
    pub g_w_dec: Vec<f32>,
    pub dense: DenseWork,
}

/// Matrices that only the dense path needs.
#[derive(Debug, Default)]
pub(super) struct DenseWork {
    acts: Vec<f32>,
    g_acts: Vec<f32>,
    pub grads: Option<StandardGrads>,
}

#[derive(Debug, Default)]
struct ChunkWork {
    lists: ActiveLists,
    /// Column sums of this chunk's residuals.
    sum_resid: Vec<f32>,
    l2: f64,
    l1: f64,
}

impl ChunkWork {
    fn forward(
        &mut self,
        params: &StandardParams,
        packed: &PackedEncoder,
        x: &[f32],
        (x_cent, resid): (&mut [f32], &mut [f32]),
        scale: f32,
        laid_out: &mut Vec<f32>,
    ) {
        let d = params.d_in;
        let n = x.len() / d;
        for (xc, x) in x_cent.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
            for ((c, x), b) in xc.iter_mut().zip(x).zip(&params.b_dec) {
                *c = finite_or_nan(x - b);
            }
        }
        packed.encode(x_cent, n, laid_out, &mut self.lists);
        self.sum_resid.clear();
        self.sum_resid.resize(d, 0.0);
        (self.l2, self.l1) = (0.0, 0.0);
        for (i, (r, x)) in resid.chunks_exact_mut(d).zip(x.chunks_exact(d)).enumerate() {
            let (idx, vals) = self.lists.row(i);
            r.copy_from_slice(&params.b_dec);
            kernels::combine(idx, vals, &params.w_dec, r);
            self.l2 += f64::from(kernels::residual(r, x, scale));
            self.l1 += vals.iter().map(|&v| f64::from(v)).sum::<f64>();
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
                *g = if above(*a, 0.0) { *g + l1 } else { 0.0 };
            }
        }
    }
}

impl Work {
    /// Encoder, decoder, residuals, and the lists by feature.
    pub(super) fn forward(
        &mut self,
        params: &StandardParams,
        packed: &PackedEncoder,
        x: &[f32],
        dense_above: f64,
    ) -> StepFigures {
        let (d, n) = (params.d_in, x.len() / params.d_in);
        let n_chunks = n.div_ceil(CHUNK);
        self.n = n;
        self.chunks.resize_with(n_chunks, ChunkWork::default);
        self.x_cent.resize(n_chunks * CHUNK * d, 0.0);
        self.resid.resize(n_chunks * CHUNK * d, 0.0);
        let scale = 2.0 / n as f32;
        let rows = CHUNK * d;
        (
            &mut self.chunks,
            self.x_cent.par_chunks_mut(rows),
            self.resid.par_chunks_mut(rows),
            x.par_chunks(rows),
        )
            .into_par_iter()
            .for_each_init(Vec::new, |laid_out, (chunk, x_cent, resid, x)| {
                chunk.forward(params, packed, x, (x_cent, resid), scale, laid_out)
            });
        let entries = self.count_by_feature(params.d_sae);
        let dense = entries as f64 > dense_above * (n * params.d_sae) as f64;
        if !dense {
            self.list_by_feature(entries);
        }
        let mean = |f: fn(&ChunkWork) -> f64| self.chunks.iter().map(f).sum::<f64>() / n as f64;
        let l1 = mean(|c| c.l1);
        StepFigures {
            l2: mean(|c| c.l2),
            l1,
            // A count knows no NaN; the sum of what is counted does.
            l0: if l1.is_finite() {
                entries as f64 / n as f64
            } else {
                f64::NAN
            },
            dense,
        }
    }

    /// `sum_t 2/n (x_hat - x)`: the decoder's share of the gradient of `b_dec`.
    pub(super) fn resid_sum(&self, d_in: usize) -> Vec<f32> {
        let mut sum = vec![0.0; d_in];
        for chunk in &self.chunks {
            kernels::add_scaled(1.0, &chunk.sum_resid, &mut sum);
        }
        sum
    }

    /// `|x_hat - x|^2` of each token of the last forward pass.
    pub(super) fn squared_errors(&self, d_in: usize) -> Vec<f32> {
        let unscale = (self.n as f32 / 2.0).powi(2);
        let rows = self.resid[..self.n * d_in].chunks_exact(d_in);
        rows.map(|r| unscale * kernels::dot(r, r)).collect()
    }

    /// Whether feature `j` was active in the last forward pass.
    pub(super) fn was_active(&self, j: usize) -> bool {
        self.starts[j] < self.starts[j + 1]
    }

    /// Gradients of feature `j` from its list; returns that of `b_enc[j]`.
    pub(super) fn feature_gradient(
        &self,
        j: usize,
        w_dec: &[f32],
        l1: f32,
        gw_enc: &mut [f32],
        gw_dec: &mut [f32],
    ) -> f32 {
        let entries = self.starts[j] as usize..self.starts[j + 1] as usize;
        let (tokens, acts) = (&self.tokens[entries.clone()], &self.acts[entries]);
        let batch = BatchRows {
            r: &self.resid,
            x_cent: &self.x_cent,
        };
        kernels::feature_gradient(tokens, acts, &batch, w_dec, l1, gw_enc, gw_dec)
    }

    /// Counts the active tokens of each feature; returns the number of active pairs.
    fn count_by_feature(&mut self, d_sae: usize) -> usize {
        self.starts.clear();
        self.starts.resize(d_sae + 1, 0);
        for chunk in &self.chunks {
            for &j in &chunk.lists.idx {
                self.starts[j as usize + 1] += 1;
            }
        }
        for j in 0..d_sae {
            self.starts[j + 1] += self.starts[j];
        }
        self.starts[d_sae] as usize
    }

    /// Turns the lists by token into lists by feature (a counting sort, tokens in order).
    fn list_by_feature(&mut self, entries: usize) {
        self.cursor.clone_from(&self.starts);
        self.tokens.resize(entries, 0);
        self.acts.resize(entries, 0.0);
        for (c, chunk) in self.chunks.iter().enumerate() {
            for i in 0..chunk.lists.ends.len() {
                let (idx, vals) = chunk.lists.row(i);
                let token = (c * CHUNK + i) as u32;
                for (&j, &a) in idx.iter().zip(vals) {
                    let at = &mut self.cursor[j as usize];
                    self.tokens[*at as usize] = token;
                    self.acts[*at as usize] = a;
                    *at += 1;
                }
            }
        }
    }

    /// Gradients of both matrices and of `b_enc` by dense products (that of `b_dec` stays 0).
    pub(super) fn dense_gradients(&mut self, params: &StandardParams, l1: f32) -> &StandardGrads {
        let (d, s, n) = (params.d_in, params.d_sae, self.n);
        let DenseWork {
            acts,
            g_acts,
            grads,
        } = &mut self.dense;
        let (resid, x_cent) = (&self.resid[..n * d], &self.x_cent[..n * d]);
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
