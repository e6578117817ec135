//! Losses and gradients of unembedding and cross-entropy, block of the vocabulary by block.
//!
//! Block `b` keeps `e = exp(l - m_b)`, `s_b = sum e` and `e W_b^T` with row maxima `m_b` of its
//! own, while its logits are in a core's cache. Then `Z = sum_b s_b exp(m_b - m)`, and with
//! `f_b = weight exp(m_b - m) / Z`: `dx = sum_b f_b e W_b^T - weight W_t`, `dW_b = (f_b x)^T e`; `db`
//! is one more row of `dW`, of an input that is always 1.
//! Source: the online softmax of Milakov and Gimelshein 2018, arXiv:1805.02867.

use super::vector::{Kernel, add_and_max, exp, exp_in_place, widest};
use super::{Into, Matrix, Shared, matmul_into, matmul_part};
use rayon::prelude::*;
use std::ops::Range;

/// Rows whose `e` is in memory at once; enough that adding to `dW` once a chunk costs little.
const ROWS_PER_CHUNK: usize = 256;
/// Columns of a block at most: with [`ROWS_PER_CHUNK`] rows a megabyte, which a core's second
/// cache holds.
const MAX_COLUMNS: usize = 1024;
/// Blocks that even a small vocabulary is cut into, for as many threads.
const MIN_BLOCKS: usize = 16;

/// `dx` `[n, d]`, `dW` `[d, v]`, `db` `[v]`.
pub(super) struct Gradients {
    pub(super) dx: Vec<f32>,
    pub(super) dw: Vec<f32>,
    pub(super) db: Vec<f32>,
}

/// The weights of an unembedding.
#[derive(Clone, Copy)]
pub(super) struct Unembedding<'a> {
    /// `[d, v]`.
    pub(super) w: Matrix<'a>,
    /// `[v]`.
    pub(super) b: &'a [f32],
}

/// Some rows of a batch.
#[derive(Clone, Copy)]
struct Rows<'a> {
    /// `[rows, d]`.
    x: Matrix<'a>,
    targets: &'a [u32],
    /// How much each loss counts in what is differentiated; `None` without gradients.
    weight: Option<&'a [f32]>,
}

/// What is known of one block, for the rows of the current chunk.
#[derive(Default)]
struct Block {
    columns: Range<usize>,
    /// `[rows, columns]`; kept only for gradients.
    e: Vec<f32>,
    max: Vec<f32>,
    sum: Vec<f32>,
    /// `e W_b^T`, `[rows, d]`.
    dx: Vec<f32>,
    /// The rows whose target lies here, and its logit.
    chosen: Vec<(usize, f32)>,
    /// `f_b`.
    factor: Vec<f32>,
}

