//! The loss in f64, written from the equations of the papers, on parameters in one long vector.

use super::super::step::{FeatureBlock, TranscoderGrads, TranscoderParams};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::ops::Range;

/// The activation function of the encoders, and the penalty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// `l1 sum_j acts_j sum_s |W_dec[j, s]|`, also for the next two.
    L1,
    TopK(usize),
    BatchTopK(usize),
    /// `l0 sum_j tanh(scale acts_j sum_s |W_dec[j, s]|)` above a threshold.
    Tanh(f64),
    /// Above a threshold; their number has a slope only in the thresholds.
    Step,
}

pub(super) fn normal(n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    StandardNormal.sample_iter(rng).take(n).collect()
}

/// Two blocks: seven features that read the first three columns and write two sites of 2 and 4, six that
/// read the other two columns and write the second of these sites. With a skip.
pub(super) fn random_params(rng: &mut ChaCha8Rng) -> TranscoderParams {
    let mut block = |reads: Range<usize>, writes: Vec<Range<usize>>, s: usize| {
        let d_out: usize = writes.iter().map(Range::len).sum();
        FeatureBlock {
            w_enc_t: normal(s * reads.len(), rng),
            b_enc: normal(s, rng),
            w_dec: normal(s * d_out, rng),
            reads,
            writes,
        }
    };
    let blocks = vec![block(0..3, vec![0..2, 2..6], 7), {
        let only: Vec<Range<usize>> = std::iter::once(2..6).collect();
        block(3..5, only, 6)
    }];
    TranscoderParams {
        d_in: 5,
        d_out: 6,
        blocks,
        b_dec: normal(6, rng),
        w_skip: Some(normal(30, rng)),
    }
}

/// All parameters one after the other: of each block W_enc^T, b_enc, W_dec; b_dec; W_skip.
pub(super) fn flat(params: &TranscoderParams) -> Vec<f64> {
    let mut all = Vec::new();
    let mut push = |values: &[f32]| all.extend(values.iter().map(|&v| f64::from(v)));
    for block in &params.blocks {
        push(&block.w_enc_t);
        push(&block.b_enc);
        push(&block.w_dec);
    }
    push(&params.b_dec);
    push(params.w_skip.as_deref().unwrap_or_default());
    all
}

pub(super) fn flat_gradients(grads: &TranscoderGrads) -> Vec<f64> {
    let mut all = Vec::new();
    let mut push = |values: &[f32]| all.extend(values.iter().map(|&v| f64::from(v)));
    for block in &grads.blocks {
        push(&block.w_enc_t);
        push(&block.b_enc);
        push(&block.w_dec);
    }
    push(&grads.b_dec);
    push(grads.w_skip.as_deref().unwrap_or_default());
    all
}

/// Where the decoder rows of block `b` are in the long vector, with their sites.
pub(super) fn decoder_rows(shape: &TranscoderParams) -> Vec<(Range<usize>, Vec<Range<usize>>)> {
    let mut rows = Vec::new();
    let mut at = 0;
    for block in &shape.blocks {
        at += block.w_enc_t.len() + block.d_sae();
        for _ in 0..block.d_sae() {
            rows.push((at..at + block.d_out(), block.sites()));
            at += block.d_out();
        }
    }
    rows
}

fn norm(w: &[f64]) -> f64 {
    w.iter().map(|w| w * w).sum::<f64>().sqrt()
}

/// Sum of the lengths of a decoder row at its sites.
pub(super) fn length(w: &[f64], sites: &[Range<usize>]) -> f64 {
    sites.iter().map(|site| norm(&w[site.clone()])).sum()
}

/// One block of the long vector.
struct Block<'a> {
    w_enc_t: &'a [f64],
    b_enc: &'a [f64],
    w_dec: &'a [f64],
}

