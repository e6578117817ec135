//! The verdicts: every prediction with its statistic, its control and what was found.
//! Detected where `q <= alpha` on the predicted side, opposite where `q <= alpha` on the other.
//! Source: ours.

use super::statistics::{derived_seed, mean_and_sd};
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, Table, format_number, shows_itself};
use crate::susy::analogy::{
    Family, Interval, Null, NullSampler, Statistic, Tail, bootstrap_interval, effect_size,
    permutation_p, q_values,
};
use polars::prelude::{DataFrame, df};
use rayon::prelude::*;
use std::fmt;

/// Resamples behind an interval.
const RESAMPLES: usize = 2000;

/// One prediction put to the test.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalogyTest {
    /// What the analogy says, for example "heads turn by a quarter (layer 0)".
    pub prediction: String,
    /// What was measured.
    pub statistic: String,
    /// The side of chance on which the prediction lies.
    pub predicted: Tail,
    /// The statistic's mean over families.
    pub observed: f64,
    /// Its mean over controls.
    pub control: f64,
    /// Permutation p on the predicted side.
    pub p: f64,
    /// Permutation p on the other side.
    pub p_opposite: f64,
    /// Distance from the control in its standard deviations, signed as observed - control.
    pub effect: f64,
    /// 95 % bootstrap interval of the observed mean over families; none for one family.
    pub interval: Option<Interval>,
    /// Number of families.
    pub n_families: usize,
    /// Number of controls.
    pub n_controls: usize,
}

impl AnalogyTest {
    /// Tests the mean of `statistic` over `families` against `draws` control means, each over one
    /// control of every family; in parallel, the same for a seed on any number of threads.
    ///
    /// # Errors
    /// No families, fewer than two draws, and those of [`Statistic::of`] and [`Null::draw`].
    pub fn of_families(
        prediction: &str,
        statistic: Statistic,
        families: &[Family],
        null: Null,
        draws: usize,
        seed: u64,
    ) -> Result<Self> {
        let observed = families
            .par_iter()
            .map(|f| statistic.of(f))
            .collect::<Result<Vec<f64>>>()?;
        let samplers = families
            .par_iter()
            .map(|f| null.sampler(f))
            .collect::<Result<Vec<NullSampler>>>()?;
        let control_mean = |draw: usize| -> Result<f64> {
            let of = |(i, sampler): (usize, &NullSampler)| {
                let seed = derived_seed(derived_seed(seed, draw as u64), i as u64);
                statistic.of(&sampler.draw(seed)?)
            };
            let values = samplers
                .iter()
                .enumerate()
                .map(of)
                .collect::<Result<Vec<f64>>>()?;
            Ok(values.iter().sum::<f64>() / values.len() as f64)
        };
        let controls = (0..draws)
            .into_par_iter()
            .map(control_mean)
            .collect::<Result<Vec<f64>>>()?;
        let name = statistic.to_string();
        Self::of_values(
            prediction,
            &name,
            statistic.predicted(),
            &observed,
            &controls,
            seed,
        )
    }

    /// Tests the mean of `observed` (one value a family) against `controls` (one mean a control): for
    /// controls of another kind, such as shuffled colours or models without training.
    ///
    /// # Errors
    /// No observed value, fewer than two controls, a value that is not finite.
    pub fn of_values(
        prediction: &str,
        statistic: &str,
        predicted: Tail,
        observed: &[f64],
        controls: &[f64],
        seed: u64,
    ) -> Result<Self> {
        if observed.is_empty() {
            return Err(Error::argument(
                "observed",
                "none",
                "needs at least one family",
            ));
        }
        let mean = observed.iter().sum::<f64>() / observed.len() as f64;
        let interval = match observed.len() {
            1 => None,
            _ => Some(bootstrap_interval(observed, 0.95, RESAMPLES, seed)?),
        };
        Ok(Self {
            prediction: prediction.to_owned(),
            statistic: statistic.to_owned(),
            predicted,
            observed: mean,
            control: mean_and_sd(controls)?.0,
            p: permutation_p(mean, controls, predicted)?,
            p_opposite: permutation_p(mean, controls, predicted.opposite())?,
            effect: effect_size(mean, controls)?,
            interval,
            n_families: observed.len(),
            n_controls: controls.len(),
        })
    }
}

