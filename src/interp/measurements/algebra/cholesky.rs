//! Systems with a symmetric positive definite matrix: `A = L L^T`, then two triangular systems.
//! Source: Golub and Van Loan, Matrix Computations, algorithm 4.2.1.

use super::matrix::{Matrix, dot};

/// The X of `A X = B`, for a symmetric positive definite A `[n, n]` and B `[n, m]`; `None` if A is not
/// (to rounding).
pub(in super::super) fn solve_positive(a: &Matrix, b: &Matrix) -> Option<Matrix> {
    let l = factor(a)?;
    let n = a.rows;
    let mut x = b.clone();
    let m = b.columns;
    for i in 0..n {
        let (before, here) = x.entries.split_at_mut(i * m);
        for (k, row) in before.chunks_exact(m.max(1)).enumerate() {
            subtract(&mut here[..m], row, l.row(i)[k]);
        }
        here[..m].iter_mut().for_each(|v| *v /= l.row(i)[i]);
    }
    for i in (0..n).rev() {
        let (before, after) = x.entries.split_at_mut((i + 1) * m);
        let here = &mut before[i * m..];
        for (k, row) in after.chunks_exact(m.max(1)).enumerate() {
            subtract(here, row, l.row(i + 1 + k)[i]);
        }
        here.iter_mut().for_each(|v| *v /= l.row(i)[i]);
    }
    Some(x)
}

fn subtract(from: &mut [f64], row: &[f64], factor: f64) {
    for (a, b) in from.iter_mut().zip(row) {
        *a -= factor * b;
    }
}

/// The lower triangular L of `A = L L^T`.
fn factor(a: &Matrix) -> Option<Matrix> {
    let n = a.rows;
    let mut l = Matrix::zeros(n, n);
    for i in 0..n {
        for j in 0..=i {
            let rest = a.row(i)[j] - dot(&l.row(i)[..j], &l.row(j)[..j]);
            l.row_mut(i)[j] = if i == j {
                // False for NaN, too.
                let usable = rest > 0.0 && rest.is_finite();
                if !usable {
                    return None;
                }
                rest.sqrt()
            } else {
                rest / l.row(j)[j]
            };
        }
    }
    Some(l)
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
            let g = Matrix { rows: n, columns: n, entries: entries[..n * n].to_vec() };
            let mut a = g.times_transposed(&g).unwrap();
            (0..n).for_each(|i| a.row_mut(i)[i] += 0.1);
            let b = Matrix { rows: n, columns: m, entries: entries[40..40 + n * m].to_vec() };
            let x = solve_positive(&a, &b).unwrap();
            let back = a.times(&x).unwrap();
            for (got, wanted) in back.entries.iter().zip(&b.entries) {
                prop_assert!((got - wanted).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_has_no_solution() {
        let a = Matrix {
            rows: 2,
            columns: 2,
            entries: vec![1.0, 2.0, 2.0, 1.0],
        };
        assert!(solve_positive(&a, &Matrix::zeros(2, 1)).is_none());
    }
}
