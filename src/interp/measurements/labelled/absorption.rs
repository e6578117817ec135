//! Absorption: a feature that should fire on a class does not where a more special one fires in its stead.
//! `s_i = f_i cos(p, W_dec_i)`, `a = x . p / |p|`, p the direction of a probe of the class: full where the
//! class's own features are silent and one other has `s_i >= 0.4 a`; the fraction is the part of a that
//! the absorbing features hold. Source: Chanin et al. 2024, arXiv:2409.14507; SAEBench 0.6, `evals/absorption`.

use super::activations::{LabelledActivations, check_pair};
use super::config::ProbeConfig;
use super::feature_rows::FeatureRows;
use super::logistic::{LogisticRegression, fit};
use super::probe::{BinaryScore, balanced, class_probe, largest, logits, picked};
use crate::error::Result;
use crate::linear_algebra::{RealMatrix, dot};
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// A class's own features are silent below this.
const SILENT: f64 = 1e-8;
/// Least cosine with the probe of the one feature that absorbs in full.
const FULL_COSINE: f64 = 0.025;
/// Least cosine of the features that absorb in part, and how many of them count.
const PART_COSINE: f64 = 0.1;
const MAX_ABSORBING: usize = 3;
/// Least share of `a` that the absorbing features hold.
const LEAST_SHARE: f64 = 0.4;
/// A class has one more own feature while that raises F1 by more than this; ten at most.
const F1_RISE: f64 = 0.03;
const MAX_OWN: usize = 10;
/// Classes whose probe has a lower F1 on the test rows are left out of the means.
const LEAST_F1: f64 = 0.6;

/// One class.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsorptionRow {
    pub class: String,
    /// F1 of the probe on the whole activation, on the balanced test rows.
    pub probe_f1: f64,
    /// The class's own features: those of the sparse probe. Without any, `full` and `fraction` are NaN.
    pub features: Vec<usize>,
    /// Test rows of the class that the probe recognises.
    pub n_true_positives: usize,
    /// Share of them with full absorption; NaN where there is none.
    pub full: f64,
    /// Mean absorbed fraction over them.
    pub fraction: f64,
}

/// Absorption for every class.
#[derive(Debug, Clone, PartialEq)]
pub struct Absorption {
    pub rows: Vec<AbsorptionRow>,
}

/// Measures absorption for every class: probes and own features from `train`, absorption on `test`.
///
/// The definitions of full and partial absorption and their thresholds are SAEBench's. The rows are the
/// caller's (SAEBench: words with their first letter), a class's own features are chosen by difference
/// of the means and by F1 on the training rows, where SAEBench chooses by an L1 probe.
///
/// # Errors
/// Those of [`super::sparse_probing`]; a decoder that is not finite.
pub fn absorption(
    sae: &dyn SparseAutoencoder,
    train: &LabelledActivations,
    test: &LabelledActivations,
    cfg: &ProbeConfig,
) -> Result<Absorption> {
    cfg.validate()?;
    check_pair(train, test, sae.d_in())?;
    let w_dec = RealMatrix::from_tensor("W_dec", &sae.w_dec())?;
    let features = FeatureRows::encode(sae, &train.x)?;
    let test_features = FeatureRows::encode(sae, &test.x)?;
    let (train_x, test_x) = (train.matrix()?, test.matrix()?);
    let mut rows = Vec::new();
    for (class, name) in train.classes.iter().enumerate() {
        let y = train.is_class(class);
        let probe = class_probe(&train_x, &y, cfg.c, cfg.seed)?;
        let own = own_features(&features, &y, cfg)?;
        let test_y = test.is_class(class);
        let picked_rows = balanced(&test_y, cfg.seed);
        let scores = logits(&probe, &test_x.select(&picked_rows));
        let probe_f1 = BinaryScore::of(&scores, &picked(&test_y, &picked_rows)).f1;
        let direction = Direction::new(&probe, &w_dec);
        let found: Vec<Absorbed> = (0..test_x.n_rows())
            .filter(|i| test_y[*i] && probe.logit(test_x.row(*i)) > 0.0)
            .map(|i| direction.absorbed(test_x.row(i), &test_features.rows[i], &own))
            .collect();
        // Without own features there is nothing that others could absorb.
        let n = match own.is_empty() {
            true => f64::NAN,
            false => found.len() as f64,
        };
        rows.push(AbsorptionRow {
            class: name.clone(),
            probe_f1,
            features: own,
            n_true_positives: found.len(),
            full: found.iter().filter(|a| a.full).count() as f64 / n,
            fraction: found.iter().map(|a| a.fraction).sum::<f64>() / n,
        });
    }
    Ok(Absorption { rows })
}