/// Losses of every row of `x` `[n, d]`, and, where `weight` says how much each counts, the
/// gradients of `sum_i weight_i loss_i`.
pub(super) fn pass(
    x: Matrix,
    unembedding: Unembedding,
    targets: &[u32],
    weight: Option<&[f32]>,
) -> (Vec<f32>, Option<Gradients>) {
    let (n, d, v) = (x.rows, x.cols, unembedding.w.cols);
    let mut losses = vec![0.0f32; n];
    let mut grads = weight.map(|_| Gradients {
        dx: vec![0.0; n * d],
        // Room for `db` below `dW`; the first chunk writes all of both.
        dw: Vec::with_capacity((d + 1) * v),
        db: Vec::new(),
    });
    let width = v.div_ceil(MIN_BLOCKS).next_multiple_of(64);
    let width = width.clamp(64, MAX_COLUMNS);
    let mut blocks: Vec<Block> = (0..v)
        .step_by(width)
        .map(|start| Block {
            columns: start..v.min(start + width),
            ..Block::default()
        })
        .collect();
    for start in (0..n).step_by(ROWS_PER_CHUNK) {
        let of = start..n.min(start + ROWS_PER_CHUNK);
        let rows = Rows {
            x: Matrix::new(&x.data[of.start * d..of.end * d], of.len(), d),
            targets: &targets[of.clone()],
            weight: weight.map(|w| &w[of.clone()]),
        };
        blocks
            .par_iter_mut()
            .for_each_init(Vec::new, |scratch, block| {
                block.forward(rows, unembedding, scratch)
            });
        finish_losses(rows, &mut blocks, &mut losses[of.clone()]);
        if let (Some(grads), Some(weight)) = (&mut grads, rows.weight) {
            let dx = &mut grads.dx[of.start * d..of.end * d];
            add_up_dx(rows, unembedding.w, weight, &blocks, dx);
            let into = match start {
                0 => Into::Overwrite,
                _ => Into::Add,
            };
            let dw = Shared::unwritten(grads.dw.spare_capacity_mut());
            blocks
                .par_iter()
                .for_each(|block| block.backward(rows, weight, dw, v, into));
        }
    }
    if let Some(grads) = &mut grads {
        match n {
            0 => grads.dw.resize((d + 1) * v, 0.0),
            // SAFETY: the blocks of the first chunk, all columns together, wrote every row.
            _ => unsafe { grads.dw.set_len((d + 1) * v) },
        }
        grads.db = grads.dw.split_off(d * v);
    }
    (losses, grads)
}

/// Rows that one task finishes.
const ROWS_FINISHED: usize = 32;

/// Losses from every block's share, and each block's factors.
fn finish_losses(rows: Rows, blocks: &mut [Block], losses: &mut [f32]) {
    let mut totals = vec![(0.0f32, 0.0f32); losses.len()];
    let shares = &*blocks;
    losses
        .par_chunks_mut(ROWS_FINISHED)
        .zip(totals.par_chunks_mut(ROWS_FINISHED))
        .enumerate()
        .for_each(|(task, (losses, totals))| {
            for (i, (loss, row)) in losses.iter_mut().zip(totals).enumerate() {
                *row = combined(shares, task * ROWS_FINISHED + i);
                let (max, total) = *row;
                *loss = total.ln() + max;
            }
        });
    if let Some(weight) = rows.weight {
        blocks.par_iter_mut().for_each(|block| {
            let Block { factor, max, .. } = block;
            widest(Factors {
                factor,
                max,
                totals: &totals,
                weight,
            });
        });
    }
    for (i, logit) in blocks.iter().flat_map(|block| &block.chosen) {
        losses[*i] -= logit;
    }
}

/// The largest logit of row `i`, and the sum of exponentials above it, over all blocks.
fn combined(blocks: &[Block], i: usize) -> (f32, f32) {
    let max = blocks.iter().fold(
        f32::NEG_INFINITY,
        |m, b| if b.max[i] > m { b.max[i] } else { m },
    );
    let total = blocks.iter().map(|b| b.sum[i] * exp(b.max[i] - max)).sum();
    (max, total)
}

/// `factor_i = weight_i exp(max_i - m_i) / Z_i` of one block.
struct Factors<'a> {
    factor: &'a mut [f32],
    max: &'a [f32],
    /// `(m_i, Z_i)`.
    totals: &'a [(f32, f32)],
    weight: &'a [f32],
}

impl Kernel for Factors<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.factor.len();
        let (max, totals, weight) = (&self.max[..n], &self.totals[..n], &self.weight[..n]);
        for i in 0..n {
            let (most, total) = totals[i];
            self.factor[i] = weight[i] * exp(max[i] - most) / total;
        }
    }
}

/// `dx` `[rows, d]` from every block's share.
fn add_up_dx(rows: Rows, w: Matrix, weight: &[f32], blocks: &[Block], dx: &mut [f32]) {
    let d = rows.x.cols;
    if d == 0 {
        return;
    }
    dx.par_chunks_mut(d).enumerate().for_each(|(i, dx)| {
        for (k, dx) in dx.iter_mut().enumerate() {
            *dx = -weight[i] * w.data[k * w.row + rows.targets[i] as usize * w.col];
        }
        widest(Shares { dx, blocks, i });
    });
}

