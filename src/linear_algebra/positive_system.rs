//! Systems with a symmetric positive definite matrix, by faer's Cholesky decomposition.

use super::RealMatrix;
use faer::Side;
use faer::linalg::solvers::Solve;

/// The X of `A X = B`, for a symmetric positive definite A `[n, n]` and B `[n, m]`; `None` if A is not
/// (to rounding), or not finite.
pub(crate) fn solve_positive(a: &RealMatrix, b: &RealMatrix) -> Option<RealMatrix> {
    let factor = a.view().llt(Side::Lower).ok()?;
    let solution = RealMatrix::of_view(factor.solve(b.view()).as_ref());
    let is_finite = solution.entries().iter().all(|x| x.is_finite());
    is_finite.then_some(solution)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_solution_solves(
            n in 1usize..7, m in 1usize..3, entries in prop::collection::vec(-1.0..1.0f64, 64)
        ) {
            let g = RealMatrix::of(n, n, entries[..n * n].to_vec());
            let mut a = g.times_transposed(&g);
            (0..n).for_each(|i| a.row_mut(i)[i] += 0.1);
            let b = RealMatrix::of(n, m, entries[40..40 + n * m].to_vec());
            let x = solve_positive(&a, &b).unwrap();
            let back = a.times(&x);
            for (got, wanted) in back.entries().iter().zip(b.entries()) {
                prop_assert!((got - wanted).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_has_no_solution() {
        let right = RealMatrix::zeros(2, 1);
        for entries in [
            [1.0, 2.0, 2.0, 1.0],
            [1.0, f64::NAN, f64::NAN, 1.0],
            [0.0; 4],
        ] {
            let a = RealMatrix::of(2, 2, entries.to_vec());
            assert!(solve_positive(&a, &right).is_none(), "{entries:?}");
        }
    }
}
