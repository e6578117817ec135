//! Singular values, polar factors, bases of ranges, random rotations. The decompositions are faer's.

use super::RealMatrix;
use crate::error::{Error, Result};
use faer::MatRef;
use rand::Rng;
use rand_distr::StandardNormal;

/// Singular values below this, relative to the largest, count as zero.
const RANK_TOLERANCE: f64 = 1e-10;

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
    /// The singular value decomposition; both sets of vectors are orthonormal.
    ///
    /// # Errors
    /// [`Error::NotFiniteAt`] for an entry that is not finite; [`Error::Argument`] if the iteration does
    /// not converge, which no matrix is known to cause.
    pub fn singular_values(&self) -> Result<SingularValues> {
        let found = self.finite_view()?.thin_svd().map_err(|_| {
            let shape = format!("{} x {}", self.n_rows(), self.n_columns());
            Error::argument("matrix", shape, "its singular values did not converge")
        })?;
        Ok(SingularValues {
            left: Self::of_view(found.U()),
            values: found.S().column_vector().iter().copied().collect(),
            right: Self::of_view(found.V()),
        })
    }

    /// An orthonormal basis of the range, as columns, of a matrix of full column rank.
    ///
    /// # Errors
    /// Columns that are dependent (to 1e-10 of the largest), or more columns than rows.
    pub(crate) fn range_basis(&self) -> Result<RealMatrix> {
        let (basis, mut sizes) = self.orthonormalised();
        sizes.resize(self.n_columns(), 0.0);
        sizes.sort_by(|a, b| b.total_cmp(a));
        require_full_rank(&sizes)?;
        Ok(basis)
    }

    /// Q of `A = Q R` with a diagonal of R that is not negative, and that diagonal.
    fn orthonormalised(&self) -> (RealMatrix, Vec<f64>) {
        let factors = self.view().qr();
        let r = factors.thin_R();
        let diagonal: Vec<f64> = (0..r.nrows()).map(|i| r[(i, i)]).collect();
        let q = Self::of_view(factors.compute_thin_Q().as_ref());
        let signs: Vec<f64> = diagonal.iter().map(|x| 1f64.copysign(*x)).collect();
        let sizes = diagonal.iter().map(|x| x.abs()).collect();
        (q.scaled_columns(&signs), sizes)
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
        } = self.singular_values()?;
        require_full_rank(&values)?;
        Ok(left.times_transposed(&right))
    }

    /// Independent normal entries of variance 1.
    pub fn gaussian(n_rows: usize, n_columns: usize, rng: &mut impl Rng) -> RealMatrix {
        RealMatrix::from_entries(n_rows, n_columns, |_, _| rng.sample(StandardNormal))
    }

    /// A random matrix of orthonormal columns (rows, if there are fewer rows), distributed by
    /// Haar's measure: Q of Gaussian columns `Q R` where R has a positive diagonal. It is unique, so
    /// rotated columns give the rotated Q, and no rotation changes the distribution of Q.
    pub fn haar(n_rows: usize, n_columns: usize, rng: &mut impl Rng) -> RealMatrix {
        if n_rows < n_columns {
            return RealMatrix::haar(n_columns, n_rows, rng).transpose();
        }
        // Gaussian columns are dependent with probability 0.
        let gaussian = RealMatrix::gaussian(n_rows, n_columns, rng);
        gaussian.orthonormalised().0
    }

    pub(super) fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(self.entries(), self.n_rows(), self.n_columns())
    }

    /// faer returns NaN for some matrices that hold NaN.
    pub(super) fn finite_view(&self) -> Result<MatRef<'_, f64>> {
        self.require_finite("matrix")?;
        Ok(self.view())
    }

    pub(super) fn of_view(view: MatRef<'_, f64>) -> RealMatrix {
        RealMatrix::from_entries(view.nrows(), view.ncols(), |i, j| view[(i, j)])
    }
}

pub(crate) fn require_full_rank(values: &[f64]) -> Result<()> {
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
            let SingularValues { left, values, right } = a.singular_values().unwrap();
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
    fn singular_vectors_of_a_zero_are_orthonormal_and_empty_matrices_have_none() {
        let found = RealMatrix::zeros(3, 2).singular_values().unwrap();
        assert_eq!(found.values, [0.0, 0.0]);
        let gram = found.left.transposed_times(&found.left);
        assert!(near(&gram, &RealMatrix::identity(2), 1e-14));
        assert!(
            RealMatrix::zeros(0, 4)
                .singular_values()
                .unwrap()
                .values
                .is_empty()
        );
    }

    #[test]
    fn a_range_needs_independent_columns() {
        let dependent = RealMatrix::from_rows(&[vec![1.0, 2.0], vec![2.0, 4.0], vec![0.0, 0.0]]);
        assert!(dependent.unwrap().range_basis().is_err());
        assert!(RealMatrix::identity(2).transpose().range_basis().is_ok());
        assert!(
            RealMatrix::from_entries(2, 3, |i, j| (i + 3 * j) as f64)
                .range_basis()
                .is_err()
        );
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
