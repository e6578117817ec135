//! Singular values, polar factors, bases of ranges, random rotations.
//! `A = Q R`, `R^T = Y S W^T` by one-sided Jacobi (pairs of columns are turned until all are orthogonal),
//! so `A = (Q W) S Y^T`; polar factor `Q W Y^T`. Source: Golub and Van Loan, Matrix Computations, 5.2 and 8.6.3.

use super::matrix::dot;
use crate::error::{Error, Result};
use crate::susy::analogy::RealMatrix;
use rand::Rng;
use rand_distr::StandardNormal;

/// Sweeps over all pairs; Jacobi converges quadratically and needs about ten.
const SWEEPS: usize = 60;
/// Columns count as orthogonal below this cosine.
const ORTHOGONAL: f64 = 1e-14;
/// A column counts as dependent on others when this share of it, or less, is left beside them.
const DEPENDENT: f64 = 1e-14;
/// Singular values below this, relative to the largest, count as zero.
pub(in crate::susy::analogy) const RANK_TOLERANCE: f64 = 1e-10;

/// `A = X S Y^T` with `n = min(rows, columns)` singular values, the largest first.
#[derive(Debug, Clone, PartialEq)]
pub struct SingularValues {
    /// Left vectors as columns, `[rows, n]`.
    pub left: RealMatrix,
    /// The singular values, `[n]`.
    pub values: Vec<f64>,
    /// Right vectors as columns, `[columns, n]`.
    pub right: RealMatrix,
}

impl RealMatrix {
    /// The singular value decomposition; vectors of singular values that are zero are zero.
    pub fn singular_values(&self) -> SingularValues {
        if self.n_rows() < self.n_columns() {
            let SingularValues {
                left,
                values,
                right,
            } = self.transpose().singular_values();
            return SingularValues {
                left: right,
                values,
                right: left,
            };
        }
        let n = self.n_columns();
        // Jacobi on R^T: n x n instead of rows x n, and nearly diagonal already.
        let (basis, r) = triangular(columns_of(self));
        let (columns, turns) = orthogonalised(columns_of(&r.transpose()), n);
        let norms: Vec<f64> = columns.iter().map(|c| dot(c, c).sqrt()).collect();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| norms[b].total_cmp(&norms[a]));
        let unit = |i: usize, j: usize| {
            let norm = norms[order[j]];
            if norm > 0.0 {
                columns[order[j]][i] / norm
            } else {
                0.0
            }
        };
        let turns = RealMatrix::from_entries(n, n, |i, j| turns[order[j]][i]);
        SingularValues {
            left: from_columns(&basis, self.n_rows()).times(&turns),
            values: order.iter().map(|&j| norms[j]).collect(),
            right: RealMatrix::from_entries(n, n, unit),
        }
    }

    /// An orthonormal basis of the range, as columns, of a matrix of full column rank.
    ///
    /// # Errors
    /// Columns that are dependent (to 1e-10 of the largest), or more columns than rows.
    pub(in crate::susy::analogy) fn range_basis(&self) -> Result<RealMatrix> {
        let (basis, r) = triangular(columns_of(self));
        let mut sizes: Vec<f64> = (0..self.n_columns()).map(|i| r.entry(i, i)).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        require_full_rank(&sizes)?;
        Ok(from_columns(&basis, self.n_rows()))
    }

    /// The nearest isometry `X Y^T`: of orthonormal columns if there are at least as many rows
    /// as columns, of orthonormal rows otherwise.
    ///
    /// # Errors
    /// A matrix without full rank (to 1e-10 of its largest singular value): nothing is nearest.
    pub fn polar_factor(&self) -> Result<RealMatrix> {
        let SingularValues {
            left,
            values,
            right,
        } = self.singular_values();
        require_full_rank(&values)?;
        Ok(left.times(&right.transpose()))
    }

    /// Independent normal entries of variance 1.
    pub fn gaussian(n_rows: usize, n_columns: usize, rng: &mut impl Rng) -> RealMatrix {
        RealMatrix::from_entries(n_rows, n_columns, |_, _| rng.sample(StandardNormal))
    }

    /// A random matrix of orthonormal columns (rows, if there are fewer rows), distributed by
    /// Haar's measure: Gram and Schmidt's orthogonalisation of Gaussian columns, which commutes with rotations, so that no rotation changes the law of the result.
    pub fn haar(n_rows: usize, n_columns: usize, rng: &mut impl Rng) -> RealMatrix {
        if n_rows < n_columns {
            return RealMatrix::haar(n_columns, n_rows, rng).transpose();
        }
        // Gaussian columns are dependent with probability 0.
        let gaussian = RealMatrix::gaussian(n_rows, n_columns, rng);
        from_columns(&triangular(columns_of(&gaussian)).0, n_rows)
    }
}

pub(in crate::susy::analogy) fn require_full_rank(values: &[f64]) -> Result<()> {
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return Err(Error::argument("matrix", "empty", "needs rows and columns"));
    };
    if *last > RANK_TOLERANCE * first {
        return Ok(());
    }
    Err(Error::argument(
        "smallest singular value",
        last,
        format!("a polar factor needs full rank; the largest is {first}"),
    ))
}

fn columns_of(a: &RealMatrix) -> Vec<Vec<f64>> {
    (0..a.n_columns())
        .map(|j| (0..a.n_rows()).map(|i| a.entry(i, j)).collect())
        .collect()
}

fn from_columns(columns: &[Vec<f64>], n_rows: usize) -> RealMatrix {
    RealMatrix::from_entries(n_rows, columns.len(), |i, j| columns[j][i])
}

