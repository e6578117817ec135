//! Meta structure: how far the directions of a dictionary are sums of few directions of a smaller one.
//! `1 - sum_f |w_f - w_hat_f|^2 / sum_f |w_f - mean w|^2`, w_f the decoder's rows at unit length, w_hat_f
//! of k atoms of a second dictionary. Source: Leask et al. 2025, arXiv:2502.04878; SAEBench 0.6.

use super::meta_dictionary::MetaDictionary;
use crate::error::{Error, Result};
use crate::linear_algebra::{RealMatrix, dot};
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The second dictionary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaConfig {
    /// Its number of atoms; 0: a sixteenth of the features, at least one.
    pub n_atoms: usize,
    /// Atoms that a direction takes, at most.
    pub k: usize,
    /// Updates of the atoms.
    pub n_steps: usize,
    /// Draws the rows from which the atoms begin.
    pub seed: u64,
}

impl Default for MetaConfig {
    fn default() -> Self {
        Self {
            n_atoms: 0,
            k: 4,
            n_steps: 20,
            seed: 0,
        }
    }
}

/// What a second dictionary explains of a first one.
#[derive(Debug, Clone, PartialEq)]
pub struct MetaStructure {
    /// Share of the variance of the decoder's directions; NaN if they are all the same.
    pub explained_variance: f64,
    /// Atoms that a direction takes, averaged.
    pub l0: f64,
    pub n_atoms: usize,
    pub n_features: usize,
}

/// Fits a sparse dictionary to the decoder's directions and measures what it explains of them.
///
/// SAEBench trains a BatchTopK autoencoder; here it is a dictionary with codes by matching pursuit, fitted
/// without a learning rate, so that the share is that of the sparse codes rather than of an encoder.
/// Compare it with that of a random dictionary of the same shape.
///
/// # Errors
/// [`Error::Argument`] for a `k` of 0 or more atoms than features, [`Error::NotFiniteAt`] for a decoder
/// that is not finite; [`Error::Interrupted`].
pub fn meta_structure(sae: &dyn SparseAutoencoder, cfg: &MetaConfig) -> Result<MetaStructure> {
    let mut rows = RealMatrix::from_tensor("W_dec", &sae.w_dec())?;
    let n_atoms = match cfg.n_atoms {
        0 => (rows.n_rows() / 16).max(1),
        n => n,
    };
    if cfg.k == 0 {
        return Err(Error::argument("k", 0, "must be at least 1"));
    }
    if n_atoms > rows.n_rows() {
        let reason = format!("must be at most the number of features, {}", rows.n_rows());
        return Err(Error::argument("n_atoms", n_atoms, reason));
    }
    for i in 0..rows.n_rows() {
        let norm = dot(rows.row(i), rows.row(i)).sqrt();
        if norm > 0.0 {
            rows.row_mut(i).iter_mut().for_each(|v| *v /= norm);
        }
    }
    let mean = rows.mean_row();
    for i in 0..rows.n_rows() {
        for (v, m) in rows.row_mut(i).iter_mut().zip(&mean) {
            *v -= m;
        }
    }
    let fitted = MetaDictionary::fit(&rows, n_atoms, cfg.k, cfg.n_steps, cfg.seed)?;
    let (mut error, mut variance, mut active) = (0.0, 0.0, 0);
    for i in 0..rows.n_rows() {
        let left = fitted.residual(&rows, i);
        error += dot(&left, &left);
        variance += dot(rows.row(i), rows.row(i));
        active += fitted.codes[i].len();
    }
    let n = rows.n_rows() as f64;
    Ok(MetaStructure {
        // Equal directions differ by rounding alone.
        explained_variance: match variance > 1e-12 * n {
            true => 1.0 - error / variance,
            false => f64::NAN,
        },
        l0: active as f64 / n,
        n_atoms: fitted.atoms.n_rows(),
        n_features: rows.n_rows(),
    })
}

impl MetaStructure {
    /// One row: `n_features`, `n_atoms`, `l0`, `explained_variance`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        Ok(df![
            "n_features" => [self.n_features as u32],
            "n_atoms" => [self.n_atoms as u32],
            "l0" => [self.l0],
            "explained_variance" => [self.explained_variance],
        ]?)
    }
}

impl fmt::Display for MetaStructure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "meta structure: {} atoms, {:.1} a direction, explain {:.3} of the variance of {} directions",
            self.n_atoms, self.l0, self.explained_variance, self.n_features
        )
    }
}

shows_itself!(MetaStructure, |it| Table::new(it.frame()?)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sae::StandardSae;
    use candle_core::{DType, Device, Tensor};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::StandardNormal;

    fn with_decoder(rows: Vec<f32>, n: usize, d: usize) -> StandardSae {
        let w_dec = Tensor::from_vec(rows, (n, d), &Device::Cpu).unwrap();
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu).unwrap();
        let w_enc = w_dec.t().unwrap().contiguous().unwrap();
        StandardSae::new(w_enc, zeros(n), w_dec, zeros(d)).unwrap()
    }

    /// 240 directions in 24 dimensions: of two of 12 atoms each, or random.
    fn directions(planted: bool) -> StandardSae {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let (n, d) = (240, 24);
        let atoms: Vec<f32> = (0..12 * d).map(|_| rng.sample(StandardNormal)).collect();
        let mut rows = Vec::new();
        for _ in 0..n {
            let (a, b) = (rng.random_range(0..12), rng.random_range(0..12));
            for j in 0..d {
                let noise: f32 = rng.sample(StandardNormal);
                rows.push(match planted {
                    true => atoms[a * d + j] + atoms[b * d + j],
                    false => noise,
                });
            }
        }
        with_decoder(rows, n, d)
    }

    #[test]
    fn directions_made_of_atoms_are_explained_and_random_ones_are_not() {
        let cfg = MetaConfig {
            n_atoms: 14,
            ..MetaConfig::default()
        };
        let planted = meta_structure(&directions(true), &cfg).unwrap();
        let random = meta_structure(&directions(false), &cfg).unwrap();
        assert!(planted.explained_variance > 0.9, "{planted}");
        assert!(random.explained_variance < 0.6, "{random}");
        assert!(random.explained_variance > 0.0 && planted.l0 <= 4.0);
        assert_eq!(planted.frame().unwrap().shape(), (1, 4));
    }

    #[test]
    fn as_many_atoms_as_directions_explain_all_and_equal_ones_have_no_variance() {
        let cfg = MetaConfig {
            n_atoms: 240,
            k: 1,
            n_steps: 0,
            ..MetaConfig::default()
        };
        let all = meta_structure(&directions(false), &cfg).unwrap();
        assert!((all.explained_variance - 1.0).abs() < 1e-9, "{all}");
        let equal = with_decoder([1.0, 2.0].repeat(8), 8, 2);
        let found = meta_structure(&equal, &MetaConfig::default()).unwrap();
        assert!(found.explained_variance.is_nan());
        let too_many = MetaConfig {
            n_atoms: 9,
            ..MetaConfig::default()
        };
        assert!(meta_structure(&equal, &too_many).is_err());
    }
}