/// The features that tell the class, being more active on it: the most different one, and more while F1
/// rises.
fn own_features(features: &FeatureRows, y: &[bool], cfg: &ProbeConfig) -> Result<Vec<usize>> {
    let rows = balanced(y, cfg.seed);
    let answers = picked(y, &rows);
    let difference = super::effects::mean_difference(features, y, &rows);
    let mut candidates = largest(&difference, MAX_OWN);
    candidates.retain(|f| difference[*f] > 0.0);
    let (mut n, mut best) = (0, f64::NEG_INFINITY);
    for k in 1..=candidates.len() {
        let x = features.gather(&rows, &candidates[..k]);
        let f1 = BinaryScore::of(&logits(&fit(&x, &answers, cfg.c)?, &x), &answers).f1;
        if k > 1 && f1 <= best + F1_RISE {
            break;
        }
        (n, best) = (k, f1);
    }
    Ok(candidates[..n].to_vec())
}

/// What is absorbed of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Absorbed {
    full: bool,
    fraction: f64,
}

/// The direction of a probe, and how far the features write along it.
struct Direction {
    /// Unit length. `[d_in]`
    unit: Vec<f64>,
    /// `cos(p, W_dec_i)`; 0 for a row of length 0. `[d_sae]`
    cosines: Vec<f64>,
}

impl Direction {
    fn new(probe: &LogisticRegression, w_dec: &RealMatrix) -> Self {
        let scaled = |v: &[f64]| -> Vec<f64> {
            let norm = dot(v, v).sqrt().max(f64::MIN_POSITIVE);
            v.iter().map(|x| x / norm).collect()
        };
        let unit = scaled(&probe.weights);
        let cosines = (0..w_dec.n_rows())
            .map(|i| dot(&unit, &scaled(w_dec.row(i))))
            .collect();
        Self { unit, cosines }
    }

    fn absorbed(&self, x: &[f64], active: &[(u32, f32)], own: &[usize]) -> Absorbed {
        let a = dot(x, &self.unit);
        let share = |i: usize, act: f32| f64::from(act) * self.cosines[i];
        let (mut own_sum, mut own_most) = (0.0, 0.0f64);
        let mut others = Vec::new();
        for &(i, act) in active {
            let i = i as usize;
            match own.contains(&i) {
                true => {
                    own_sum += share(i, act);
                    own_most = own_most.max(f64::from(act));
                }
                false => others.push((share(i, act), self.cosines[i])),
            }
        }
        others.sort_by(|x, y| y.0.total_cmp(&x.0));
        let full = own_most < SILENT
            && a > 0.0
            && others
                .first()
                .is_some_and(|(s, cosine)| *cosine >= FULL_COSINE && s / a >= LEAST_SHARE);
        let absorbing: f64 = others
            .iter()
            .filter(|(s, cosine)| *cosine >= PART_COSINE && *s > 0.0)
            .take(MAX_ABSORBING)
            .map(|(s, _)| s)
            .sum();
        Absorbed {
            full,
            fraction: fraction(a, own_sum, absorbing),
        }
    }
}

/// The part of `a` that the absorbing features hold, beside what the class's own features hold.
fn fraction(a: f64, own: f64, absorbing: f64) -> f64 {
    if a <= 0.0 || own >= a || absorbing / a < LEAST_SHARE {
        return 0.0;
    }
    if own <= 0.0 {
        return 1.0;
    }
    let taken = absorbing.min(a - own);
    taken / (taken + own)
}

impl Absorption {
    /// Mean share of full absorption over the classes whose probe has an F1 above 0.6; NaN if there is
    /// none.
    pub fn mean_full(&self) -> f64 {
        self.mean(|row| row.full)
    }

    /// Mean absorbed fraction over the same classes.
    pub fn mean_fraction(&self) -> f64 {
        self.mean(|row| row.fraction)
    }

    fn mean(&self, of: fn(&AbsorptionRow) -> f64) -> f64 {
        let rows = self.rows.iter();
        let counted: Vec<f64> = rows
            .filter(|r| r.probe_f1 > LEAST_F1 && r.n_true_positives > 0 && !r.features.is_empty())
            .map(of)
            .collect();
        counted.iter().sum::<f64>() / counted.len() as f64
    }

