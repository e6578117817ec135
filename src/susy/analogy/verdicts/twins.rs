//! Tests of trained networks beside their twins: networks or dictionaries of the same shape that have learnt nothing.
//! `f = (observed - control)/(algebra - control)`: 0 is chance, 1 is the algebra. Source: ours.

use super::analogy_table::{AnalogyTable, AnalogyTest, Verdict};
use super::statistics::{Interval, bootstrap_interval};
use crate::error::{Error, Result};
use crate::show::{Table, format_number, shows_itself};
use crate::susy::analogy::{Family, Null, Statistic, shuffled_colours};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// Resamples behind an interval.
const RESAMPLES: usize = 2000;

/// A test, the value that the algebra demands, and the twin that comes nearest to it.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinTest {
    pub test: AnalogyTest,
    /// What the algebra demands.
    pub algebra: f64,
    /// The mean of the twins of the kind nearest to the algebra.
    pub twin: f64,
    /// 95 % bootstrap interval of the mean of trained less twin, in pairs; none for one pair.
    pub difference: Option<Interval>,
}

/// The values of a statistic, one a family.
fn values(statistic: Statistic, families: &[Family]) -> Result<Vec<f64>> {
    families.iter().map(|family| statistic.of(family)).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl TwinTest {
    /// A test whose families have the values `observed`, beside the values of each kind of twin, in the same order.
    ///
    /// # Errors
    /// No kind of twin; a value that is not finite.
    pub fn new(
        test: AnalogyTest,
        algebra: f64,
        observed: &[f64],
        twins: &[Vec<f64>],
        seed: u64,
    ) -> Result<Self> {
        let distance = |twin: &&Vec<f64>| (mean(twin) - algebra).abs();
        let nearest = twins
            .iter()
            .min_by(|a, b| distance(a).total_cmp(&distance(b)));
        let nearest =
            nearest.ok_or_else(|| Error::argument("twins", "none", "needs at least one"))?;
        let differences: Vec<f64> = observed.iter().zip(nearest).map(|(a, b)| a - b).collect();
        let difference = match differences.len() {
            0 | 1 => None,
            _ => Some(bootstrap_interval(&differences, 0.95, RESAMPLES, seed)?),
        };
        Ok(Self {
            test,
            algebra,
            twin: mean(nearest),
            difference,
        })
    }

    /// [`AnalogyTest::of_families`] of the first families, the trained ones, beside the others, one kind of twin each.
    ///
    /// # Errors
    /// No families, no twins; those of [`AnalogyTest::of_families`].
    pub fn of_families(
        prediction: &str,
        statistic: Statistic,
        families: &[Vec<Family>],
        null: Null,
        draws: usize,
        seed: u64,
    ) -> Result<Self> {
        let trained = families.first().map_or(&[][..], |f| &f[..]);
        let test = AnalogyTest::of_families(prediction, statistic, trained, null, draws, seed)?;
        Self::beside(test, statistic, families, seed)
    }

    /// As [`TwinTest::of_families`], with the members of all trained families dealt out anew for a control
    /// ([`shuffled_colours`]): does it matter which belong together?
    ///
    /// # Errors
    /// No families, no twins; those of [`shuffled_colours`] and [`AnalogyTest::of_values`].
    pub fn of_membership(
        prediction: &str,
        statistic: Statistic,
        families: &[Vec<Family>],
        draws: usize,
        seed: u64,
    ) -> Result<Self> {
        let trained = families.first().map_or(&[][..], |f| &f[..]);
        let control = |draw: u64| -> Result<f64> {
            let dealt = shuffled_colours(trained, seed + draw)?;
            Ok(mean(&values(statistic, &dealt)?))
        };
        let controls = (0..draws as u64)
            .map(control)
            .collect::<Result<Vec<f64>>>()?;
        let (name, predicted) = (statistic.to_string(), statistic.predicted());
        let observed = values(statistic, trained)?;
        let test =
            AnalogyTest::of_values(prediction, &name, predicted, &observed, &controls, seed)?;
        Self::beside(test, statistic, families, seed)
    }

    fn beside(
        test: AnalogyTest,
        statistic: Statistic,
        families: &[Vec<Family>],
        seed: u64,
    ) -> Result<Self> {
        let all = families.iter().map(|f| values(statistic, f));
        let all = all.collect::<Result<Vec<_>>>()?;
        Self::new(test, statistic.algebra(), &all[0], &all[1..], seed)
    }

    /// How far the trained ones are from the control towards the algebra: 0 is chance, 1 the algebra.
    pub fn share(&self) -> f64 {
        (self.test.observed - self.test.control) / (self.algebra - self.test.control)
    }

    /// Whether the trained ones lie beyond their twins, on the algebra's side; false where no interval says so.
    pub fn is_beyond_twin(&self) -> bool {
        let up = self.algebra > self.test.control;
        let beyond = |d: Interval| if up { d.low > 0.0 } else { d.high < 0.0 };
        self.difference.is_some_and(beyond)
    }
}

impl fmt::Display for TwinTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, twin {}", self.test, format_number(self.twin))
    }
}