/// What a test came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Beyond chance on the predicted side.
    Detected,
    /// Within chance.
    NotDetected,
    /// Beyond chance on the other side.
    Opposite,
}

/// A test among others.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalogyRow {
    pub test: AnalogyTest,
    /// Benjamini and Hochberg's q-value of `p` among all tests of the table.
    pub q_value: f64,
    /// That of `p_opposite`.
    pub q_opposite: f64,
    pub verdict: Verdict,
}

/// All tests, with q-values over all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalogyTable {
    pub rows: Vec<AnalogyRow>,
    /// False discovery rate of each side.
    pub alpha: f64,
}

impl AnalogyTable {
    /// Corrects for the number of tests and gives the verdicts.
    ///
    /// # Errors
    /// An alpha outside (0, 1/2): beyond, a test could be on both sides.
    pub fn new(tests: Vec<AnalogyTest>, alpha: f64) -> Result<Self> {
        if !(alpha > 0.0 && alpha < 0.5) {
            return Err(Error::argument("alpha", alpha, "must lie in 0 to 1/2"));
        }
        let p: Vec<f64> = tests.iter().map(|t| t.p).collect();
        let opposite: Vec<f64> = tests.iter().map(|t| t.p_opposite).collect();
        let q = q_values(&p)?.into_iter().zip(q_values(&opposite)?);
        let rows = tests
            .into_iter()
            .zip(q)
            .map(|(test, (q_value, q_opposite))| {
                let verdict = if q_value <= alpha {
                    Verdict::Detected
                } else if q_opposite <= alpha {
                    Verdict::Opposite
                } else {
                    Verdict::NotDetected
                };
                AnalogyRow {
                    test,
                    q_value,
                    q_opposite,
                    verdict,
                }
            });
        Ok(Self {
            rows: rows.collect(),
            alpha,
        })
    }

    /// How many tests came to this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|r| r.verdict == verdict).count()
    }

    /// One row a test.
    ///
    /// # Errors
    /// None but polars' own.
    pub fn frame(&self) -> Result<DataFrame> {
        let text = |of: &dyn Fn(&AnalogyRow) -> String| -> Vec<String> {
            self.rows.iter().map(of).collect()
        };
        let number =
            |of: &dyn Fn(&AnalogyRow) -> f64| -> Vec<f64> { self.rows.iter().map(of).collect() };
        let interval = |row: &AnalogyRow| match row.test.interval {
            Some(i) => format!("{} to {}", format_number(i.low), format_number(i.high)),
            None => "one family".to_owned(),
        };
        let side = |row: &AnalogyRow| match row.test.predicted {
            Tail::Lower => "below".to_owned(),
            Tail::Upper => "above".to_owned(),
        };
        Ok(df![
            "prediction" => text(&|r| r.test.prediction.clone()),
            "statistic" => text(&|r| r.test.statistic.clone()),
            "predicted" => text(&side),
            "observed" => number(&|r| r.test.observed),
            "95 % interval" => text(&interval),
            "control" => number(&|r| r.test.control),
            "effect" => number(&|r| r.test.effect),
            "p" => number(&|r| r.test.p),
            "q" => number(&|r| r.q_value),
            "q opposite" => number(&|r| r.q_opposite),
            "verdict" => text(&|r| r.verdict.to_string()),
        ]?)
    }

    fn summary(&self) -> String {
        format!(
            "{} predictions at false discovery rate {}: {} detected, {} opposite, {} not detected",
            self.rows.len(),
            self.alpha,
            self.count(Verdict::Detected),
            self.count(Verdict::Opposite),
            self.count(Verdict::NotDetected)
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Detected => "detected",
            Verdict::NotDetected => "not detected",
            Verdict::Opposite => "opposite",
        })
    }
}

impl fmt::Display for AnalogyTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = format_number;
        let (prediction, statistic) = (&self.prediction, &self.statistic);
        write!(f, "{prediction}: {statistic} {}", n(self.observed))?;
        if let Some(i) = self.interval {
            write!(f, " ({} to {})", n(i.low), n(i.high))?;
        }
        let (control, effect, p) = (n(self.control), n(self.effect), n(self.p));
        write!(f, ", control {control}, effect {effect}, p {p}")?;
        let families = if self.n_families == 1 {
            "family"
        } else {
            "families"
        };
        write!(
            f,
            " ({} {families}, {} controls)",
            self.n_families, self.n_controls
        )
    }
}

