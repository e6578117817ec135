//! The parameters from which every file is made, and the equations of f64 that judge what is read.

use candle_core::{Device, Tensor};
use holoscope::sae::{Sae, SparseAutoencoder, Transcoder};
use serde_json::Value;
use std::path::Path;

pub const D: usize = 3;

pub const S: usize = 5;

/// `sin(f i + p)`, i = 0, 1, ..
pub fn wave(n: usize, f: f64, p: f64) -> Vec<f32> {
    (0..n).map(|i| (f * i as f64 + p).sin() as f32).collect()
}

/// The parameters from which every file here is made; matrices are `[in, out]`.
pub struct Parameters {
    pub w_enc: Vec<f32>,
    pub b_enc: Vec<f32>,
    pub w_dec: Vec<f32>,
    pub b_dec: Vec<f32>,
    pub threshold: Vec<f32>,
}

pub fn parameters() -> Parameters {
    Parameters {
        w_enc: wave(D * S, 1.3, 0.2),
        b_enc: wave(S, 0.7, 1.0),
        w_dec: wave(S * D, 2.1, 0.4),
        b_dec: wave(D, 1.9, 0.3),
        threshold: wave(S, 0.9, 0.5).iter().map(|t| t.abs() * 0.6).collect(),
    }
}

/// `w` of `[rows, columns]` the other way round.
pub fn turned(w: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|j| (0..rows).map(move |i| w[i * columns + j]))
        .collect()
}

/// Inputs `[n, D]`.
pub fn inputs() -> Vec<Vec<f64>> {
    let values = wave(6 * D, 0.83, 0.1);
    let rows = values.chunks(D);
    rows.map(|row| row.iter().map(|&x| 2.0 * f64::from(x)).collect())
        .collect()
}

/// `x W + b`, `W [x.len(), b.len()]`.
pub fn affine(x: &[f64], w: &[f32], b: &[f32]) -> Vec<f64> {
    let out = b.len();
    (0..out)
        .map(|j| {
            let sum: f64 = x
                .iter()
                .enumerate()
                .map(|(i, x)| x * f64::from(w[i * out + j]))
                .sum();
            sum + f64::from(b[j])
        })
        .collect()
}

pub fn minus(x: &[f64], b: &[f32]) -> Vec<f64> {
    x.iter().zip(b).map(|(x, &b)| x - f64::from(b)).collect()
}

pub fn relu(pre: Vec<f64>) -> Vec<f64> {
    pre.into_iter().map(|x| x.max(0.0)).collect()
}

/// What is above the threshold and above 0.
pub fn jump(pre: Vec<f64>, threshold: impl Fn(usize) -> f64) -> Vec<f64> {
    let kept = pre.into_iter().enumerate();
    kept.map(|(j, x)| if x > threshold(j).max(0.0) { x } else { 0.0 })
        .collect()
}

pub fn top_k(pre: Vec<f64>, k: usize) -> Vec<f64> {
    let acts = relu(pre);
    let mut sorted = acts.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    acts.into_iter()
        .map(|x| if x >= sorted[k - 1] { x } else { 0.0 })
        .collect()
}

pub fn tensor(rows: &[Vec<f64>]) -> Tensor {
    let values: Vec<f32> = rows.concat().iter().map(|&x| x as f32).collect();
    Tensor::from_vec(values, (rows.len(), rows[0].len()), &Device::Cpu).unwrap()
}

pub fn assert_close(what: &str, found: &Tensor, expected: &[Vec<f64>]) {
    let found = found.to_vec2::<f32>().unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (f64::from(*found) - expected).abs() < 1e-5,
                "{what}: {found} for {expected}"
            );
        }
    }
}

/// The autoencoder in `path` encodes each input as `encode` does and decodes with these parameters.
pub fn check_sae(
    path: &Path,
    encode: impl Fn(&[f64]) -> Vec<f64>,
    w_dec: &[f32],
    b_dec: &[f32],
) -> Sae {
    let sae = Sae::load(path).unwrap();
    assert_eq!((sae.d_in(), sae.d_sae()), (D, S));
    let x = inputs();
    let acts: Vec<Vec<f64>> = x.iter().map(|x| encode(x)).collect();
    let active = acts.concat().iter().filter(|&&x| x > 0.0).count();
    assert!(
        active > 4 && active < 6 * S - 4,
        "{active} active: the test shows nothing"
    );
    let y: Vec<Vec<f64>> = acts.iter().map(|acts| affine(acts, w_dec, b_dec)).collect();
    assert_close("acts", &sae.encode(&tensor(&x)).unwrap(), &acts);
    assert_close("reconstruction", &sae.reconstruct(&tensor(&x)).unwrap(), &y);
    // Through SAELens' format and back it is the same.
    let folder = tempfile::tempdir().unwrap();
    sae.save(folder.path()).unwrap();
    let again = Sae::load(folder.path()).unwrap();
    assert_close("saved again", &again.reconstruct(&tensor(&x)).unwrap(), &y);
    assert_eq!(again.hook_name(), sae.hook_name());
    sae
}

pub fn check_transcoder(
    transcoder: &Transcoder,
    encode: impl Fn(&[f64]) -> Vec<f64>,
    p: &Parameters,
    skip: Option<&[f32]>,
) {
    let x = inputs();
    let acts: Vec<Vec<f64>> = x.iter().map(|x| encode(x)).collect();
    let y = x.iter().zip(&acts).map(|(x, acts)| {
        let mut y = affine(acts, &p.w_dec, &p.b_dec);
        if let Some(skip) = skip {
            let around = affine(x, skip, &[0.0; D]);
            y.iter_mut()
                .zip(around)
                .for_each(|(y, around)| *y += around);
        }
        y
    });
    let y: Vec<Vec<f64>> = y.collect();
    assert_close("acts", &transcoder.encode(&tensor(&x)).unwrap(), &acts);
    assert_close("output", &transcoder.reconstruct(&tensor(&x)).unwrap(), &y);
}

/// A tensor for a file.
pub fn named<'a>(
    name: &'a str,
    values: &'a [f32],
    shape: &'a [usize],
) -> (&'a str, &'a [f32], &'a [usize]) {
    (name, values, shape)
}

pub fn write_json(path: &Path, value: &Value) {
    std::fs::write(path, value.to_string()).unwrap();
}

/// The message of the error that reading gives.
pub fn refused(path: &Path) -> String {
    Sae::load(path).unwrap_err().to_string()
}

/// Rows of unit length, and what was their length.
pub fn unit_rows(w_dec: &[f32]) -> (Vec<f32>, Vec<f64>) {
    let norm = |row: &[f32]| {
        row.iter()
            .map(|&x| f64::from(x) * f64::from(x))
            .sum::<f64>()
            .sqrt()
    };
    let norms: Vec<f64> = w_dec.chunks(D).map(norm).collect();
    let rows = w_dec.chunks(D).zip(&norms);
    (
        rows.flat_map(|(row, norm)| row.iter().map(move |&x| (f64::from(x) / norm) as f32))
            .collect(),
        norms,
    )
}