shows_itself!(TwinTest as text);

/// What a test beside twins came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Judgement {
    /// Beyond chance on the predicted side, by a share of at least the table's, and beyond the twins.
    Detected,
    /// Beyond chance on the predicted side, but by a smaller share or no more than a twin.
    Trace,
    /// Beyond chance on the other side.
    Opposite,
    /// Within chance.
    NotDetected,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Judgement::Detected => "detected",
            Judgement::Trace => "trace",
            Judgement::Opposite => "opposite",
            Judgement::NotDetected => "not detected",
        })
    }
}

/// A test among others, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinRow {
    pub test: TwinTest,
    /// Benjamini and Hochberg's q-value on the predicted side, among all tests of the table.
    pub q_value: f64,
    pub judgement: Judgement,
}

/// Tests beside twins, judged with q-values over all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinTable {
    pub rows: Vec<TwinRow>,
    /// False discovery rate of each side.
    pub alpha: f64,
    /// The share `f` below which a test is a trace.
    pub least_share: f64,
}

impl TwinTable {
    /// Corrects for the number of tests and judges each.
    ///
    /// # Errors
    /// Those of [`AnalogyTable::new`].
    pub fn new(tests: Vec<TwinTest>, alpha: f64, least_share: f64) -> Result<Self> {
        let table = AnalogyTable::new(tests.iter().map(|t| t.test.clone()).collect(), alpha)?;
        let judge = |test: &TwinTest, verdict| match verdict {
            Verdict::Detected if test.share() >= least_share && test.is_beyond_twin() => {
                Judgement::Detected
            }
            Verdict::Detected => Judgement::Trace,
            Verdict::Opposite => Judgement::Opposite,
            Verdict::NotDetected => Judgement::NotDetected,
        };
        let rows = tests
            .into_iter()
            .zip(&table.rows)
            .map(|(test, row)| TwinRow {
                judgement: judge(&test, row.verdict),
                q_value: row.q_value,
                test,
            });
        Ok(Self {
            rows: rows.collect(),
            alpha,
            least_share,
        })
    }

    /// How many tests came to a judgement; of all tests for `None`. Only those count whose prediction begins with one
    /// of `letters`.
    pub fn count(&self, letters: &str, judgement: Option<Judgement>) -> usize {
        let counts = |row: &&TwinRow| {
            let first = row.test.test.prediction.chars().next();
            first.is_some_and(|c| letters.contains(c))
                && judgement.is_none_or(|j| j == row.judgement)
        };
        self.rows.iter().filter(counts).count()
    }

    /// One row a test.
    ///
    /// # Errors
    /// None but polars' own.
    pub fn frame(&self) -> Result<DataFrame> {
        let text =
            |of: fn(&TwinRow) -> String| -> Vec<String> { self.rows.iter().map(of).collect() };
        let number = |of: fn(&TwinRow) -> f64| -> Vec<f64> { self.rows.iter().map(of).collect() };
        Ok(df![
            "prediction" => text(|r| r.test.test.prediction.clone()),
            "statistic" => text(|r| r.test.test.statistic.clone()),
            "algebra" => number(|r| r.test.algebra),
            "trained" => number(|r| r.test.test.observed),
            "control" => number(|r| r.test.test.control),
            "twin" => number(|r| r.test.twin),
            "share f" => number(|r| r.test.share()),
            "q" => number(|r| r.q_value),
            "verdict" => text(|r| r.judgement.to_string()),
        ]?)
    }
}

