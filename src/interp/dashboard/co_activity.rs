//! Which features and dimensions are active together with a feature.
//! `pearson = cov(f, g) / (sd f sd g)`, `cosine = sum f g / sqrt(sum f^2 sum g^2)`,
//! `jaccard = |f > 0 and g > 0| / |f > 0 or g > 0|`, over tokens.
//! Source: `RollingCorrCoef` of sae_vis; Jaccard as in the co-occurrence of Bricken et al. 2023.

use super::super::order::largest_first;
use crate::error::Result;
use crate::sae::ActiveFeatures;
use candle_core::Tensor;

/// A feature that is active on the same tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelatedFeature {
    pub feature_id: usize,
    /// Pearson's correlation of the activations.
    pub pearson: f64,
    /// Cosine of the activations, as vectors over the tokens.
    pub cosine: f64,
    /// Tokens with both active as a share of those with one of them active; NaN where a file does not say.
    pub jaccard: f64,
}

/// A dimension of the activation that goes with the feature.
#[derive(Debug, Clone, PartialEq)]
pub struct CorrelatedNeuron {
    /// Dimension of the activation at the hook point.
    pub index: usize,
    /// Pearson's correlation of its value with the feature's activation.
    pub pearson: f64,
    /// Cosine of the two, as vectors over the tokens.
    pub cosine: f64,
}

/// Sums over tokens, of which the correlations are made.
pub(super) struct CoActivity {
    features: Vec<usize>,
    /// Tokens read.
    pub n: usize,
    /// Of every feature of the dictionary. `[d_sae]`
    of_features: Moments,
    active: Vec<f64>,
    /// Of every dimension of the activation. `[d_in]`
    of_neurons: Moments,
    /// For each wanted feature `sum f g`, `[d_sae]`, and `sum f x`, `[d_in]`.
    products: Vec<(Vec<f64>, Vec<f64>)>,
    /// For each wanted feature the tokens on which both are active. `[d_sae]`
    together: Vec<Vec<f64>>,
}

struct Moments {
    sum: Vec<f64>,
    square: Vec<f64>,
}

impl Moments {
    fn zeros(n: usize) -> Self {
        Self {
            sum: vec![0.0; n],
            square: vec![0.0; n],
        }
    }

    /// Pearson's correlation and the cosine of `i` here and `j` there, whose products sum to `product`.
    fn correlation(&self, i: usize, there: &Self, j: usize, product: f64, n: f64) -> (f64, f64) {
        let (a, b) = (self.square[i], there.square[j]);
        let variance = |square: f64, sum: f64| (square - sum * sum / n).max(0.0);
        let spread = variance(a, self.sum[i]) * variance(b, there.sum[j]);
        let covariance = product - self.sum[i] * there.sum[j] / n;
        (covariance / spread.sqrt(), product / (a * b).sqrt())
    }
}

impl CoActivity {
    pub(super) fn new(features: &[usize], d_sae: usize, d_in: usize) -> Self {
        Self {
            features: features.to_vec(),
            n: 0,
            of_features: Moments::zeros(d_sae),
            active: vec![0.0; d_sae],
            of_neurons: Moments::zeros(d_in),
            products: vec![(vec![0.0; d_sae], vec![0.0; d_in]); features.len()],
            together: vec![vec![0.0; d_sae]; features.len()],
        }
    }

    /// Adds the tokens of `x` `[n, d_in]`, f32, whose feature activations are `acts`.
    pub(super) fn add(&mut self, x: &Tensor, acts: &ActiveFeatures) -> Result<()> {
        let rows = x.to_vec2::<f32>()?;
        self.n += rows.len();
        for (feature, act) in acts.entries() {
            self.of_features.sum[feature] += f64::from(act);
            self.of_features.square[feature] += f64::from(act) * f64::from(act);
            self.active[feature] += 1.0;
        }
        for (t, x) in rows.iter().enumerate() {
            for (i, &x) in x.iter().enumerate() {
                self.of_neurons.sum[i] += f64::from(x);
                self.of_neurons.square[i] += f64::from(x) * f64::from(x);
            }
            let (active, values) = acts.row(t);
            for (place, &feature) in self.features.iter().enumerate() {
                let Ok(at) = active.binary_search(&(feature as u32)) else {
                    continue;
                };
                let own = f64::from(values[at]);
                let (with_features, with_neurons) = &mut self.products[place];
                for (&other, &act) in active.iter().zip(values) {
                    with_features[other as usize] += own * f64::from(act);
                    self.together[place][other as usize] += 1.0;
                }
                for (product, &x) in with_neurons.iter_mut().zip(x) {
                    *product += own * f64::from(x);
                }
            }
        }
        Ok(())
    }

