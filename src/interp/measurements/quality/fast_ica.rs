//! Independent components: directions along which whitened activations are least Gaussian.
//! `w <- E[x g(w . x)] - E[g'(w . x)] w`, `g = tanh`, all components at once, decorrelated by
//! `W <- (W W^T)^(-1/2) W`. Source: Hyvarinen 1999, "Fast and robust fixed-point algorithms for ICA".

use crate::error::{Error, Result};
use crate::linear_algebra::{RealMatrix, symmetric_eigen};
use crate::show::Interrupts;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

/// Steps allowed. scikit-learn allows 200, but at a width of 512 a step takes the better part of a second.
const MAX_STEPS: usize = 50;
/// Converged when every component has turned by less: `1 - |cos|`; scikit-learn's default.
const TOLERANCE: f64 = 1e-4;
/// Iterations of one decorrelation; each takes a small singular value to 1.5 times as much.
const MAX_DECORRELATION: usize = 80;

/// Components of centred activations.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct IndependentComponents {
    /// One row a component: `s = x . row` has variance 1. `[n_components, d_in]`
    pub unmixing: RealMatrix,
    /// One row a component: what it adds to x, `x = sum s row`. `[n_components, d_in]`
    pub mixing: RealMatrix,
    /// Whether the last step turned no component further than 1e-4.
    pub converged: bool,
}

/// The independent components of centred activations `[n, d_in]`: as many as the activations have
/// directions of variance.
///
/// # Errors
/// Activations that are constant; [`Error::Interrupted`].
pub(super) fn fast_ica(x: &RealMatrix, seed: u64) -> Result<IndependentComponents> {
    let interrupts = Interrupts::listen();
    let (whitening, coloring) = whitening(x)?;
    let z = x.times_transposed(&whitening); // [n, c]
    let c = z.n_columns();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut w = RealMatrix::zeros(c, c);
    w.entries_mut()
        .iter_mut()
        .for_each(|v| *v = rng.sample(StandardNormal));
    w = decorrelated(w)?;
    let mut converged = false;
    for _ in 0..MAX_STEPS {
        interrupts.check("independent components")?;
        let next = decorrelated(step(&z, &w)?)?;
        let turned = (0..c)
            .map(|i| {
                let cosine: f64 = next.row(i).iter().zip(w.row(i)).map(|(a, b)| a * b).sum();
                (cosine.abs() - 1.0).abs()
            })
            .fold(0.0, f64::max);
        w = next;
        if turned < TOLERANCE {
            converged = true;
            break;
        }
    }
    Ok(IndependentComponents {
        unmixing: w.times(&whitening),
        mixing: w.times(&coloring),
        converged,
    })
}

/// Rows that give uncorrelated coordinates of variance 1, and those that give x back from them.
/// `[c, d_in]` both
fn whitening(x: &RealMatrix) -> Result<(RealMatrix, RealMatrix)> {
    let mut covariance = x.transposed_times(x);
    covariance
        .entries_mut()
        .iter_mut()
        .for_each(|v| *v /= x.n_rows() as f64);
    let spectrum = symmetric_eigen(&covariance)?;
    let kept = spectrum.rank();
    if kept == 0 {
        let reason = "have no direction of any variance";
        return Err(Error::argument("activations", "constant", reason));
    }
    let of = |power: f64| {
        let mut rows = spectrum.vectors.select(&(0..kept).collect::<Vec<_>>());
        for i in 0..kept {
            let factor = spectrum.values[i].powf(power);
            rows.row_mut(i).iter_mut().for_each(|v| *v *= factor);
        }
        rows
    };
    Ok((of(-0.5), of(0.5)))
}

/// One fixed-point step of every row of `w` on whitened activations.
fn step(z: &RealMatrix, w: &RealMatrix) -> Result<RealMatrix> {
    let n = z.n_rows() as f64;
    let mut s = z.times_transposed(w); // [n, c]
    s.entries_mut().par_iter_mut().for_each(|v| *v = v.tanh());
    let mut next = s.transposed_times(z); // [c, c]
    let mut slope = vec![0.0; w.n_rows()];
    for i in 0..s.n_rows() {
        for (total, g) in slope.iter_mut().zip(s.row(i)) {
            *total += (1.0 - g * g) / n;
        }
    }
    for (i, slope) in slope.iter().enumerate() {
        for (v, old) in next.row_mut(i).iter_mut().zip(w.row(i)) {
            *v = *v / n - slope * old;
        }
    }
    Ok(next)
}