/// The reconstructions, `[n, d_out]`, and the sparsity penalty summed over tokens, at these thresholds of
/// all features.
pub(super) fn forward(
    flat: &[f64],
    shape: &TranscoderParams,
    kind: Kind,
    thresholds: &[f64],
    x: &[f64],
) -> (Vec<f64>, f64) {
    let mut at = 0;
    let mut take = |n: usize| {
        at += n;
        &flat[at - n..at]
    };
    let blocks: Vec<Block> = (shape.blocks.iter())
        .map(|block| Block {
            w_enc_t: take(block.w_enc_t.len()),
            b_enc: take(block.d_sae()),
            w_dec: take(block.w_dec.len()),
        })
        .collect();
    let (b_dec, w_skip) = (take(shape.d_out), take(flat.len() - at_end(shape)));
    let n = x.len() / shape.d_in;
    let mut y_hat: Vec<f64> = b_dec
        .iter()
        .copied()
        .cycle()
        .take(n * shape.d_out)
        .collect();
    for (x, y) in x.chunks(shape.d_in).zip(y_hat.chunks_mut(shape.d_out)) {
        for (x, row) in x.iter().zip(w_skip.chunks(shape.d_out)) {
            (y.iter_mut().zip(row)).for_each(|(y, w)| *y += x * w);
        }
    }
    let (mut penalty, mut first) = (0.0, 0);
    for (block, of) in shape.blocks.iter().zip(&blocks) {
        let (s, sites) = (block.d_sae(), block.sites());
        let mut acts = vec![0.0; n * s];
        for (acts, x) in acts.chunks_mut(s).zip(x.chunks(shape.d_in)) {
            let x = &x[block.reads.clone()];
            for (j, act) in acts.iter_mut().enumerate() {
                let w = &of.w_enc_t[j * x.len()..][..x.len()];
                *act = of.b_enc[j] + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
            }
        }
        select(&mut acts, s, kind, &thresholds[first..first + s]);
        first += s;
        for (acts, y) in acts.chunks(s).zip(y_hat.chunks_mut(shape.d_out)) {
            for (act, w) in acts.iter().zip(of.w_dec.chunks(block.d_out())) {
                let at = &mut y[block.columns()];
                (at.iter_mut().zip(w)).for_each(|(y, w)| *y += act * w);
                penalty += match kind {
                    Kind::L1 | Kind::TopK(_) | Kind::BatchTopK(_) => act * length(w, &sites),
                    Kind::Tanh(scale) => (scale * act * length(w, &sites)).tanh(),
                    Kind::Step => 0.0,
                };
            }
        }
    }
    (y_hat, penalty)
}

/// Length of the long vector without W_skip.
fn at_end(shape: &TranscoderParams) -> usize {
    let blocks = shape.blocks.iter();
    let of = |b: &FeatureBlock| b.w_enc_t.len() + b.d_sae() + b.w_dec.len();
    blocks.map(of).sum::<usize>() + shape.d_out
}

fn select(acts: &mut [f64], s: usize, kind: Kind, thresholds: &[f64]) {
    let largest = |acts: &mut [f64], k: usize| {
        let mut sorted: Vec<f64> = acts.to_vec();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let least = sorted[k - 1].max(0.0);
        acts.iter_mut()
            .for_each(|a| *a = if *a >= least { a.max(0.0) } else { 0.0 });
    };
    let n = acts.len() / s;
    match kind {
        Kind::L1 => acts.iter_mut().for_each(|a| *a = a.max(0.0)),
        Kind::TopK(k) => acts.chunks_mut(s).for_each(|acts| largest(acts, k)),
        Kind::BatchTopK(k) => largest(acts, k * n),
        Kind::Tanh(_) | Kind::Step => {
            for acts in acts.chunks_mut(s) {
                for (a, theta) in acts.iter_mut().zip(thresholds) {
                    *a = if *a > *theta { *a } else { 0.0 };
                }
            }
        }
    }
}

/// `mean_t |y_hat - y|^2 + weight * penalty / n`.
pub(super) fn loss(
    flat: &[f64],
    shape: &TranscoderParams,
    (kind, thresholds, weight): (Kind, &[f64], f64),
    (x, y): (&[f64], &[f64]),
) -> f64 {
    let (y_hat, penalty) = forward(flat, shape, kind, thresholds, x);
    let squares = y_hat.iter().zip(y).map(|(a, b)| (a - b) * (a - b));
    (squares.sum::<f64>() + weight * penalty) / (x.len() / shape.d_in) as f64
}
