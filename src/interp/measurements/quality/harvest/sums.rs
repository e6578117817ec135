//! What is summed over the tokens of one sequence, in f64; every metric is a function of these sums.

use crate::error::{Error, Result};
use crate::sae::ActiveFeatures;
use candle_core::{DType, Device, Tensor};

/// How an activation is replaced; the index of its losses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::interp::measurements::quality) enum Replaced {
    Not,
    ByZero,
    ByMean,
    ByResample,
    ByReconstruction,
}

/// Number of [`Replaced`].
pub(in crate::interp::measurements::quality) const N_REPLACED: usize = 5;

/// Sums over the tokens of a sequence, or of several.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::interp::measurements::quality) struct Sums {
    /// Tokens measured.
    pub n: f64,
    /// Active features; NaN where an activation is not finite.
    pub l0: f64,
    pub l1: f64,
    /// `|x|^2`
    pub x_squared: f64,
    /// `|x_hat|^2`
    pub x_hat_squared: f64,
    /// `x . x_hat`
    pub product: f64,
    /// `|x - x_hat|^2`
    pub error_squared: f64,
    /// As [`Sums::error_squared`], divided by the tokens of the batch.
    pub error_over_batch: f64,
    pub cosine: f64,
    /// `|x_hat| / |x|`
    pub l2_ratio: f64,
    /// Tokens that predict the next one.
    pub n_predictions: f64,
    /// Tokens with logits.
    pub n_logits: f64,
    /// Cross-entropy of the predictions, nats.
    pub ce: [f64; N_REPLACED],
    /// KL divergence of the model's own distribution from this one, nats.
    pub kl: [f64; N_REPLACED],
}

impl Sums {
    /// Adds `times` the other sums.
    pub(in crate::interp::measurements::quality) fn add(&mut self, other: &Sums, times: f64) {
        self.n += times * other.n;
        self.l0 += times * other.l0;
        self.l1 += times * other.l1;
        self.x_squared += times * other.x_squared;
        self.x_hat_squared += times * other.x_hat_squared;
        self.product += times * other.product;
        self.error_squared += times * other.error_squared;
        self.error_over_batch += times * other.error_over_batch;
        self.cosine += times * other.cosine;
        self.l2_ratio += times * other.l2_ratio;
        self.n_predictions += times * other.n_predictions;
        self.n_logits += times * other.n_logits;
        for i in 0..N_REPLACED {
            self.ce[i] += times * other.ce[i];
            self.kl[i] += times * other.kl[i];
        }
    }

    /// Adds one token's activation and its reconstruction, of a batch of `batch_tokens`.
    pub(in crate::interp::measurements::quality) fn add_row(
        &mut self,
        x: &[f32],
        x_hat: &[f32],
        batch_tokens: usize,
    ) {
        let (mut xx, mut hh, mut xh, mut error) = (0.0, 0.0, 0.0, 0.0);
        for (&v, &w) in x.iter().zip(x_hat) {
            let (v, w) = (f64::from(v), f64::from(w));
            xx += v * v;
            hh += w * w;
            xh += v * w;
            error += (v - w) * (v - w);
        }
        self.n += 1.0;
        self.x_squared += xx;
        self.x_hat_squared += hh;
        self.product += xh;
        self.error_squared += error;
        self.error_over_batch += error / batch_tokens as f64;
        // torch's cosine_similarity; SAEBench's l2_ratio.
        self.cosine += xh / (xx * hh).sqrt().max(1e-8);
        let length = xx.sqrt();
        self.l2_ratio += hh.sqrt() / if length < 1e-4 { 1.0 } else { length };
    }
}

/// One sequence's counts of features.
pub(in crate::interp::measurements::quality) type Counts = Vec<(u32, u32)>;

/// Adds the activations of `rows` of a batch to `sums`; how often each feature was active.
pub(in crate::interp::measurements::quality) fn add_active(
    sums: &mut Sums,
    active: &ActiveFeatures,
    rows: std::ops::Range<usize>,
    bad: &mut [bool],
) -> Counts {
    let mut features = Vec::new();
    for i in rows {
        let (of_row, acts) = active.row(i);
        for (&feature, &act) in of_row.iter().zip(acts) {
            // A count knows no NaN.
            if !act.is_finite() {
                bad[feature as usize] = true;
                sums.l0 = f64::NAN;
            }
            sums.l1 += f64::from(act);
        }
        sums.l0 += of_row.len() as f64;
        features.extend_from_slice(of_row);
    }
    features.sort_unstable();
    let runs = features.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len() as u32)).collect()
}

/// The rows of a tensor `[n, width]` in f32.
///
/// # Errors
/// [`Error::Shape`] for another shape.
pub(in crate::interp::measurements::quality) fn f32_rows(
    name: &str,
    t: &Tensor,
    shape: [usize; 2],
) -> Result<Vec<f32>> {
    if t.dims() != shape {
        return Err(Error::shape(name, shape, t.dims()));
    }
    let t = t.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    Ok(t.flatten_all()?.to_vec1()?)
}