/// `(W W^T)^(-1/2) W`, by the iteration `W <- 3/2 W - 1/2 W W^T W` (the paper's equation 8 in section 4):
/// products alone, where the spectrum would take most of the time.
fn decorrelated(mut w: RealMatrix) -> Result<RealMatrix> {
    let row_sum = |m: &RealMatrix, i: usize| m.row(i).iter().map(|v| v.abs()).sum::<f64>();
    let gram = w.times_transposed(&w);
    // At least the largest eigenvalue, which must not exceed 1 for the iteration.
    let most = (0..w.n_rows())
        .map(|i| row_sum(&gram, i))
        .fold(f64::MIN_POSITIVE, f64::max);
    w.entries_mut().iter_mut().for_each(|v| *v /= most.sqrt());
    for _ in 0..MAX_DECORRELATION {
        let gram = w.times_transposed(&w);
        let off = (0..w.n_rows()).flat_map(|i| {
            let row = gram.row(i).iter().enumerate();
            row.map(move |(j, v)| (v - f64::from(u8::from(i == j))).abs())
        });
        let defect = off.fold(0.0, f64::max);
        let cube = gram.times(&w);
        for (v, c) in w.entries_mut().iter_mut().zip(cube.entries()) {
            *v = 1.5 * *v - 0.5 * c;
        }
        // The defect is squared by each iteration.
        if defect < 1e-8 {
            break;
        }
    }
    Ok(w)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three independent sources, uniform and Laplacian, in a skew basis.
    fn mixed(n: usize) -> (RealMatrix, [[f64; 3]; 3]) {
        let basis = [[1.0, 0.2, -0.3], [0.5, 2.0, 0.1], [-0.4, 0.3, 0.7]];
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut x = RealMatrix::zeros(n, 3);
        for i in 0..n {
            let laplace = |u: f64| -u.signum() * (1.0 - 2.0 * u.abs()).ln();
            let s = [
                rng.random_range(-1.0..1.0),
                laplace(rng.random_range(-0.499..0.499)),
                laplace(rng.random_range(-0.499..0.499)),
            ];
            for (value, direction) in s.iter().zip(&basis) {
                for (entry, d) in x.row_mut(i).iter_mut().zip(direction) {
                    *entry += value * d;
                }
            }
        }
        let mean = x.mean_row();
        for i in 0..n {
            for (entry, m) in x.row_mut(i).iter_mut().zip(&mean) {
                *entry -= m;
            }
        }
        (x, basis)
    }

    #[test]
    fn a_skew_basis_of_independent_sources_is_found() {
        let (x, basis) = mixed(4_000);
        let found = fast_ica(&x, 1).unwrap();
        assert!(found.converged);
        for direction in &basis {
            let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
            let best = (0..3)
                .map(|i| {
                    let row = found.mixing.row(i);
                    let product: f64 = row.iter().zip(direction).map(|(a, b)| a * b).sum();
                    (product / norm(row) / norm(direction)).abs()
                })
                .fold(0.0, f64::max);
            assert!(best > 0.995, "{best}: {found:?}");
        }
        // Unmixing and mixing are inverse to each other.
        let identity = found.unmixing.times_transposed(&found.mixing);
        for i in 0..3 {
            for j in 0..3 {
                let expected = f64::from(u8::from(i == j));
                assert!((identity.row(i)[j] - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn directions_without_variance_are_left_out_and_constants_refused() {
        let (x, _) = mixed(500);
        let mut flat = RealMatrix::zeros(500, 4);
        for i in 0..500 {
            flat.row_mut(i)[..3].copy_from_slice(x.row(i));
        }
        assert_eq!(fast_ica(&flat, 1).unwrap().unmixing.n_rows(), 3);
        assert!(fast_ica(&RealMatrix::zeros(10, 3), 1).is_err());
    }
}
