//! Do rare features share a direction? The cosine of every encoder column with the mean rare column.
//! `cos_f = W_enc[:, f] . m / (|W_enc[:, f]| |m|)`, `m = mean over rare f of W_enc[:, f]`.
//! Source: "rare features are all the same", 1L-Sparse-Autoencoder; the null comparisons are ours.

use crate::error::{Error, Result};
use crate::sae::SparseAutoencoder;
use crate::show::{ChartOptions, Figure, Group, MimeBundle, Show, display, histogram_by_group};
use candle_core::DType;
use rand::seq::index::sample;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::fmt;

/// Draws of each null comparison.
const DRAWS: usize = 200;

/// Quantiles of a mean cosine under a null comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NullBand {
    /// 2.5 % quantile.
    pub low: f64,
    pub median: f64,
    /// 97.5 % quantile.
    pub high: f64,
}

/// How far the encoder columns of rare features point the same way. Values that do not exist
/// (no rare feature, too few others) are NaN.
#[derive(Debug, Clone, PartialEq)]
pub struct RareDirection {
    /// Features with a frequency below this are rare.
    pub threshold: f64,
    /// Number of rare features, the dead ones included.
    pub n_rare: usize,
    /// Cosine of each encoder column with the mean rare column. `[d_sae]`
    pub cos: Vec<f64>,
    /// Which features are rare. `[d_sae]`
    pub is_rare: Vec<bool>,
    /// Mean cosine of the rare features (each is part of the mean it is compared with).
    pub mean_cos_rare: f64,
    /// Mean cosine of the others.
    pub mean_cos_others: f64,
    /// The same statistic for as many random Gaussian directions: what being part of the mean
    /// gives by itself, about `1/sqrt(n_rare)`.
    pub null_random: NullBand,
    /// The same statistic for as many features drawn from those that are not rare.
    pub null_others: NullBand,
}

/// Compares every feature's encoder column with the mean rare one; `freq` `[d_sae]` per token.
///
/// # Errors
/// Not one frequency a feature.
pub fn rare_direction(
    sae: &dyn SparseAutoencoder,
    freq: &[f64],
    threshold: f64,
    seed: u64,
) -> Result<RareDirection> {
    if freq.len() != sae.d_sae() {
        return Err(Error::shape("freq", [sae.d_sae()], [freq.len()]));
    }
    // [d_sae][d_in]: a row a feature
    let columns = sae
        .w_enc()
        .t()?
        .contiguous()?
        .to_dtype(DType::F32)?
        .to_vec2::<f32>()?;
    let units: Vec<Vec<f64>> = columns.iter().map(|c| unit(c)).collect();
    let is_rare: Vec<bool> = freq.iter().map(|f| *f < threshold).collect();
    let indices = |wanted: bool| -> Vec<usize> {
        (0..freq.len()).filter(|&i| is_rare[i] == wanted).collect()
    };
    let (rare, others) = (indices(true), indices(false));
    let direction = unit64(&sum(
        rare.iter().map(|&i| columns[i].as_slice()),
        sae.d_in(),
    ));
    let cos: Vec<f64> = units.iter().map(|u| dot(u, &direction)).collect();
    let mean = |of: &[usize]| of.iter().map(|&i| cos[i]).sum::<f64>() / of.len() as f64;

    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let k = rare.len();
    let null_random = band(k > 0, || {
        let drawn: Vec<Vec<f32>> = (0..k)
            .map(|_| {
                (0..sae.d_in())
                    .map(|_| rng.sample::<f32, _>(StandardNormal))
                    .collect()
            })
            .collect();
        let picked: Vec<&[f32]> = drawn.iter().map(Vec::as_slice).collect();
        mean_cos_with_own_mean(&picked, sae.d_in())
    });
    let null_others = band(k > 0 && others.len() >= k, || {
        let picked: Vec<&[f32]> = sample(&mut rng, others.len(), k)
            .into_iter()
            .map(|j| columns[others[j]].as_slice())
            .collect();
        mean_cos_with_own_mean(&picked, sae.d_in())
    });
    Ok(RareDirection {
        threshold,
        n_rare: k,
        mean_cos_rare: mean(&rare),
        mean_cos_others: if k == 0 { f64::NAN } else { mean(&others) },
        cos,
        is_rare,
        null_random,
        null_others,
    })
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

fn unit64(v: &[f64]) -> Vec<f64> {
    let norm = dot(v, v).sqrt();
    // A zero vector has no direction: its cosines are NaN and are left out of figures.
    v.iter().map(|x| x / norm).collect()
}

fn unit(v: &[f32]) -> Vec<f64> {
    unit64(&v.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>())
}

fn sum<'a>(vectors: impl Iterator<Item = &'a [f32]>, d: usize) -> Vec<f64> {
    let mut total = vec![0.0; d];
    for v in vectors {
        for (t, &x) in total.iter_mut().zip(v) {
            *t += f64::from(x);
        }
    }
    total
}