impl fmt::Display for AnalogyTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.summary())?;
        for row in &self.rows {
            let [q, opposite] = [row.q_value, row.q_opposite].map(format_number);
            write!(
                f,
                "\n{}; {}, q {q}, q opposite {opposite}",
                row.verdict, row.test
            )?;
        }
        Ok(())
    }
}

shows_itself!(AnalogyTest as text);

shows_itself!(AnalogyTable);

impl Show for AnalogyTable {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let rows = self.rows.len();
        Ok(Table::new(self.frame()?)
            .gradient("effect")
            .head(rows)
            .caption(self.summary())
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::{Planting, RealMatrix, planted_family};
    use crate::susy::chiral;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Three tests of known numbers: controls 0 to 98, so p = 0.01, 0.5 and 1, opposite 1, 0.51, 0.01.
    fn table() -> AnalogyTable {
        let controls: Vec<f64> = (0..99).map(f64::from).collect();
        let test = |prediction: &str, observed: &[f64]| {
            AnalogyTest::of_values(prediction, "score", Tail::Upper, observed, &controls, 1)
                .unwrap()
        };
        let tests = vec![
            test("above <all>", &[199.5, 200.5]),
            test("in the middle", &[49.5]),
            test("below all", &[-10.0]),
        ];
        AnalogyTable::new(tests, 0.05).unwrap()
    }

    #[test]
    fn verdicts_follow_from_both_sides() {
        let table = table();
        let verdicts: Vec<Verdict> = table.rows.iter().map(|r| r.verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Detected, Verdict::NotDetected, Verdict::Opposite]
        );
        let p: Vec<f64> = table.rows.iter().map(|r| r.test.p).collect();
        assert_eq!(p, [0.01, 0.5, 1.0]);
        // Three tests: 3 x 0.01, 3/2 x 0.5, 1.
        assert!((table.rows[0].q_value - 0.03).abs() < 1e-15);
        assert!((table.rows[1].q_value - 0.75).abs() < 1e-15);
        assert!((table.rows[2].q_opposite - 0.03).abs() < 1e-15);
        assert!(table.rows[1].test.interval.is_none());
        assert!(AnalogyTable::new(Vec::new(), 0.7).is_err());
    }

    #[test]
    fn the_table_shows_itself() {
        let bundle = table().mime_bundle().unwrap();
        insta::assert_snapshot!("analogy_table_text", bundle.get("text/plain").unwrap());
        insta::assert_snapshot!("analogy_table_html", bundle.get("text/html").unwrap());
    }

    #[test]
    fn planted_families_are_detected_and_symmetric_maps_are_the_opposite() {
        let planted = |seed| planted_family(Planting::InOut, &chiral(), 1, 12, 0.1, seed).unwrap();
        let families: Vec<Family> = (0..3).map(planted).collect();
        let symmetric = |seed| {
            let w = RealMatrix::gaussian(12, 4, &mut ChaCha8Rng::seed_from_u64(seed));
            let gauge = crate::susy::analogy::Gauge::Contragredient;
            Family::in_out("s", w.clone(), &w.transpose(), gauge).unwrap()
        };
        let symmetric: Vec<Family> = (0..3).map(symmetric).collect();
        let test = |name: &str, families: &[Family]| {
            let s = Statistic::SymmetryIndex;
            AnalogyTest::of_families(name, s, families, s.control(), 99, 4).unwrap()
        };
        let tests = vec![test("planted", &families), test("symmetric", &symmetric)];
        assert_eq!(tests[0], test("planted", &families));
        let table = AnalogyTable::new(tests, 0.05).unwrap();
        assert_eq!(table.rows[0].verdict, Verdict::Detected);
        assert_eq!(table.rows[1].verdict, Verdict::Opposite);
        assert!(
            AnalogyTest::of_families("", Statistic::SymmetryIndex, &[], Null::Haar, 9, 1).is_err()
        );
    }
}
