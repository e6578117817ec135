//! The assignment problem: each row a column of its own, so that the sum is largest.
//! Shortest augmenting paths with potentials, O(n^3) (the Hungarian method).
//! Source: Kuhn 1955; Jonker and Volgenant 1987.

use super::RealMatrix;
use crate::error::{Error, Result};

/// The column of each row in an assignment of largest total weight.
///
/// ```
/// use holoscope::susy::analogy::{RealMatrix, best_assignment};
/// let weights = RealMatrix::from_rows(&[vec![3.0, 2.9], vec![2.0, 0.0]])?;
/// assert_eq!(best_assignment(&weights)?, [1, 0]);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for weights that are not square, [`Error::Argument`] for one that is not
/// finite.
pub fn best_assignment(weights: &RealMatrix) -> Result<Vec<usize>> {
    weights.require_square("weights")?;
    if let Some(w) = weights.entries().iter().find(|w| !w.is_finite()) {
        return Err(Error::argument("weight", w, "must be finite"));
    }
    let n = weights.n_rows();
    // Index n stands for "none": the row that is being placed starts from that column.
    let mut row_of = vec![n; n + 1];
    let mut row_price = vec![0.0; n + 1];
    let mut column_price = vec![0.0; n + 1];
    for row in 0..n {
        row_of[n] = row;
        let mut slack = vec![f64::INFINITY; n];
        let mut came_from = vec![n; n];
        let mut done = vec![false; n + 1];
        let mut column = n;
        while row_of[column] != n {
            done[column] = true;
            let from = row_of[column];
            let (mut delta, mut next) = (f64::INFINITY, n);
            for j in (0..n).filter(|&j| !done[j]) {
                let reduced = -weights.entry(from, j) - row_price[from] - column_price[j];
                if reduced < slack[j] {
                    slack[j] = reduced;
                    came_from[j] = column;
                }
                if slack[j] < delta {
                    (delta, next) = (slack[j], j);
                }
            }
            for j in 0..=n {
                if done[j] {
                    row_price[row_of[j]] += delta;
                    column_price[j] -= delta;
                } else {
                    slack[j] -= delta;
                }
            }
            column = next;
        }
        // The path back: each column takes the row of the one before it.
        while column != n {
            let before = came_from[column];
            row_of[column] = row_of[before];
            column = before;
        }
        row_of[n] = n;
    }
    let mut column_of = vec![0; n];
    for (column, &row) in row_of[..n].iter().enumerate() {
        column_of[row] = column;
    }
    Ok(column_of)
}

/// Every order of 0 to n - 1, in lexicographic order.
pub(super) fn permutations(n: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..n {
        let longer = |head: &Vec<usize>| -> Vec<Vec<usize>> {
            let rest = (0..n).filter(|c| !head.contains(c));
            rest.map(|c| [head.as_slice(), &[c]].concat()).collect()
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn total(weights: &RealMatrix, columns: &[usize]) -> f64 {
        columns
            .iter()
            .enumerate()
            .map(|(i, &j)| weights.entry(i, j))
            .sum()
    }

    proptest! {
        #[test]
        fn no_permutation_does_better(
            n in 1usize..7, entries in prop::collection::vec(-9i32..10, 36), thirds in prop::bool::ANY
        ) {
            // Whole numbers have many ties, thirds have rounding.
            let unit = if thirds { 1.0 / 3.0 } else { 1.0 };
            let weights = RealMatrix::from_entries(n, n, |i, j| unit * f64::from(entries[6 * i + j]));
            let columns = best_assignment(&weights).unwrap();
            let mut sorted = columns.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..n).collect::<Vec<_>>());
            let best = permutations(n).iter().map(|p| total(&weights, p)).fold(f64::MIN, f64::max);
            prop_assert!((total(&weights, &columns) - best).abs() < 1e-12);
        }
    }

    #[test]
    fn weights_must_be_square_and_finite() {
        assert!(best_assignment(&RealMatrix::zeros(2, 3)).is_err());
        let infinite = RealMatrix::from_entries(2, 2, |_, _| f64::INFINITY);
        assert!(best_assignment(&infinite).is_err());
        assert!(
            best_assignment(&RealMatrix::zeros(0, 0))
                .unwrap()
                .is_empty()
        );
    }
}
