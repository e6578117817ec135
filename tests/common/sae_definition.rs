//! The standard and the TopK autoencoder's loss as the definition reads, and small cases of it.
#![allow(dead_code, reason = "each test file uses its own part")]

use holoscope::sae::StandardParams;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Small random parameters with unit decoder rows; about a quarter of the features is active.
pub fn params(d_in: usize, d_sae: usize, seed: u64) -> StandardParams {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| rng.random_range(-1.0..1.0)).collect() };
    let mut w_dec = draw(d_in * d_sae);
    for row in w_dec.chunks_exact_mut(d_in) {
        let norm = row.iter().map(|w| w * w).sum::<f32>().sqrt();
        row.iter_mut().for_each(|w| *w /= norm);
    }
    StandardParams {
        d_in,
        d_sae,
        w_enc_t: draw(d_in * d_sae).iter().map(|w| 0.6 * w).collect(),
        w_dec,
        b_enc: draw(d_sae).iter().map(|b| 0.3 * b - 0.6).collect(),
        b_dec: draw(d_in).iter().map(|b| 0.2 * b).collect(),
    }
}

pub fn inputs(n: usize, d_in: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n * d_in).map(|_| rng.random_range(-1.5..1.5)).collect()
}

/// `(x - b_dec) W_enc + b_enc` of one token.
pub fn pre_activations(p: &StandardParams, x: &[f32]) -> Vec<f64> {
    let rows = p.w_enc_t.chunks_exact(p.d_in).zip(&p.b_enc);
    rows.map(|(w_enc, &b_enc)| {
        let mut pre = f64::from(b_enc);
        for ((&x, &b), &w) in x.iter().zip(&p.b_dec).zip(w_enc) {
            pre += (f64::from(x) - f64::from(b)) * f64::from(w);
        }
        pre
    })
    .collect()
}

/// The loss in f64, written as the definition reads.
pub fn loss(p: &StandardParams, x: &[f32], l1_coeff: f64) -> f64 {
    top_k_loss(p, x, l1_coeff, p.d_sae)
}

/// [`loss`] with the `k` largest activations of each token alone.
pub fn top_k_loss(p: &StandardParams, x: &[f32], l1_coeff: f64, k: usize) -> f64 {
    let d = p.d_in;
    let mut total = 0.0;
    for x in x.chunks_exact(d) {
        let mut x_hat: Vec<f64> = p.b_dec.iter().map(|&b| f64::from(b)).collect();
        let mut l1 = 0.0;
        let acts: Vec<f64> = pre_activations(p, x).iter().map(|a| a.max(0.0)).collect();
        let mut order: Vec<usize> = (0..acts.len()).collect();
        order.sort_by(|&i, &j| acts[j].total_cmp(&acts[i]));
        for &j in order.iter().take(k) {
            let (act, w_dec) = (acts[j], &p.w_dec[j * d..][..d]);
            l1 += act;
            for (x_hat, &w) in x_hat.iter_mut().zip(w_dec) {
                *x_hat += act * f64::from(w);
            }
        }
        let l2: f64 = x_hat
            .iter()
            .zip(x)
            .map(|(h, &x)| (h - f64::from(x)).powi(2))
            .sum();
        total += l2 + l1_coeff * l1;
    }
    total / (x.len() / d) as f64
}

pub type Field = fn(&mut StandardParams) -> &mut Vec<f32>;

pub const FIELDS: [(&str, Field); 4] = [
    ("W_enc", |p| &mut p.w_enc_t),
    ("W_dec", |p| &mut p.w_dec),
    ("b_enc", |p| &mut p.b_enc),
    ("b_dec", |p| &mut p.b_dec),
];

/// Activations in f64 that count in a batch: the `floor(k n)` largest positive ones, `[n][d_sae]`.
pub fn batch_top_k_acts(p: &StandardParams, x: &[f32], k: f64) -> Vec<Vec<f64>> {
    let mut acts: Vec<Vec<f64>> = x
        .chunks_exact(p.d_in)
        .map(|x| pre_activations(p, x).iter().map(|a| a.max(0.0)).collect())
        .collect();
    let mut order: Vec<(f64, usize, usize)> = Vec::new();
    for (t, acts) in acts.iter().enumerate() {
        order.extend(acts.iter().enumerate().map(|(j, &a)| (a, t, j)));
    }
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    for &(_, t, j) in &order[((k * acts.len() as f64).floor() as usize).min(order.len())..] {
        acts[t][j] = 0.0;
    }
    acts
}

/// The sum of the mean squared errors of the dictionaries of the first `widths` features.
pub fn nested_loss(p: &StandardParams, x: &[f32], acts: &[Vec<f64>], widths: &[usize]) -> f64 {
    let d = p.d_in;
    let mut total = 0.0;
    for &width in widths {
        for (x, acts) in x.chunks_exact(d).zip(acts) {
            for (i, &x) in x.iter().enumerate() {
                let mut x_hat = f64::from(p.b_dec[i]);
                for (j, act) in acts.iter().enumerate().take(width) {
                    x_hat += act * f64::from(p.w_dec[j * d + i]);
                }
                total += (x_hat - f64::from(x)).powi(2);
            }
        }
    }
    total / acts.len() as f64
}