/// `A = Q R`: the columns of Q, and R, by Gram and Schmidt, each column cleaned twice. A column that
/// depends on those before it (to rounding) gives a column of zeros in Q and a zero in R.
fn triangular(mut columns: Vec<Vec<f64>>) -> (Vec<Vec<f64>>, RealMatrix) {
    let n = columns.len();
    let mut r = RealMatrix::zeros(n, n);
    for j in 0..n {
        let (done, rest) = columns.split_at_mut(j);
        let column = &mut rest[0];
        let size = dot(column, column).sqrt();
        for _ in 0..2 {
            for (i, unit) in done.iter().enumerate() {
                let along = dot(unit, column);
                r.set(i, j, r.entry(i, j) + along);
                for (x, u) in column.iter_mut().zip(unit) {
                    *x -= along * u;
                }
            }
        }
        let norm = dot(column, column).sqrt();
        let left = if norm > DEPENDENT * size { norm } else { 0.0 };
        let factor = if left > 0.0 { 1.0 / left } else { 0.0 };
        column.iter_mut().for_each(|x| *x *= factor);
        r.set(j, j, left);
    }
    (columns, r)
}

/// The columns turned until they are orthogonal, and the same turns of the identity, by columns.
fn orthogonalised(mut columns: Vec<Vec<f64>>, n: usize) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let mut right = columns_of(&RealMatrix::identity(n));
    for _ in 0..SWEEPS {
        let mut turned = false;
        // Squared lengths follow the turns within a sweep, and are taken anew with each.
        let mut size: Vec<f64> = columns.iter().map(|c| dot(c, c)).collect();
        for p in 0..n {
            for q in p + 1..n {
                let (alpha, beta) = (size[p], size[q]);
                let gamma = dot(&columns[p], &columns[q]);
                // A length that rounding took below 0 is that of a zero column.
                let bound = ORTHOGONAL * (alpha * beta).max(0.0).sqrt();
                if gamma == 0.0 || gamma.abs() <= bound {
                    continue;
                }
                turned = true;
                let zeta = (beta - alpha) / (2.0 * gamma);
                let t = zeta.signum() / (zeta.abs() + zeta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                turn(&mut columns, p, q, c, c * t);
                turn(&mut right, p, q, c, c * t);
                (size[p], size[q]) = (alpha - t * gamma, beta + t * gamma);
            }
        }
        if !turned {
            break;
        }
    }
    (columns, right)
}

/// Turns the columns p < q by the angle of cosine `c` and sine `s`.
fn turn(columns: &mut [Vec<f64>], p: usize, q: usize, c: f64, s: f64) {
    let (head, tail) = columns.split_at_mut(q);
    for (x, y) in head[p].iter_mut().zip(&mut tail[0]) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn near(a: &RealMatrix, b: &RealMatrix, tolerance: f64) -> bool {
        a.plus(-1.0, b).norm_sqr().sqrt() <= tolerance
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn singular_values_give_the_matrix_back(seed in 0u64..1000, rows in 1usize..9, columns in 1usize..9) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let a = RealMatrix::gaussian(rows, columns, &mut rng);
            let SingularValues { left, values, right } = a.singular_values();
            prop_assert!(values.windows(2).all(|w| w[0] >= w[1]));
            let n = rows.min(columns);
            let one = RealMatrix::identity(n);
            prop_assert!(near(&left.transpose().times(&left), &one, 1e-12));
            prop_assert!(near(&right.transpose().times(&right), &one, 1e-12));
            prop_assert!(near(&left.scaled_columns(&values).times(&right.transpose()), &a, 1e-12));
        }

        /// Of all isometries that random rotations give, none is nearer (Fan and Hoffman 1955).
        #[test]
        fn no_isometry_is_nearer_than_the_polar_factor(seed in 0u64..1000) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let a = RealMatrix::gaussian(6, 3, &mut rng);
            let polar = a.polar_factor().unwrap();
            prop_assert!(near(&polar.transpose().times(&polar), &RealMatrix::identity(3), 1e-12));
            let least = a.plus(-1.0, &polar).norm_sqr();
            for size in [1e-3, 1e-1, 10.0] {
                let other = polar.plus(size, &RealMatrix::gaussian(6, 3, &mut rng));
                let other = other.polar_factor().unwrap();
                prop_assert!(a.plus(-1.0, &other).norm_sqr() >= least - 1e-12);
            }
        }
    }

    #[test]
    fn a_matrix_without_full_rank_has_no_polar_factor() {
        let a = RealMatrix::from_rows(&[vec![1.0, 2.0], vec![2.0, 4.0]]).unwrap();
        assert!(a.polar_factor().is_err());
    }

    #[test]
    fn haar_matrices_are_isometries() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for (rows, columns) in [(6, 6), (9, 4), (3, 8), (1, 1)] {
            let q = RealMatrix::haar(rows, columns, &mut rng);
            let gram = if rows >= columns {
                q.transpose().times(&q)
            } else {
                q.times(&q.transpose())
            };
            assert!(near(&gram, &RealMatrix::identity(rows.min(columns)), 1e-13));
        }
    }

    /// For Haar's measure on the sphere of R^4 the fourth moment of a coordinate is
    /// 3/(4 (4 + 2)) = 1/8 and the second 1/4; standard errors over 4,000 draws are below 0.004.
    #[test]
    fn haar_columns_have_the_moments_of_the_sphere() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mut second, mut fourth) = (0.0, 0.0);
        for _ in 0..4000 {
            let x = RealMatrix::haar(4, 2, &mut rng).entry(1, 1);
            second += x * x / 4000.0;
            fourth += x.powi(4) / 4000.0;
        }
        assert!((second - 0.25).abs() < 0.016, "{second}");
        assert!((fourth - 0.125).abs() < 0.016, "{fourth}");
    }
}
