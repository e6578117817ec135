//! Losses and gradients of unembedding and cross-entropy, block of the vocabulary by block.
//!
//! Block `b` keeps `e = exp(l - m_b)`, `s_b = sum e` and `e W_b^T` with row maxima `m_b` of its
//! own, while its logits are in a core's cache. Then `Z = sum_b s_b exp(m_b - m)`, and with
//! `f_b = weight exp(m_b - m) / Z`: `dx = sum_b f_b e W_b^T - weight W_t`, `dW_b = (f_b x)^T e`.
//! Source: the online softmax of Milakov and Gimelshein 2018, arXiv:1805.02867.

use super::vector::{Kernel, add_and_max, exp_in_place, widest};
use super::{Into, Matrix, SERIAL, Shared, matmul, matmul_columns};
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
        dw: vec![0.0; d * v],
        db: vec![0.0; v],
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
            let dw = Shared::new(&mut grads.dw);
            blocks
                .par_iter()
                .zip(grads.db.par_chunks_mut(width))
                .for_each(|(block, db)| block.backward(rows, weight, dw, v, into, db));
        }
    }
    (losses, grads)
}

/// Losses from every block's share, and each block's factors.
fn finish_losses(rows: Rows, blocks: &mut [Block], losses: &mut [f32]) {
    for (i, loss) in losses.iter_mut().enumerate() {
        let max = blocks.iter().fold(
            f32::NEG_INFINITY,
            |m, b| if b.max[i] > m { b.max[i] } else { m },
        );
        let total: f32 = blocks
            .iter()
            .map(|b| b.sum[i] * (b.max[i] - max).exp())
            .sum();
        *loss = total.ln() + max;
        if let Some(weight) = rows.weight {
            for block in &mut *blocks {
                block.factor[i] = weight[i] * (block.max[i] - max).exp() / total;
            }
        }
    }
    for (i, logit) in blocks.iter().flat_map(|block| &block.chosen) {
        losses[*i] -= logit;
    }
}

/// `dx` `[rows, d]` from every block's share.
fn add_up_dx(rows: Rows, w: Matrix, weight: &[f32], blocks: &[Block], dx: &mut [f32]) {
    let d = rows.x.cols;
    dx.par_chunks_mut(d).enumerate().for_each(|(i, dx)| {
        for (k, dx) in dx.iter_mut().enumerate() {
            *dx = -weight[i] * w.data[k * w.row + rows.targets[i] as usize * w.col];
        }
        for block in blocks {
            let factor = block.factor[i];
            for (dx, share) in dx.iter_mut().zip(&block.dx[i * d..][..d]) {
                *dx += factor * share;
            }
        }
    });
}

impl Block {
    /// Exponentials, maxima, sums and the share of `dx`.
    fn forward(&mut self, rows: Rows, unembedding: Unembedding, scratch: &mut Vec<f32>) {
        let (n, d, width) = (rows.x.rows, rows.x.cols, self.columns.len());
        let e = match rows.weight {
            Some(_) => &mut self.e,
            None => scratch,
        };
        e.resize(n * width, 0.0);
        let w = unembedding.w.columns(self.columns.clone());
        matmul(e, width, Into::Overwrite, 1.0, rows.x, w, SERIAL);
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
            self.dx.resize(n * d, 0.0);
            let e = Matrix::new(e, n, width);
            matmul(&mut self.dx, d, Into::Overwrite, 1.0, e, w.t(), SERIAL);
        }
    }

    /// This block's columns of `dW` `[d, v]`, and of `db`.
    fn backward(
        &self,
        rows: Rows,
        weight: &[f32],
        dw: Shared,
        v: usize,
        into: Into,
        db: &mut [f32],
    ) {
        let (n, d, width) = (rows.x.rows, rows.x.cols, self.columns.len());
        let mut scaled = rows.x.data[..n * d].to_vec();
        for (row, factor) in scaled.chunks_exact_mut(d).zip(&self.factor) {
            for x in row {
                *x *= factor;
            }
        }
        let scaled = Matrix::new(&scaled, n, d).t();
        let e = Matrix::new(&self.e, n, width);
        // SAFETY: no two blocks have a column in common.
        unsafe { matmul_columns(dw, v, self.columns.start, into, scaled, e) };
        widest(ColumnSums {
            sums: db,
            factor: &self.factor,
            matrix: &self.e,
        });
        for &(i, _) in &self.chosen {
            let target = rows.targets[i] as usize;
            db[target - self.columns.start] -= weight[i];
            for k in 0..d {
                // SAFETY: as above; the target is one of this block's columns.
                unsafe { *dw.at(k * v + target) -= weight[i] * rows.x.data[i * d + k] };
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
        let sum = exp_in_place(self.row, max);
        Exponentiated { max, sum, chosen }
    }
}

/// `sums += factor^T matrix`, each column in row order.
struct ColumnSums<'a> {
    sums: &'a mut [f32],
    factor: &'a [f32],
    matrix: &'a [f32],
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let width = self.sums.len();
        for (row, factor) in self.matrix.chunks_exact(width).zip(self.factor) {
            for (sum, e) in self.sums.iter_mut().zip(row) {
                *sum += factor * e;
            }
        }
    }
}
