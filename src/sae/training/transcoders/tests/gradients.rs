//! Manual gradients against central differences of the papers' losses in f64.

use super::super::step::{FeatureBlock, TranscoderParams, TranscoderStep};
use super::reference::*;
use crate::config::L0Loss;
use crate::sae::params::StandardParams;
use crate::sae::training::step::StandardStep;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;

const N: usize = 150;
const WEIGHT: f64 = 0.3;
const BANDWIDTH: f64 = 0.2;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn step_of(params: TranscoderParams, kind: Kind, thresholds: &[f32]) -> TranscoderStep {
    let step = TranscoderStep::new(params, 0.9, 0.99).unwrap();
    match kind {
        Kind::L1 => step,
        Kind::TopK(k) => step.with_top_k(k),
        Kind::BatchTopK(k) => step.with_batch_top_k(k as f64).unwrap(),
        Kind::Tanh(scale) => {
            let loss = L0Loss::Tanh { scale };
            step.with_thresholds(thresholds, BANDWIDTH, loss).unwrap()
        }
        Kind::Step => step
            .with_thresholds(thresholds, BANDWIDTH, L0Loss::Step)
            .unwrap(),
    }
}

/// The part of a decoder row's gradient that preserves the sum of its lengths: `g - (g . u / u . u) u` with
/// `u_s = w_s / |w_s|`.
fn tangent(g: &mut [f64], w: &[f64], sites: &[Range<usize>]) {
    let mut u = vec![0.0; w.len()];
    for site in sites {
        let norm = length(w, std::slice::from_ref(site));
        site.clone().for_each(|i| u[i] = w[i] / norm);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let along = dot(g, &u) / dot(&u, &u);
    (g.iter_mut().zip(&u)).for_each(|(g, u)| *g -= along * u);
}

fn check(kind: Kind, skip: bool) {
    let rng = &mut ChaCha8Rng::seed_from_u64(17);
    let mut params = random_params(rng);
    if !skip {
        params.w_skip = None;
    }
    let (x, y) = (normal(N * 5, rng), normal(N * 6, rng));
    let thresholds: Vec<f32> = normal(13, rng).iter().map(|t| 0.4 * t.abs()).collect();
    let mut step = step_of(params, kind, &thresholds);
    let shape = step.params().clone();
    let at = flat(&shape);
    let (figures, grads) = step.gradients(&x, &y, WEIGHT).unwrap();
    let mut found = flat_gradients(&grads);
    let (x, y, theta) = (wide(&x), wide(&y), wide(&thresholds));
    let loss_at = |p: &[f64]| loss(p, &shape, (kind, &theta, WEIGHT), (&x, &y));
    let mut wanted: Vec<f64> = (0..at.len())
        .map(|i| {
            let moved = |by: f64| {
                let mut p = at.clone();
                p[i] += by;
                loss_at(&p)
            };
            (moved(1e-6) - moved(-1e-6)) / 2e-6
        })
        .collect();
    // Decoder rows are moved only along directions that preserve their length, where the penalty has no slope.
    for (row, sites) in decoder_rows(&shape) {
        assert!((length(&at[row.clone()], &sites) - 1.0).abs() < 1e-5);
        tangent(&mut found[row.clone()], &at[row.clone()], &sites);
        tangent(&mut wanted[row.clone()], &at[row.clone()], &sites);
    }
    let largest = wanted.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        let apart = (found - wanted).abs();
        assert!(
            apart < 2e-4 * largest,
            "{kind:?} {i}: {found} against {wanted}"
        );
    }
    let (y_hat, _) = forward(&at, &shape, kind, &theta, &x);
    let squares: f64 = y_hat.iter().zip(&y).map(|(a, b)| (a - b) * (a - b)).sum();
    assert!((figures.l2 - squares / N as f64).abs() < 1e-4 * figures.l2);
}

#[test]
fn gradients_are_those_of_the_papers_losses() {
    for kind in [
        Kind::L1,
        Kind::TopK(2),
        Kind::BatchTopK(2),
        Kind::Tanh(3.0),
        Kind::Step,
    ] {
        check(kind, true);
        check(kind, false);
    }
}

