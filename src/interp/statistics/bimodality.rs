//! Is a sample bimodal? The dip test decides, a mixture of two normals describes.
//! `D = sqrt(2) |mu_1 - mu_2| / sqrt(s_1^2 + s_2^2)`, clean separation from 2 on; `BIC = k ln n - 2 ln L`.
//! Source: Hartigan and Hartigan 1985; Ashman, Bird and Zepf 1994; Schwarz 1978.

use super::dip::{dip, dip_p_value_unless};
use crate::error::{Error, Result};
use crate::show::{Interrupts, MimeBundle, Show, Table, shows_itself};
use polars::prelude::df;
use std::fmt;

/// Uniform samples behind a p-value.
const REPLICATES: usize = 400;
/// Rounds of expectation and maximisation.
const EM_ROUNDS: usize = 300;

/// One normal distribution of the mixture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalComponent {
    pub mean: f64,
    pub sd: f64,
    /// Share of the sample, of 1.
    pub weight: f64,
}

/// Whether a sample has one mode or more, in numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Bimodality {
    /// What the values are of, in the plural, as the verdict names them.
    pub what: String,
    /// Size of the sample.
    pub n: usize,
    /// Hartigan's dip, from 1/(2n) (one mode) up to 1/4 (two far clumps).
    pub dip: f64,
    /// Share of uniform samples of this size with a dip at least as large.
    pub dip_p_value: f64,
    /// The two normals that fit best, the lower mean first.
    pub components: [NormalComponent; 2],
    /// Ashman's D of the two.
    pub ashman_d: f64,
    /// BIC of one normal minus BIC of two: above 10, two fit much better (which a skew alone can do).
    pub bic_difference: f64,
}

impl Bimodality {
    /// True when unimodality is rejected (p < 0.01) and the two components are cleanly apart
    /// (Ashman's D > 2), each with at least 1 % of the sample.
    pub fn is_bimodal(&self) -> bool {
        self.dip_p_value < 0.01
            && self.ashman_d > 2.0
            && self.components.iter().all(|c| c.weight >= 0.01)
    }

    /// What the numbers allow one to say, in one sentence that names the sample.
    pub fn verdict(&self) -> String {
        let sample = format!("among the {} {}", self.n, self.what);
        let numbers = format!(
            "dip {:.4}, p {}, Ashman's D {:.2}",
            self.dip,
            p_text(self.dip_p_value),
            self.ashman_d
        );
        if self.is_bimodal() {
            format!(
                "Bimodal: {sample}, one mode is rejected and the two found are cleanly apart \
                 ({numbers})."
            )
        } else if self.dip_p_value < 0.01 {
            format!("More than one mode {sample}, but not two that are cleanly apart ({numbers}).")
        } else {
            format!("Not bimodal by this test: {sample}, one mode is not rejected ({numbers}).")
        }
    }
}

/// `= 0.589`, or `<= 0.0025` where no uniform sample had so large a dip: the test can say no more.
fn p_text(p: f64) -> String {
    if p <= 1.5 / (REPLICATES + 1) as f64 {
        format!("<= {p:.4}")
    } else {
        format!("= {p:.3}")
    }
}

/// Tests a sample for more than one mode; `seed` draws the uniform samples of the p-value.
///
/// # Errors
/// Fewer than four values; [`Error::NotFiniteAt`] naming the first that is NaN or infinite;
/// [`Error::Interrupted`] during the draws.
pub fn bimodality(x: &[f64], seed: u64) -> Result<Bimodality> {
    if let Some(i) = x.iter().position(|v| !v.is_finite()) {
        return Err(Error::NotFiniteAt {
            what: "a value to be tested for two modes".to_owned(),
            value: x[i],
            place: format!("index {i}"),
        });
    }
    if x.len() < 4 {
        return Err(Error::argument(
            "sample size",
            x.len(),
            "a test for two modes needs at least 4 values",
        ));
    }
    let dip = dip(x);
    let interrupts = Interrupts::listen();
    let mut check = || interrupts.check("the test for two modes");
    let dip_p_value = dip_p_value_unless(dip, x.len(), REPLICATES, seed, &mut check)?;
    let (components, log_likelihood) = two_normals(x);
    let [a, b] = components;
    let spread = (a.sd * a.sd + b.sd * b.sd).sqrt();
    let one = normal_log_likelihood(x);
    let ln_n = (x.len() as f64).ln();
    Ok(Bimodality {
        what: "values".to_owned(),
        n: x.len(),
        dip,
        dip_p_value,
        components,
        ashman_d: std::f64::consts::SQRT_2 * (b.mean - a.mean) / spread,
        // 2 parameters against 5.
        bic_difference: (2.0 * ln_n - 2.0 * one) - (5.0 * ln_n - 2.0 * log_likelihood),
    })
}

/// Mean and standard deviation (of n), the latter at least a billionth of the range.
fn moments(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt().max(1e-9))
}

fn log_density(v: f64, c: &NormalComponent) -> f64 {
    let z = (v - c.mean) / c.sd;
    c.weight.ln() - c.sd.ln() - 0.5 * z * z - 0.5 * std::f64::consts::TAU.ln()
}

fn normal_log_likelihood(x: &[f64]) -> f64 {
    let (mean, sd) = moments(x);
    let weight = 1.0;
    let c = NormalComponent { mean, sd, weight };
    x.iter().map(|&v| log_density(v, &c)).sum()
}

