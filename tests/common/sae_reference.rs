//! The small autoencoder of which sae-lens 6.54.0 (torch 2.15.0, Python 3.11) gave the numbers in the tests: weights
//! by a formula, so that both have the same.
//!
//! In Python: `f = lambda n, a, b: np.sin(a*i + 0.37*i**2 + b).astype(np.float32)` with `i = np.arange(n)`,
//! `W_dec = unit(f(128, .7, .3))`, rows of 8 at unit length; `W_enc.T = 0.6 * f(128, 1.3, .1)`;
//! `b_enc = 0.2 * f(16, .9, .5) - 0.1`; `b_dec = 0.2 * f(8, 1.1, .2)`; `x = 1.5 * f(80, .37, .05) * f(80, 2.9, 1.)`.
#![allow(dead_code, reason = "each test file uses its own part")]

use candle_core::{Device, Tensor};
use holoscope::sae::StandardParams;

pub const D: usize = 8;
pub const S: usize = 16;
pub const N: usize = 10;

pub fn f(n: usize, a: f64, b: f64) -> Vec<f32> {
    (0..n)
        .map(|i| {
            let i = i as f64;
            (a * i + 0.37 * (i * i) + b).sin() as f32
        })
        .collect()
}

/// Rows of unit length, `[16, 8]`.
pub fn w_dec() -> Vec<f32> {
    let mut w = f(S * D, 0.7, 0.3);
    for row in w.chunks_exact_mut(D) {
        let norm = row
            .iter()
            .map(|&w| f64::from(w).powi(2))
            .sum::<f64>()
            .sqrt();
        row.iter_mut()
            .for_each(|w| *w = (f64::from(*w) / norm) as f32);
    }
    w
}

pub fn b_dec() -> Vec<f32> {
    f(D, 1.1, 0.2).iter().map(|b| 0.2 * b).collect()
}

pub fn x() -> Vec<f32> {
    let other = f(N * D, 2.9, 1.0);
    let x = f(N * D, 0.37, 0.05);
    x.iter().zip(other).map(|(a, b)| 1.5 * a * b).collect()
}

pub fn params() -> StandardParams {
    StandardParams {
        d_in: D,
        d_sae: S,
        w_enc_t: f(S * D, 1.3, 0.1).iter().map(|w| 0.6 * w).collect(),
        w_dec: w_dec(),
        b_enc: f(S, 0.9, 0.5).iter().map(|b| 0.2 * b - 0.1).collect(),
        b_dec: b_dec(),
    }
}

pub fn tensor(values: Vec<f32>, shape: &[usize]) -> Tensor {
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// `sum_i g_i sin(0.21 i + 0.37 i^2)` and the norm of a gradient: `(g * f(g.numel(), .21, 0.)).sum()`, `g.norm()`.
pub fn digest(g: &[f32]) -> (f64, f64) {
    let weights = f(g.len(), 0.21, 0.0);
    let sum = g.iter().zip(weights);
    let sum = sum.map(|(&g, w)| f64::from(g) * f64::from(w)).sum();
    let norm = g.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
    (sum, norm)
}

pub fn close(name: &str, got: &[f32], wanted: &[f64], tolerance: f64) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    for (i, (&got, &wanted)) in got.iter().zip(wanted).enumerate() {
        let off = (f64::from(got) - wanted).abs();
        assert!(
            off < tolerance * (1.0 + wanted.abs()),
            "{name}[{i}]: {got} against {wanted}"
        );
    }
}

/// The digest of each gradient against the package's.
pub fn same_digest(name: &str, g: &[f32], (sum, norm): (f64, f64)) {
    let got = digest(g);
    for (what, got, wanted) in [("sum", got.0, sum), ("norm", got.1, norm)] {
        let off = (got - wanted).abs();
        assert!(
            off < 2e-5 * (1.0 + wanted.abs()),
            "{what} of {name}: {got} against {wanted}"
        );
    }
}

/// A folder with this `cfg.json` and these tensors.
pub fn folder(cfg: &str, tensors: &[(&str, Tensor)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("cfg.json"), cfg).unwrap();
    let tensors: std::collections::HashMap<String, Tensor> = tensors
        .iter()
        .map(|(name, tensor)| ((*name).to_owned(), tensor.clone()))
        .collect();
    let path = dir.path().join("sae_weights.safetensors");
    candle_core::safetensors::save(&tensors, path).unwrap();
    dir
}