/// `d acts / d theta = -(theta / eps) K`, `d H / d theta = -(1 / eps) K`, K = 1 within half a bandwidth.
#[test]
fn thresholds_get_the_straight_through_estimate() {
    for kind in [Kind::Step, Kind::Tanh(3.0)] {
        let rng = &mut ChaCha8Rng::seed_from_u64(18);
        let params = random_params(rng);
        let (x, y) = (normal(N * 5, rng), normal(N * 6, rng));
        let thresholds: Vec<f32> = normal(13, rng)
            .iter()
            .map(|t| 0.2 + 0.3 * t.abs())
            .collect();
        let mut step = step_of(params, kind, &thresholds);
        let shape = step.params().clone();
        let (_, grads) = step.gradients(&x, &y, WEIGHT).unwrap();
        let (x, y, theta) = (wide(&x), wide(&y), wide(&thresholds));
        let (y_hat, _) = forward(&flat(&shape), &shape, kind, &theta, &x);
        let mut first = 0;
        for (block, grads) in shape.blocks.iter().zip(&grads.blocks) {
            for j in 0..block.d_sae() {
                let theta = theta[first + j];
                let w_enc = wide(&block.w_enc_t[j * block.d_in()..][..block.d_in()]);
                let w_dec = wide(&block.w_dec[j * block.d_out()..][..block.d_out()]);
                let mut wanted = 0.0;
                for t in 0..N {
                    let x = &x[t * 5..][..5][block.reads.clone()];
                    let product: f64 = w_enc.iter().zip(x).map(|(w, x)| w * x).sum();
                    let pre = f64::from(block.b_enc[j]) + product;
                    if (pre - theta).abs() >= BANDWIDTH / 2.0 {
                        continue;
                    }
                    let columns = block.columns();
                    let (y_hat, y) = (&y_hat[t * 6..][..6], &y[t * 6..][..6]);
                    let slope: f64 = (columns.zip(&w_dec))
                        .map(|(c, w)| 2.0 / N as f64 * (y_hat[c] - y[c]) * w)
                        .sum();
                    let act = if pre > theta { pre } else { 0.0 };
                    let paid = WEIGHT / N as f64;
                    let of_loss = match kind {
                        Kind::Tanh(scale) => {
                            theta * paid * scale * (1.0 - (scale * act).tanh().powi(2))
                        }
                        _ => paid,
                    };
                    wanted -= (theta * slope + of_loss) / BANDWIDTH;
                }
                let found = f64::from(grads.threshold[j]);
                assert!(
                    (found - wanted).abs() < 1e-4,
                    "{kind:?} {j}: {found} {wanted}"
                );
            }
            first += block.d_sae();
        }
    }
}

/// With `b_dec` 0 and the input as the target it is the standard step, to the bit.
#[test]
fn the_standard_step_is_a_special_case() {
    let rng = &mut ChaCha8Rng::seed_from_u64(19);
    let (d, s) = (9, 70);
    let x = normal(200 * d, rng);
    let mut standard = StandardParams {
        d_in: d,
        d_sae: s,
        w_enc_t: normal(s * d, rng),
        w_dec: normal(s * d, rng),
        b_enc: normal(s, rng).iter().map(|b| b - 3.0).collect(),
        b_dec: vec![0.0; d],
    };
    let block = FeatureBlock {
        reads: 0..d,
        writes: std::iter::once(0..d).collect(),
        w_enc_t: standard.w_enc_t.clone(),
        b_enc: standard.b_enc.clone(),
        w_dec: standard.w_dec.clone(),
    };
    let params = TranscoderParams {
        d_in: d,
        d_out: d,
        blocks: vec![block],
        b_dec: vec![0.0; d],
        w_skip: None,
    };
    let mut ours = TranscoderStep::new(params, 0.9, 0.99).unwrap();
    standard.w_dec.clone_from(&ours.params().blocks[0].w_dec);
    let mut theirs = StandardStep::new(standard, 0.9, 0.99)
        .unwrap()
        .with_dense_above(1.0);
    let (of_ours, a) = ours.gradients(&x, &x, 0.2).unwrap();
    let (of_theirs, b) = theirs.gradients(&x, 0.2).unwrap();
    assert_eq!(of_ours, of_theirs);
    assert_eq!(a.blocks[0].w_enc_t, b.w_enc_t);
    assert_eq!(a.blocks[0].w_dec, b.w_dec);
    assert_eq!(a.blocks[0].b_enc, b.b_enc);
    ours.step(&x, &x, 1e-2, 0.2).unwrap();
    theirs.step(&x, 1e-2, 0.2).unwrap();
    let (ours, theirs) = (&ours.params().blocks[0], theirs.params());
    assert_eq!(ours.w_enc_t, theirs.w_enc_t);
    assert_eq!(ours.w_dec, theirs.w_dec);
    assert_eq!(ours.b_enc, theirs.b_enc);
}