/// The best of three fits by expectation and maximisation, begun with the sample cut at its
/// quartile, median and upper quartile; components with the lower mean first.
fn two_normals(x: &[f64]) -> ([NormalComponent; 2], f64) {
    let mut sorted = x.to_vec();
    sorted.sort_by(f64::total_cmp);
    let cuts = [sorted.len() / 4, sorted.len() / 2, 3 * sorted.len() / 4];
    let mut best = cuts
        .iter()
        .map(|&cut| expectation_maximisation(&sorted, cut.max(1)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("three cuts");
    if best.0[0].mean > best.0[1].mean {
        best.0.swap(0, 1);
    }
    best
}

fn expectation_maximisation(sorted: &[f64], cut: usize) -> ([NormalComponent; 2], f64) {
    let n = sorted.len() as f64;
    // A narrower component could raise the likelihood without bound.
    let least_sd = 0.02 * moments(sorted).1;
    let start = |part: &[f64]| {
        let (mean, sd) = moments(part);
        NormalComponent {
            mean,
            sd: sd.max(least_sd),
            weight: part.len() as f64 / n,
        }
    };
    let mut c = [start(&sorted[..cut]), start(&sorted[cut..])];
    let mut log_likelihood = f64::NEG_INFINITY;
    for _ in 0..EM_ROUNDS {
        let mut sums = [[0.0; 3]; 2];
        let mut total = 0.0;
        for &v in sorted {
            let logs = [log_density(v, &c[0]), log_density(v, &c[1])];
            let most = logs[0].max(logs[1]);
            let z = (logs[0] - most).exp() + (logs[1] - most).exp();
            total += most + z.ln();
            for (sum, log) in sums.iter_mut().zip(logs) {
                let share = (log - most).exp() / z;
                sum[0] += share;
                sum[1] += share * v;
                sum[2] += share * v * v;
            }
        }
        if total - log_likelihood < 1e-9 * n {
            return (c, total);
        }
        log_likelihood = total;
        for (component, [w, wx, wxx]) in c.iter_mut().zip(sums) {
            let w = w.max(1e-12);
            let mean = wx / w;
            *component = NormalComponent {
                mean,
                sd: (wxx / w - mean * mean).max(0.0).sqrt().max(least_sd),
                weight: w / n,
            };
        }
    }
    (c, log_likelihood)
}

impl fmt::Display for Bimodality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = &self.components;
        write!(
            f,
            "{} Components {:.2} +- {:.2} ({:.0} %) and {:.2} +- {:.2} ({:.0} %)",
            self.verdict(),
            a.mean,
            a.sd,
            100.0 * a.weight,
            b.mean,
            b.sd,
            100.0 * b.weight
        )
    }
}

shows_itself!(Bimodality);

impl Show for Bimodality {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let component =
            |c: &NormalComponent| format!("{:.2} ± {:.2}, {:.1} %", c.mean, c.sd, 100.0 * c.weight);
        let frame = df![
            "quantity" => [
                "sample",
                "Hartigan's dip (one mode: near 0; two far clumps: 0.25)",
                "p-value of one mode",
                "lower component: mean ± sd, weight",
                "upper component: mean ± sd, weight",
                "Ashman's D (cleanly apart: above 2)",
                "BIC of one normal minus BIC of two",
            ],
            "value" => [
                format!("{} {}", self.n, self.what),
                format!("{:.4}", self.dip),
                p_text(self.dip_p_value),
                component(&self.components[0]),
                component(&self.components[1]),
                format!("{:.2}", self.ashman_d),
                format!("{:.1}", self.bic_difference),
            ],
        ]?;
        Ok(Table::new(frame)
            .caption(self.verdict())
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    fn normals(n: usize, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..n).map(|_| StandardNormal.sample(&mut rng)).collect()
    }

    #[test]
    fn one_normal_is_not_called_bimodal() {
        let b = bimodality(&normals(1_000, 1), 2).unwrap();
        assert!(!b.is_bimodal() && b.dip_p_value > 0.05, "{b}");
    }

    #[test]
    fn two_separated_normals_are_found_with_their_parameters() {
        let mut x = normals(1_000, 1);
        x.iter_mut().skip(700).for_each(|v| *v += 6.0);
        let b = bimodality(&x, 2).unwrap();
        assert!(b.is_bimodal() && b.bic_difference > 100.0, "{b}");
        assert!((b.components[0].mean).abs() < 0.15 && (b.components[1].mean - 6.0).abs() < 0.15);
        assert!((b.components[0].weight - 0.7).abs() < 0.02, "{b}");
        // D = sqrt(2) 6 / sqrt(2) for equal unit variances.
        assert!((b.ashman_d - 6.0).abs() < 0.5, "{b}");
        // None of the 400 uniform samples comes near: p is 1/401 = 0.00249, rounded up.
        let verdict = b.verdict();
        assert!(verdict.contains("among the 1000 values"), "{verdict}");
        assert!(verdict.contains("p <= 0.0025,"), "{verdict}");
    }

    /// The BIC of a skewed sample prefers two normals; the dip does not take that for two modes.
    #[test]
    fn a_skewed_sample_is_not_called_bimodal() {
        let x: Vec<f64> = normals(1_000, 3).iter().map(|v| v.exp()).collect();
        let b = bimodality(&x, 2).unwrap();
        assert!(b.bic_difference > 10.0 && !b.is_bimodal(), "{b}");
    }

    #[test]
    fn too_small_a_sample_is_an_error() {
        assert!(bimodality(&[1.0, 2.0, 3.0], 0).is_err());
        let error = bimodality(&[1.0, 2.0, 3.0, 4.0, f64::NAN], 0).unwrap_err();
        assert!(error.to_string().ends_with("is NaN at index 4"), "{error}");
        assert!(bimodality(&[1.0; 6], 0).is_ok());
    }
}
