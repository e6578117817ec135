//! Probes for one class against the rest, on as many rows of either.

use super::logistic::{LogisticRegression, fit};
use crate::error::Result;
use crate::interp::statistics::Contingency;
use crate::linear_algebra::RealMatrix;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// How well answers agree with the truth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct BinaryScore {
    pub accuracy: f64,
    /// 0 where nothing is found.
    pub f1: f64,
}

impl BinaryScore {
    /// Of log-odds: positive ones say yes.
    pub(super) fn of(logits: &[f64], y: &[bool]) -> Self {
        let mut counts = Contingency::default();
        for (z, y) in logits.iter().zip(y) {
            match (*z > 0.0, *y) {
                (true, true) => counts.tp += 1,
                (true, false) => counts.fp += 1,
                (false, true) => counts.fn_ += 1,
                (false, false) => counts.tn += 1,
            }
        }
        Self {
            accuracy: (counts.tp + counts.tn) as f64 / counts.n() as f64,
            f1: counts.f1(),
        }
    }
}

/// Rows in which as many answers are yes as no: all of the rarer kind, the others drawn by `seed`;
/// ascending.
pub(super) fn balanced(y: &[bool], seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let of = |answer: bool| -> Vec<usize> { (0..y.len()).filter(|i| y[*i] == answer).collect() };
    let (mut yes, mut no) = (of(true), of(false));
    let n = yes.len().min(no.len());
    for rows in [&mut yes, &mut no] {
        rows.shuffle(&mut rng);
        rows.truncate(n);
    }
    yes.extend(no);
    yes.sort_unstable();
    yes
}

/// The answers of some rows.
pub(super) fn picked(y: &[bool], rows: &[usize]) -> Vec<bool> {
    rows.iter().map(|i| y[*i]).collect()
}

/// A probe fitted to the balanced rows of a class.
pub(super) fn class_probe(
    x: &RealMatrix,
    y: &[bool],
    c: f64,
    seed: u64,
) -> Result<LogisticRegression> {
    let rows = balanced(y, seed);
    fit(&x.select(&rows), &picked(y, &rows), c)
}

/// Log-odds of each row of a matrix.
pub(super) fn logits(probe: &LogisticRegression, x: &RealMatrix) -> Vec<f64> {
    (0..x.n_rows()).map(|i| probe.logit(x.row(i))).collect()
}

/// The numbers of the `k` largest scores, largest first, equal ones by number.
pub(super) fn largest(scores: &[f64], k: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    let k = k.min(order.len());
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order.truncate(k);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balanced_rows_are_all_of_the_rarer_kind_and_as_many_others() {
        let y: Vec<bool> = (0..20).map(|i| i % 5 == 0).collect();
        let rows = balanced(&y, 1);
        assert_eq!(rows.len(), 8);
        assert!([0, 5, 10, 15].iter().all(|i| rows.contains(i)));
        assert!(rows.windows(2).all(|w| w[0] < w[1]));
        assert_ne!(rows, balanced(&y, 2));
    }

    #[test]
    fn scores_are_the_textbook_ones() {
        // tp 1, fp 1, fn 1, tn 1.
        let score = BinaryScore::of(&[1.0, 2.0, -1.0, 0.0], &[true, false, true, false]);
        assert_eq!((score.accuracy, score.f1), (0.5, 0.5));
        assert_eq!(largest(&[1.0, 3.0, 3.0, 2.0], 3), [1, 2, 3]);
        assert_eq!(largest(&[1.0], 3), [0]);
    }
}