    /// The `k` features that correlate most with the wanted feature at `place`, among those that share
    /// a token with it.
    pub(super) fn features(&self, place: usize, k: usize) -> Vec<CorrelatedFeature> {
        let own = self.features[place];
        let together = &self.together[place];
        let others = (0..self.active.len()).filter(|&g| g != own && together[g] > 0.0);
        let mut found: Vec<CorrelatedFeature> = others
            .map(|g| {
                let product = self.products[place].0[g];
                let (pearson, cosine) =
                    self.of_features
                        .correlation(own, &self.of_features, g, product, self.n as f64);
                CorrelatedFeature {
                    feature_id: g,
                    pearson,
                    cosine,
                    jaccard: together[g] / (self.active[own] + self.active[g] - together[g]),
                }
            })
            // A feature that never changes correlates with none.
            .filter(|found| found.pearson.is_finite())
            .collect();
        found.sort_by(|a, b| largest_first(a.pearson, b.pearson));
        found.truncate(k);
        found
    }

    /// The `k` dimensions that correlate most with the wanted feature at `place`, of either sign.
    pub(super) fn neurons(&self, place: usize, k: usize) -> Vec<CorrelatedNeuron> {
        let own = self.features[place];
        let products = self.products[place].1.iter().enumerate();
        let mut found: Vec<CorrelatedNeuron> = products
            .map(|(index, &product)| {
                let n = self.n as f64;
                let (pearson, cosine) =
                    self.of_features
                        .correlation(own, &self.of_neurons, index, product, n);
                CorrelatedNeuron {
                    index,
                    pearson,
                    cosine,
                }
            })
            .filter(|found| found.pearson.is_finite())
            .collect();
        found.sort_by(|a, b| largest_first(a.pearson.abs(), b.pearson.abs()));
        found.truncate(k);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Pearson, cosine and Jaccard by their definitions, over whole columns.
    fn by_definition(f: &[f64], g: &[f64]) -> [f64; 3] {
        let n = f.len() as f64;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let centred = |v: &[f64]| v.iter().map(|x| x - mean(v)).collect::<Vec<f64>>();
        let (cf, cg) = (centred(f), centred(g));
        let pairs = || f.iter().zip(g);
        let both = pairs().filter(|(f, g)| **f > 0.0 && **g > 0.0).count() as f64;
        let any = pairs().filter(|(f, g)| **f > 0.0 || **g > 0.0).count() as f64;
        [
            dot(&cf, &cg) / (dot(&cf, &cf) * dot(&cg, &cg)).sqrt(),
            dot(f, g) / (dot(f, f) * dot(g, g)).sqrt(),
            both / any,
        ]
    }

    #[test]
    fn correlations_are_those_of_the_whole_columns() {
        let (n, d_sae, d_in) = (90, 6, 4);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let x: Vec<f32> = (0..n * d_in).map(|_| rng.random_range(-1.0..2.0)).collect();
        let acts: Vec<f32> = (0..n * d_sae)
            .map(|i| match i % d_sae {
                4 => 0.0, // dead
                f => f32::max(
                    0.0,
                    rng.random_range(-1.0..1.0) + x[i / d_sae * d_in + f % 3] - 0.5,
                ),
            })
            .collect();
        let mut sums = CoActivity::new(&[2, 4], d_sae, d_in);
        for rows in [0..30, 30..90] {
            let part = |v: &[f32], width: usize| {
                let v = v[rows.start * width..rows.end * width].to_vec();
                Tensor::from_vec(v, (rows.len(), width), &Device::Cpu).unwrap()
            };
            let active = ActiveFeatures::of_dense(&part(&acts, d_sae)).unwrap();
            sums.add(&part(&x, d_in), &active).unwrap();
        }
        assert_eq!(sums.n, n);
        let column = |v: &[f32], width: usize, i: usize| -> Vec<f64> {
            v.iter()
                .skip(i)
                .step_by(width)
                .map(|&v| f64::from(v))
                .collect()
        };
        let own = column(&acts, d_sae, 2);
        let features = sums.features(0, 9);
        assert_eq!(features.len(), 4, "all but itself and the dead one");
        for found in &features {
            let right = by_definition(&own, &column(&acts, d_sae, found.feature_id));
            for (a, b) in [found.pearson, found.cosine, found.jaccard]
                .iter()
                .zip(right)
            {
                assert!((a - b).abs() < 1e-9, "{found:?} {right:?}");
            }
        }
        assert!(features.is_sorted_by(|a, b| a.pearson >= b.pearson));
        let neurons = sums.neurons(0, 9);
        assert_eq!(neurons.len(), d_in);
        for found in &neurons {
            let [pearson, cosine, _] = by_definition(&own, &column(&x, d_in, found.index));
            assert!((found.pearson - pearson).abs() < 1e-9 && (found.cosine - cosine).abs() < 1e-9);
        }
        assert_eq!(neurons[0].index, 2, "feature 2 was made from dimension 2");
        assert!(sums.features(1, 9).is_empty() && sums.neurons(1, 9).is_empty());
        assert_eq!(sums.features(0, 1).len(), 1);
        // Where nothing is measured.
        let none = CoActivity::new(&[2], 0, 0);
        assert!(none.features(0, 9).is_empty() && none.neurons(0, 9).is_empty());
    }
}
