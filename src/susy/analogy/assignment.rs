//! The assignment problem: each row a column of its own, so that the sum is largest.
//! Of square weights here; `linear_algebra::assignment` has the method (Hungarian, O(n^3)).
//! Source: Kuhn 1955; Jonker and Volgenant 1987.

use crate::error::Result;
use crate::linear_algebra::assignment;
use crate::susy::SignedPermutation;
use crate::susy::analogy::RealMatrix;

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
/// [`crate::Error::Shape`] for weights that are not square, [`crate::Error::Argument`] for one that is not
/// finite.
pub fn best_assignment(weights: &RealMatrix) -> Result<Vec<usize>> {
    weights.require_square("weights")?;
    let n = weights.n_rows();
    assignment(n, n, |i, j| weights.entry(i, j))
}

impl RealMatrix {
    /// A signed permutation as a dense matrix.
    pub fn from_signed_permutation(s: &SignedPermutation) -> Self {
        Self::from_entries(s.d(), s.d(), |i, j| f64::from(s.entry(i, j)))
    }
}

/// Every order of 0 to n - 1, in lexicographic order.
pub(in crate::susy::analogy) fn permutations(n: usize) -> Vec<Vec<usize>> {
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
    fn the_kronecker_product_agrees_with_the_exact_one() {
        let k = crate::susy::chiral().l[1];
        let one = SignedPermutation::identity(3).unwrap();
        let exact = RealMatrix::from_signed_permutation(&k.kronecker(&one).unwrap());
        let dense = RealMatrix::from_signed_permutation(&k).kronecker_identity(3);
        assert_eq!(dense, exact);
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