/// Mean cosine of some vectors with their own mean.
fn mean_cos_with_own_mean(vectors: &[&[f32]], d: usize) -> f64 {
    let direction = unit64(&sum(vectors.iter().copied(), d));
    let total: f64 = vectors
        .iter()
        .map(|v| {
            let (mut along, mut norm) = (0.0, 0.0);
            for (&x, m) in v.iter().zip(&direction) {
                along += f64::from(x) * m;
                norm += f64::from(x) * f64::from(x);
            }
            along / norm.sqrt()
        })
        .sum();
    total / vectors.len() as f64
}

fn band(exists: bool, mut draw: impl FnMut() -> f64) -> NullBand {
    if !exists {
        let nan = f64::NAN;
        return NullBand {
            low: nan,
            median: nan,
            high: nan,
        };
    }
    let mut values: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[((DRAWS - 1) as f64 * q).round() as usize];
    NullBand {
        low: at(0.025),
        median: at(0.5),
        high: at(0.975),
    }
}

impl RareDirection {
    /// Share of the rare features whose cosine with the mean rare direction exceeds `cutoff`.
    pub fn aligned_share(&self, cutoff: f64) -> f64 {
        let rare = || self.cos.iter().zip(&self.is_rare).filter(|(_, r)| **r);
        rare().filter(|(c, _)| **c > cutoff).count() as f64 / rare().count() as f64
    }

    /// True when the rare features' mean cosine exceeds both null bands and is above 0.5: they
    /// are mostly one direction, not only less spread than chance.
    pub fn share_one_direction(&self) -> bool {
        let above = |band: &NullBand| band.high.is_nan() || self.mean_cos_rare > band.high;
        self.mean_cos_rare > 0.5 && above(&self.null_random) && above(&self.null_others)
    }

    /// What the numbers allow one to say, in one sentence.
    pub fn verdict(&self) -> String {
        if self.n_rare < 2 {
            return format!(
                "{} features are rarer than {:e}: too few to share a direction.",
                self.n_rare, self.threshold
            );
        }
        let finding = if self.share_one_direction() {
            "The rare features mostly share one direction"
        } else if self.mean_cos_rare > self.null_others.high.max(self.null_random.high) {
            "The rare features are more alike than chance, but are not one direction"
        } else {
            "The rare features share no direction beyond chance"
        };
        format!(
            "{finding}: mean cosine {:.3} over {} rare features, {:.3} over the others; as many \
             random directions give up to {:.3}, as many features that are not rare {:.3}.",
            self.mean_cos_rare,
            self.n_rare,
            self.mean_cos_others,
            self.null_random.high,
            self.null_others.high
        )
    }

    /// The cosines of rare and other features, overlaid, in percent of each group.
    pub fn histogram(&self) -> Result<Figure> {
        let of = |wanted: bool| -> Vec<f64> {
            let pairs = self.cos.iter().zip(&self.is_rare);
            pairs
                .filter(|(_, r)| **r == wanted)
                .map(|(c, _)| *c)
                .collect()
        };
        let groups = [
            Group::new("not rare", of(false)),
            Group::new("rare", of(true)),
        ];
        let mut options = ChartOptions::new(
            "Cosine with the mean rare feature",
            "cosine of the encoder column with the mean rare column",
            "share of the group (%)",
        )
        .caption(self.verdict());
        if self.null_random.high.is_finite() {
            options = options.x_reference("chance, rare", self.null_random.median);
        }
        histogram_by_group(&groups, 60, &options)
    }

    /// Shows it; evcxr calls this on a cell's last expression.
    pub fn evcxr_display(&self) {
        // A failure is already shown in place.
        let _ = display(self);
    }
}

impl fmt::Display for RareDirection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.verdict())
    }
}

impl Show for RareDirection {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        if self.n_rare == 0 {
            return Ok(MimeBundle::plain(self.verdict()));
        }
        Ok(self
            .histogram()?
            .mime_bundle()?
            .with("text/plain", self.verdict()))
    }
}
