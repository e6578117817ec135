//! Removal of a spurious correlation (SCR): ablating the features of what a probe should not go by.
//! `SCR = (A_ablated - A_biased) / (A_clean - A_biased)`, accuracies on rows where both answers are
//! balanced. Source: SAEBench 0.6, `evals/scr_and_tpp`; Marks et al. 2024, SHIFT.

use super::config::ProbeConfig;
use super::effects::{ablated_logit, along_decoder, mean_difference, strongest};
use super::feature_rows::FeatureRows;
use super::logistic::{LogisticRegression, fit};
use super::probe::{BinaryScore, picked};
use crate::error::{Error, Result};
use crate::linear_algebra::RealMatrix;
use crate::sae::SparseAutoencoder;
use crate::show::{Table, shows_itself};
use candle_core::Tensor;
use polars::prelude::{DataFrame, df};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// A smaller gain of the clean probe over the biased one has no share that could be recovered.
const LEAST_GAIN: f64 = 1e-3;

/// Activations with two answers each, such as profession and gender.
#[derive(Debug, Clone)]
pub struct SpuriousActivations {
    /// `[n, d_in]`
    pub x: Tensor,
    /// `[n]`
    pub first: Vec<bool>,
    /// `[n]`
    pub second: Vec<bool>,
}

/// One direction with one number of ablated features.
#[derive(Debug, Clone, PartialEq)]
pub struct SpuriousRow {
    /// Which answer the probe should give, the other one being spurious: 1 or 2.
    pub wanted: usize,
    pub n_ablated: usize,
    /// Accuracy of the probe that was fitted where both answers agree.
    pub biased: f64,
    /// The same without the features of the spurious answer.
    pub ablated: f64,
    /// Accuracy of a probe fitted to balanced rows.
    pub clean: f64,
    /// The share recovered; 0 where the clean probe is better by less than 0.001.
    pub scr: f64,
}

/// Both directions with every number of ablated features.
#[derive(Debug, Clone, PartialEq)]
pub struct SpuriousRemoval {
    pub rows: Vec<SpuriousRow>,
}

/// Fits a biased probe to the training rows where both answers agree, ablates the features of largest
/// absolute effect on the probe of the spurious answer, and measures on balanced test rows how much of
/// the clean probe's accuracy that recovers.
///
/// # Errors
/// Answers or activations of other sizes, fewer than two rows with any of the four pairs of answers in
/// either half, anything that is not finite, a configuration out of range.
pub fn spurious_correlation_removal(
    sae: &dyn SparseAutoencoder,
    train: &SpuriousActivations,
    test: &SpuriousActivations,
    cfg: &ProbeConfig,
) -> Result<SpuriousRemoval> {
    cfg.validate()?;
    let w_dec = RealMatrix::from_tensor("W_dec", &sae.w_dec())?;
    let [train, test] = [train, test].map(|half| Half::new(sae, half, cfg.seed));
    let (train, test) = (train?, test?);
    let agreeing: Vec<usize> = train
        .balanced
        .iter()
        .copied()
        .filter(|i| train.answers[0][*i] == train.answers[1][*i])
        .collect();
    let biased = train.probe(&agreeing, 0, cfg.c)?;
    let biased_along = along_decoder(&biased, &w_dec);
    let mut rows = Vec::new();
    for wanted in [0, 1] {
        let spurious = 1 - wanted;
        let probe = train.probe(&train.balanced, spurious, cfg.c)?;
        let along = along_decoder(&probe, &w_dec);
        let answers = &train.answers[spurious];
        let difference = mean_difference(&train.features, answers, &train.balanced);
        let effects: Vec<f64> = difference
            .iter()
            .zip(&along)
            .map(|(d, a)| (d * a).abs())
            .collect();
        let clean_probe = train.probe(&train.balanced, wanted, cfg.c)?;
        let clean = test.accuracy(&clean_probe, wanted, &along, &[]);
        let before = test.accuracy(&biased, wanted, &biased_along, &[]);
        for &n_ablated in &cfg.n_ablated {
            let without = strongest(&effects, n_ablated);
            let ablated = test.accuracy(&biased, wanted, &biased_along, &without);
            let gain = clean - before;
            rows.push(SpuriousRow {
                wanted: wanted + 1,
                n_ablated,
                biased: before,
                ablated,
                clean,
                scr: match gain < LEAST_GAIN {
                    true => 0.0,
                    false => (ablated - before) / gain,
                },
            });
        }
    }
    Ok(SpuriousRemoval { rows })
}

/// One half, checked.
struct Half {
    x: RealMatrix,
    features: FeatureRows,
    answers: [Vec<bool>; 2],
    /// As many rows of each of the four pairs of answers, ascending.
    balanced: Vec<usize>,
}