/// `dx += sum_b f_b e W_b^T` of row `i`.
struct Shares<'a> {
    dx: &'a mut [f32],
    blocks: &'a [Block],
    i: usize,
}

impl Kernel for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let d = self.dx.len();
        for block in self.blocks {
            let factor = block.factor[self.i];
            for (dx, share) in self.dx.iter_mut().zip(&block.dx[self.i * d..][..d]) {
                *dx += factor * share;
            }
        }
    }
}

impl Block {
    /// Exponentials, maxima, sums and the share of `dx`.
    fn forward(&mut self, rows: Rows, unembedding: Unembedding, scratch: &mut Vec<f32>) {
        let (n, width) = (rows.x.rows, self.columns.len());
        let e = match rows.weight {
            Some(_) => &mut self.e,
            None => scratch,
        };
        let w = unembedding.w.columns(self.columns.clone());
        matmul_into(e, rows.x, w);
        self.max.resize(n, 0.0);
        self.sum.resize(n, 0.0);
        self.factor.resize(n, 0.0);
        self.chosen.clear();
        for (i, row) in e.chunks_exact_mut(width).enumerate() {
            let target = rows.targets[i] as usize;
            let here = self.columns.contains(&target);
            let exponentials = widest(Exponentials {
                row,
                b: &unembedding.b[self.columns.clone()],
                target: here.then(|| target - self.columns.start),
            });
            (self.max[i], self.sum[i]) = (exponentials.max, exponentials.sum);
            self.chosen
                .extend(exponentials.chosen.map(|logit| (i, logit)));
        }
        if rows.weight.is_some() {
            matmul_into(&mut self.dx, Matrix::new(e, n, width), w.t());
        }
    }

    /// This block's columns of `dW` and `db`, `[d + 1, v]` together.
    fn backward(&self, rows: Rows, weight: &[f32], dw: Shared, v: usize, into: Into) {
        let (n, d, width) = (rows.x.rows, rows.x.cols, self.columns.len());
        let mut scaled = Vec::with_capacity(n * (d + 1));
        for (i, factor) in self.factor.iter().enumerate() {
            let x = &rows.x.data[i * d..][..d];
            scaled.extend(x.iter().map(|x| x * factor));
            scaled.push(*factor);
        }
        let scaled = Matrix::new(&scaled, n, d + 1).t();
        let e = Matrix::new(&self.e, n, width);
        // SAFETY: no two blocks have a column in common.
        unsafe { matmul_part(dw, v, self.columns.start, into, scaled, e) };
        for &(i, _) in &self.chosen {
            let target = rows.targets[i] as usize;
            let x = &rows.x.data[i * d..][..d];
            for (k, x) in x.iter().chain([&1.0]).enumerate() {
                // SAFETY: as above; the target is one of this block's columns.
                unsafe { *dw.at(k * v + target) -= weight[i] * x };
            }
        }
    }
}

/// One row of a block's logits, still without bias.
struct Exponentials<'a> {
    row: &'a mut [f32],
    b: &'a [f32],
    target: Option<usize>,
}

struct Exponentiated {
    max: f32,
    sum: f32,
    /// The target's logit.
    chosen: Option<f32>,
}

impl Kernel for Exponentials<'_> {
    type Output = Exponentiated;

    /// The logits become `exp(l - max)`.
    #[inline(always)]
    fn run(self) -> Exponentiated {
        let max = add_and_max(self.row, self.b);
        let chosen = self.target.map(|t| self.row[t]);
        // Where every logit is masked there is no largest one to subtract; the block then counts
        // as nothing. A NaN is no number to compare with and stays.
        let shift = if max == f32::NEG_INFINITY { 0.0 } else { max };
        let sum = exp_in_place(self.row, shift);
        Exponentiated { max, sum, chosen }
    }
}