impl fmt::Display for TwinTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tests beside twins, at false discovery rate {}",
            self.rows.len(),
            self.alpha
        )?;
        for row in &self.rows {
            let [share, q] = [row.test.share(), row.q_value].map(format_number);
            write!(f, "\n{}; {}, share {share}, q {q}", row.judgement, row.test)?;
        }
        Ok(())
    }
}

shows_itself!(TwinTable, |it| Table::new(it.frame()?)
    .head(it.rows.len())
    .gradient_within("share f", -1.0, 1.0));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::Show;
    use crate::susy::analogy::{Planting, Tail, planted_family};
    use crate::susy::chiral;

    /// Controls 0 to 98: p = 0.01 above all of them.
    fn test(prediction: &str, observed: &[f64], twins: &[Vec<f64>], algebra: f64) -> TwinTest {
        let controls: Vec<f64> = (0..99).map(f64::from).collect();
        let test = AnalogyTest::of_values(prediction, "score", Tail::Upper, observed, &controls, 1);
        TwinTest::new(test.unwrap(), algebra, observed, twins, 1).unwrap()
    }

    #[test]
    fn a_detection_needs_a_share_and_more_than_the_nearest_twin() {
        // The mean control is 49, so that 200 has the share (200 - 49)/(249 - 49) = 0.755.
        let strong = test(
            "A strong",
            &[199.5, 200.5],
            &[vec![0.0; 2], vec![50.0; 2]],
            249.0,
        );
        assert!((strong.share() - 0.755).abs() < 1e-12);
        assert_eq!(strong.twin, 50.0);
        let like_twin = test(
            "A as its twin",
            &[199.5, 200.5],
            &[vec![200.5, 199.5]],
            249.0,
        );
        let small = test("B small", &[199.5, 200.5], &[vec![0.0; 2]], 10_000.0);
        let single = test("B single", &[200.0], &[vec![0.0]], 249.0);
        let below = test("B below", &[-9.0, -11.0], &[vec![0.0; 2]], 249.0);
        let middle = test("C middle", &[49.0, 50.0], &[vec![0.0; 2]], 249.0);
        let tests = vec![strong, like_twin, small, single, below, middle];
        let table = TwinTable::new(tests, 0.1, 0.1).unwrap();
        let judgements: Vec<Judgement> = table.rows.iter().map(|r| r.judgement).collect();
        use Judgement::{Detected, NotDetected, Opposite, Trace};
        assert_eq!(
            judgements,
            [Detected, Trace, Trace, Trace, Opposite, NotDetected]
        );
        assert_eq!(table.count("AB", None), 5);
        assert_eq!(table.count("AC", Some(Trace)), 1);
        assert_eq!(table.frame().unwrap().shape(), (6, 9));
        let shown = table.mime_bundle().unwrap();
        assert!(shown.get("text/html").unwrap().contains("share f"));
        assert!(table.to_string().contains("trace; A as its twin"));
    }

    #[test]
    fn planted_families_are_detected_beside_families_of_noise() {
        let families = |sigma, seed| -> Vec<Family> {
            (0..4u64)
                .map(|i| planted_family(Planting::Blocks, &chiral(), 1, 16, sigma, seed + i))
                .map(Result::unwrap)
                .collect()
        };
        let both = [families(0.05, 1), families(50.0, 100)];
        let statistic = Statistic::AdinkraOverlap;
        let rotated = TwinTest::of_families("H", statistic, &both, Null::Rotated, 39, 3).unwrap();
        let dealt = TwinTest::of_membership("H", statistic, &both, 39, 3).unwrap();
        for test in [&rotated, &dealt] {
            assert_eq!(test.algebra, 1.0);
            assert!(test.test.p <= 0.05 && test.share() > 0.5, "{test}");
            assert!(test.is_beyond_twin(), "{test:?}");
        }
        let table = TwinTable::new(vec![rotated, dealt], 0.05, 0.1).unwrap();
        assert_eq!(table.count("H", Some(Judgement::Detected)), 2);
        let alone = TwinTest::of_families("H", statistic, &both[..1], Null::Rotated, 9, 3);
        assert!(alone.unwrap_err().to_string().contains("twins"));
        assert!(TwinTest::of_membership("H", statistic, &[], 9, 3).is_err());
    }
}
