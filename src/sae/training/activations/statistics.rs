//! The scale, mean and variance of the activations that an autoencoder trains on, and the
//! conversion of parameters to unscaled activations.

use crate::config::SaeConfig;
use crate::sae::params::StandardParams;

/// Number of rows that estimate the mean, the scale and the variance, and set the first thresholds.
const STATISTICS_ROWS: usize = 32_768;

/// Statistics of the activations for initialisation and figures.
#[derive(Debug, Clone)]
pub(in crate::sae::training) struct Statistics {
    /// Factor that brings the mean norm to `sqrt(d_in)`, or 1.
    pub scale: f32,
    /// Mean of the scaled activations, `[d_in]`.
    pub mean: Vec<f32>,
    /// Mean over rows of `|x - mean|^2`, scaled.
    pub variance: f64,
}

impl Statistics {
    pub(in crate::sae::training) fn of(rows: &[f32], cfg: &SaeConfig) -> Statistics {
        let d = cfg.d_in;
        let rows = first_rows(rows, d);
        let n = (rows.len() / d) as f64;
        let mut mean = vec![0f64; d];
        let (mut norms, mut squares) = (0f64, 0f64);
        for row in rows.chunks_exact(d) {
            let square: f64 = row.iter().map(|&v| f64::from(v).powi(2)).sum();
            squares += square;
            norms += square.sqrt();
            for (m, &v) in mean.iter_mut().zip(row) {
                *m += f64::from(v);
            }
        }
        mean.iter_mut().for_each(|m| *m /= n);
        let mean_norm = norms / n;
        // Activations that are all zero have no norm to scale.
        let scales = cfg.normalize_activations && mean_norm != 0.0;
        let scale = if scales {
            (d as f64).sqrt() / mean_norm
        } else {
            1.0
        };
        let of_mean: f64 = mean.iter().map(|m| m * m).sum();
        Statistics {
            scale: scale as f32,
            mean: mean.into_iter().map(|m| (m * scale) as f32).collect(),
            variance: (squares / n - of_mean) * scale * scale,
        }
    }
}

/// The same function for unscaled activations: the scale passes through `relu` into the acts.
/// Thresholds, which are compared with acts, are divided by it, too.
pub(in crate::sae::training) fn unscaled(mut params: StandardParams, scale: f32) -> StandardParams {
    for b in params.b_enc.iter_mut().chain(&mut params.b_dec) {
        *b /= scale;
    }
    params
}

/// At most as many rows as the estimates use.
pub(in crate::sae::training) fn first_rows(rows: &[f32], d_in: usize) -> &[f32] {
    &rows[..rows.len().min(STATISTICS_ROWS * d_in)]
}