impl Half {
    fn new(sae: &dyn SparseAutoencoder, half: &SpuriousActivations, seed: u64) -> Result<Self> {
        let x = RealMatrix::from_tensor("activations", &half.x)?;
        if half.first.len() != x.n_rows() || half.second.len() != x.n_rows() {
            let expected = format!("[{} rows]", x.n_rows());
            let found = [half.first.len(), half.second.len()];
            return Err(Error::shape("answers", expected, found));
        }
        let answers = [half.first.clone(), half.second.clone()];
        let mut groups: [Vec<usize>; 4] = Default::default();
        for i in 0..x.n_rows() {
            groups[2 * usize::from(answers[0][i]) + usize::from(answers[1][i])].push(i);
        }
        let least = groups.iter().map(Vec::len).min().unwrap_or(0);
        if least < 2 {
            let reason = "every pair of answers needs at least 2 rows in either half";
            return Err(Error::argument("rows of a pair of answers", least, reason));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut balanced = Vec::new();
        for group in &mut groups {
            group.shuffle(&mut rng);
            balanced.extend_from_slice(&group[..least]);
        }
        balanced.sort_unstable();
        Ok(Self {
            features: FeatureRows::encode(sae, &half.x)?,
            x,
            answers,
            balanced,
        })
    }

    fn probe(&self, rows: &[usize], answer: usize, c: f64) -> Result<LogisticRegression> {
        fit(
            &self.x.select(rows),
            &picked(&self.answers[answer], rows),
            c,
        )
    }

    fn accuracy(
        &self,
        probe: &LogisticRegression,
        answer: usize,
        along: &[f64],
        without: &[usize],
    ) -> f64 {
        let logit = |i: &usize| {
            let logit = probe.logit(self.x.row(*i));
            ablated_logit(logit, &self.features.rows[*i], along, without)
        };
        let logits: Vec<f64> = self.balanced.iter().map(logit).collect();
        BinaryScore::of(&logits, &picked(&self.answers[answer], &self.balanced)).accuracy
    }
}

impl SpuriousRemoval {
    /// SAEBench's score with `n_ablated` features: that of the direction in which the biased probe is less
    /// accurate; NaN for a number that was not tried.
    pub fn score(&self, n_ablated: usize) -> f64 {
        let of_n = self.rows.iter().filter(|r| r.n_ablated == n_ablated);
        of_n.min_by(|a, b| a.biased.total_cmp(&b.biased))
            .map_or(f64::NAN, |row| row.scr)
    }

    /// One row a direction and number of features: `wanted`, `n_ablated`, `biased`, `ablated`, `clean`,
    /// `scr`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let rows = &self.rows;
        let of = |part: fn(&SpuriousRow) -> f64| rows.iter().map(part).collect::<Vec<f64>>();
        Ok(df![
            "wanted" => rows.iter().map(|r| r.wanted as u32).collect::<Vec<u32>>(),
            "n_ablated" => rows.iter().map(|r| r.n_ablated as u32).collect::<Vec<u32>>(),
            "biased" => of(|r| r.biased),
            "ablated" => of(|r| r.ablated),
            "clean" => of(|r| r.clean),
            "scr" => of(|r| r.scr),
        ]?)
    }
}

impl fmt::Display for SpuriousRemoval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spurious correlation removal (SCR):")?;
        for row in self.rows.iter().filter(|r| r.wanted == 1) {
            write!(
                f,
                " {} features: {:.3};",
                row.n_ablated,
                self.score(row.n_ablated)
            )?;
        }
        Ok(())
    }
}

shows_itself!(SpuriousRemoval, |it| Table::new(it.frame()?)
    .gradient_within("scr", -1.0, 1.0)
    .caption(it.to_string()));

#[cfg(test)]
mod tests {
    use super::super::testing::dictionary;
    use super::*;
    use candle_core::Device;

    /// The first answer lies along axis 0, the second, three times as far, along both signs of axis 1.
    fn rows(seed: usize) -> SpuriousActivations {
        let (mut x, mut first, mut second) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..160 {
            let noise = |j: usize| 0.3 * (((i * 7 + j * 5 + seed) % 11) as f32 - 5.0) / 5.0;
            let (a, b) = (i % 2 == 0, i / 2 % 2 == 0);
            let of = |answer: bool| f32::from(u8::from(answer));
            x.extend([of(a) + 0.5 * noise(0), 3.0 * of(b) - 1.5 + noise(1), 0.0]);
            first.push(a);
            second.push(b);
        }
        SpuriousActivations {
            x: Tensor::from_vec(x, (160, 3), &Device::Cpu).unwrap(),
            first,
            second,
        }
    }

    /// Axis 0, and axis 1 with either sign.
    fn signed() -> crate::sae::StandardSae {
        let axes = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 0.0]];
        dictionary(&axes, &axes)
    }

    #[test]
    fn taking_out_the_spurious_axis_gives_the_wanted_answer_back() {
        let cfg = ProbeConfig {
            n_ablated: vec![1, 2],
            c: 100.0,
            ..ProbeConfig::default()
        };
        let found = spurious_correlation_removal(&signed(), &rows(0), &rows(4), &cfg).unwrap();
        let of = |wanted, n_ablated| {
            let mut rows = found.rows.iter();
            rows.find(|r| (r.wanted, r.n_ablated) == (wanted, n_ablated))
                .unwrap()
        };
        let row = of(1, 2);
        // The probe goes by the larger answer, so the first one is the harder direction.
        assert!(row.biased < 0.7 && row.clean > 0.95, "{row:?}");
        assert!(of(2, 1).biased > 0.95);
        let share = (row.ablated - row.biased) / (row.clean - row.biased);
        assert!((row.scr - share).abs() < 1e-12);
        // Both signs gone: what is left of the probe is its first axis.
        assert!(row.scr > 0.9, "{row:?}");
        assert_eq!(found.score(2), row.scr);
        assert_eq!(found.frame().unwrap().shape(), (4, 6));
        // Without a feature that is active nothing changes.
        let dead = dictionary(&[[-1.0, -1.0, -1.0]], &[[1.0, 0.0, 0.0]]);
        let found = spurious_correlation_removal(&dead, &rows(0), &rows(4), &cfg).unwrap();
        assert_eq!(found.score(1), 0.0);
    }

    #[test]
    fn missing_pairs_of_answers_are_errors() {
        let mut bad = rows(0);
        bad.second = bad.first.clone();
        let cfg = ProbeConfig::default();
        let error = spurious_correlation_removal(&signed(), &bad, &rows(0), &cfg).unwrap_err();
        assert!(error.to_string().contains("pair of answers"), "{error}");
        bad.second.pop();
        assert!(spurious_correlation_removal(&signed(), &rows(0), &bad, &cfg).is_err());
    }
}