    /// One row a class: `class`, `probe_f1`, `n_features`, `n_true_positives`, `full`, `fraction`.
    ///
    /// # Errors
    /// [`crate::Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let of = |part: fn(&AbsorptionRow) -> f64| rows.iter().map(part).collect::<Vec<f64>>();
        let count = |part: fn(&AbsorptionRow) -> usize| {
            rows.iter().map(|r| part(r) as u32).collect::<Vec<u32>>()
        };
        Ok(df![
            "class" => rows.iter().map(|r| r.class.clone()).collect::<Vec<String>>(),
            "probe_f1" => of(|r| r.probe_f1),
            "n_features" => count(|r| r.features.len()),
            "n_true_positives" => count(|r| r.n_true_positives),
            "full" => of(|r| r.full),
            "fraction" => of(|r| r.fraction),
        ]?)
    }
}

impl fmt::Display for Absorption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "absorption over {} classes: full {:.3}, mean fraction {:.3} (of classes whose probe has an \
             F1 above {LEAST_F1})",
            self.rows.len(),
            self.mean_full(),
            self.mean_fraction()
        )
    }
}

shows_itself!(Absorption, |it| Table::new(it.frame()?)
    .gradient_within("fraction", 0.0, 1.0)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::testing::{class_names, dictionary, labelled};
    use super::*;

    #[test]
    fn fractions_are_saebenchs() {
        // a = 10, own features hold 4, absorbing ones 9: min(9, 6) / (6 + 4).
        assert!((fraction(10.0, 4.0, 9.0) - 0.6).abs() < 1e-12);
        // Absorbing ones hold 5: 5 / 9.
        assert!((fraction(10.0, 4.0, 5.0) - 5.0 / 9.0).abs() < 1e-12);
        assert_eq!(fraction(10.0, 0.0, 5.0), 1.0);
        assert_eq!(fraction(10.0, 0.0, 3.9), 0.0);
        assert_eq!(fraction(10.0, 10.0, 9.0), 0.0);
        assert_eq!(fraction(-1.0, 0.0, 9.0), 0.0);
    }

    #[test]
    fn full_absorption_needs_silence_and_one_feature_along_the_probe() {
        let direction = Direction {
            unit: vec![1.0, 0.0],
            cosines: vec![0.9, 0.5, 0.02, 0.05],
        };
        let full = |active: &[(u32, f32)]| direction.absorbed(&[2.0, 7.0], active, &[0]);
        // 0.5 * 1.7 / 2 = 0.425
        let absorbed = full(&[(1, 1.7)]);
        assert!(absorbed.full && absorbed.fraction == 1.0);
        assert!(!full(&[(1, 1.5)]).full);
        assert!(!full(&[(0, 0.1), (1, 1.7)]).full);
        // Cosine too small, however active.
        assert!(!full(&[(2, 100.0)]).full);
        // Enough for full absorption, not for a part.
        let absorbed = full(&[(3, 20.0)]);
        assert!(absorbed.full && absorbed.fraction == 0.0);
        assert!(!direction.absorbed(&[-1.0, 0.0], &[(1, 1.7)], &[0]).full);
    }

    /// Class 0 lies along axis 0, class 1 along axis 1. Feature 0 reads axis 0 but not where axis 2 is on;
    /// there feature 2 fires, which writes both: one row in twenty of class 0, too few for a probe to
    /// count feature 2 among the class's own (that raises F1 from 0.974 to 1).
    #[test]
    fn a_planted_absorption_is_found() {
        let rows = |seed: usize| {
            let of = move |i: usize| {
                let more = 0.01 * ((i * 7 + seed) % 10) as f32;
                match (i % 2, i / 2 % 20) {
                    (0, 0) => ([2.0 + more, 0.0, 2.0], 0),
                    (0, _) => ([2.0 + more, 0.0, 0.0], 0),
                    _ => ([0.0, 2.0 + more, 0.0], 1),
                }
            };
            labelled((0..400).map(of), class_names(2))
        };
        let sae = dictionary(
            &[[1.0, 0.0, -2.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            &[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 1.0]],
        );
        let found = absorption(&sae, &rows(0), &rows(3), &ProbeConfig::default()).unwrap();
        let first = &found.rows[0];
        assert_eq!(first.n_true_positives, 200);
        assert!(first.probe_f1 > 0.99 && first.features == [0], "{first:?}");
        assert!((first.full - 0.05).abs() < 1e-12, "{first:?}");
        assert!((first.fraction - 0.05).abs() < 1e-12, "{first:?}");
        assert_eq!(found.rows[1].full, 0.0);
        assert!((found.mean_full() - 0.025).abs() < 1e-12);
        assert_eq!(found.frame().unwrap().shape(), (2, 6));
    }
}
