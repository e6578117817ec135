//! Eigenvalues of real square matrices, and eigenvectors of symmetric ones. Both are faer's.

use super::RealMatrix;
use crate::error::{Error, Result};
use faer::Side;
use num_complex::Complex64;

impl RealMatrix {
    /// All eigenvalues with their multiplicities, conjugate pairs side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square; [`Error::NotFiniteAt`] for an entry that is not
    /// finite; [`Error::Argument`] if the iteration does not converge, which no matrix is known to cause.
    pub fn eigenvalues(&self) -> Result<Vec<Complex64>> {
        self.require_square("matrix")?;
        self.finite_view()?
            .eigenvalues()
            .map_err(|_| not_converged(self))
    }
}

fn not_converged(matrix: &RealMatrix) -> Error {
    let n = matrix.n_rows();
    let reason = "its eigenvalues did not converge";
    Error::argument("matrix", format!("{n} x {n}"), reason)
}

/// The spectrum of a symmetric matrix, the largest eigenvalue first.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SymmetricEigen {
    /// `[n]`
    pub values: Vec<f64>,
    /// One row per eigenvector, orthonormal. `[n, n]`
    pub vectors: RealMatrix,
}

impl SymmetricEigen {
    /// The number of eigenvalues above 1e-10 of the largest: f32 activations, whose covariance this
    /// may be, have no more than seven digits.
    pub(crate) fn rank(&self) -> usize {
        let least = 1e-10 * self.values.first().copied().unwrap_or(0.0);
        self.values.iter().filter(|value| **value > least).count()
    }
}

/// The spectrum of a symmetric matrix, of which only the lower triangle is read.
///
/// # Errors
/// Those of [`RealMatrix::eigenvalues`].
pub(crate) fn symmetric_eigen(a: &RealMatrix) -> Result<SymmetricEigen> {
    a.require_square("matrix")?;
    let found = a
        .finite_view()?
        .self_adjoint_eigen(Side::Lower)
        .map_err(|_| not_converged(a))?;
    let (n, vectors) = (a.n_rows(), found.U());
    let values = found.S().column_vector();
    Ok(SymmetricEigen {
        values: (0..n).rev().map(|i| values[i]).collect(),
        vectors: RealMatrix::from_entries(n, n, |i, j| vectors[(j, n - 1 - i)]),
    })
}

#[cfg(test)]
mod tests {
    use super::super::dot;
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// The largest distance in a greedy matching of two spectra.
    fn distance(found: &[Complex64], expected: &[Complex64]) -> f64 {
        let mut left = expected.to_vec();
        let mut worst = 0.0f64;
        for z in found {
            let gap = |w: &Complex64| (*z - *w).norm_sqr();
            let best = (0..left.len())
                .min_by(|&a, &b| gap(&left[a]).total_cmp(&gap(&left[b])))
                .unwrap();
            worst = worst.max(gap(&left.swap_remove(best)).sqrt());
        }
        worst
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        /// A block-diagonal matrix of known spectrum in a random basis of moderate condition.
        #[test]
        fn a_planted_spectrum_is_found(seed in 0u64..10_000, pairs in 0usize..6, reals in 0usize..5) {
            prop_assume!(pairs + reals > 0);
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let n = 2 * pairs + reals;
            let numbers = RealMatrix::gaussian(n, 2, &mut rng);
            let mut block = RealMatrix::zeros(n, n);
            let mut expected = Vec::new();
            for p in 0..pairs {
                let (re, im) = (numbers.entry(p, 0), numbers.entry(p, 1));
                for (i, j, value) in [(0, 0, re), (1, 1, re), (0, 1, im), (1, 0, -im)] {
                    block.row_mut(2 * p + i)[2 * p + j] = value;
                }
                expected.extend([Complex64::new(re, im), Complex64::new(re, -im)]);
            }
            for i in 2 * pairs..n {
                block.row_mut(i)[i] = numbers.entry(i, 0);
                expected.push(Complex64::from(numbers.entry(i, 0)));
            }
            let basis = RealMatrix::haar(n, n, &mut rng);
            let scales: Vec<f64> = (0..n).map(|i| 1.0 + i as f64 / n as f64).collect();
            let inverse: Vec<f64> = scales.iter().map(|s| 1.0 / s).collect();
            let a = basis.scaled_columns(&scales).times(&block)
                .times(&basis.scaled_columns(&inverse).transpose());
            prop_assert!(distance(&a.eigenvalues().unwrap(), &expected) < 1e-10);
        }

        /// Newton's identities: sums of powers are traces of powers.
        #[test]
        fn power_sums_are_traces(seed in 0u64..10_000, n in 1usize..30) {
            let a = RealMatrix::gaussian(n, n, &mut ChaCha8Rng::seed_from_u64(seed));
            let values = a.eigenvalues().unwrap();
            prop_assert_eq!(values.len(), n);
            let (mut power, mut terms) = (a.clone(), values.clone());
            for _ in 1..=3 {
                let sum = terms.iter().fold(Complex64::ZERO, |s, z| s + *z);
                let size: f64 = 1.0 + terms.iter().map(|z| z.norm_sqr().sqrt()).sum::<f64>();
                prop_assert!((sum.re - power.trace()).abs() < 1e-11 * size);
                prop_assert!(sum.im.abs() < 1e-11 * size);
                power = power.times(&a);
                terms = terms.iter().zip(&values).map(|(z, w)| *z * *w).collect();
            }
        }
    }

    /// A control map of a power curve on which Francis' shifts alone go round in circles.
    #[rustfmt::skip]
    const STALLS: [[f64; 8]; 8] = [
        [-0.21618050556500495, 0.2530918144611393, -0.5992638814267363, -0.4411419276379397,
            0.4103808481932714, -1.3986191753379724, 0.302912082546867, 0.09587914100062803],
        [-0.09941733990098796, 0.21741123845111002, -0.07038506162738557, 1.4748475974754205,
            -0.8599073660148886, 0.43429340413058987, -0.6701694255293624, -0.058500180881776415],
        [1.1351762644852492, -0.6119683949445748, 0.599043278219194, 0.5676049019586581,
            0.2796552210771531, -0.9111490160151005, 0.42786997002593985, -0.5708724074996695],
        [-0.20864284421921875, 0.5338356961402222, -0.30216469632389514, -0.014490459716368803,
            -0.004454214418312385, 0.6669088288100922, 0.03820991427950057, -0.08395292179693656],
        [-1.3140739271218298, -0.6216512731939676, 1.3586463335386627, 0.2989538912939991,
            -0.4318364727231493, 0.5604151246152352, 0.03183618587066645, 0.3697334977844136],
        [-0.15531616032860565, 0.1474319310554036, 0.11758757272412627, 0.6939794914401864,
            1.2670053471923375, -0.39482234784036113, -0.4066908095877935, -0.09427606095170692],
        [-0.34272383723222716, -0.12058350165523746, 0.44154449537849283, 0.45389735009859106,
            0.6355101734905771, -0.0543864322255974, -0.15004070806688805, -0.15126933260759898],
        [-0.47639759817797733, -0.26176217357946074, -0.26020870677974645, 0.13708828418975155,
            -0.1613220724149513, 0.45280873683394024, -0.2857631466589648, -0.3009436281084568],
    ];

    #[test]
    fn a_matrix_on_which_francis_shifts_stall_converges() {
        let a = RealMatrix::from_entries(8, 8, |i, j| STALLS[i][j]);
        let values = a.eigenvalues().unwrap();
        let (mut power, mut terms) = (a.clone(), values.clone());
        for _ in 0..8 {
            let sum = terms.iter().fold(Complex64::ZERO, |s, z| s + *z);
            assert!((sum.re - power.trace()).abs() < 1e-10 && sum.im.abs() < 1e-10);
            power = power.times(&a);
            terms = terms.iter().zip(&values).map(|(z, w)| *z * *w).collect();
        }
    }

    #[test]
    fn thousands_of_random_matrices_converge() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for n in [3, 4, 8] {
            for _ in 0..2_000 {
                let a = RealMatrix::gaussian(n, n, &mut rng);
                let sum = a
                    .eigenvalues()
                    .unwrap()
                    .iter()
                    .fold(Complex64::ZERO, |s, z| s + *z);
                assert!((sum.re - a.trace()).abs() < 1e-11 && sum.im.abs() < 1e-11);
            }
        }
    }

    /// Spectra at or near +-i, many times over: the diagonal of every block is nearly 0.
    #[test]
    fn complex_structures_and_their_neighbours_converge() {
        for (seed, n) in (0..400).map(|seed| (seed, 2 + 2 * (seed as usize % 12))) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let turn = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![-1.0, 0.0]]).unwrap();
            let q = RealMatrix::haar(n, n, &mut rng);
            let j = q
                .times(&turn.kronecker_identity(n / 2))
                .times(&q.transpose());
            let exact = j.eigenvalues().unwrap();
            let i = [1.0, -1.0]
                .map(|im| vec![Complex64::new(0.0, im); n / 2])
                .concat();
            assert!(distance(&exact, &i) < 1e-12, "{seed}");
            for noise in [1e-12, 1e-6, 1e-3, 0.1, 1.0] {
                let near = j.plus(noise, &RealMatrix::gaussian(n, n, &mut rng));
                let sum = near
                    .eigenvalues()
                    .unwrap()
                    .iter()
                    .fold(Complex64::ZERO, |s, z| s + *z);
                let error = (sum.re - near.trace()).abs() + sum.im.abs();
                assert!(
                    error < 1e-11 * (n as f64) * near.norm_sqr().sqrt(),
                    "{seed} {noise}"
                );
            }
        }
    }

    #[test]
    fn a_cyclic_permutation_has_the_roots_of_unity() {
        // Shifts alone do not move this matrix: it needs the exceptional ones.
        let n = 8;
        let a = RealMatrix::from_entries(n, n, |i, j| f64::from(u8::from((i + 1) % n == j)));
        let roots: Vec<Complex64> = (0..n)
            .map(|k| (std::f64::consts::TAU * k as f64 / n as f64).sin_cos())
            .map(|(sin, cos)| Complex64::new(cos, sin))
            .collect();
        assert!(distance(&a.eigenvalues().unwrap(), &roots) < 1e-13);
        assert!(RealMatrix::zeros(2, 3).eigenvalues().is_err());
    }

    #[test]
    fn a_zero_matrix_and_an_empty_one_have_their_eigenvalues() {
        let zeros = RealMatrix::zeros(4, 4).eigenvalues().unwrap();
        assert_eq!(zeros, vec![Complex64::ZERO; 4]);
        assert!(RealMatrix::zeros(0, 0).eigenvalues().unwrap().is_empty());
    }

    #[test]
    fn a_matrix_of_known_eigenvalues_has_them() {
        // Q T Q, T with blocks (3), (-2) and [[1, 2], [-2, 1]] (1 + 2i and 1 - 2i), and above them
        // any numbers; Q = 1 - 2 v v^T / |v|^2 with v = (1, 2, 3, 1), so |v|^2 = 15.
        let t = RealMatrix::from_rows(&[
            vec![3.0, 5.0, 1.0, -4.0],
            vec![0.0, -2.0, 2.0, 7.0],
            vec![0.0, 0.0, 1.0, 2.0],
            vec![0.0, 0.0, -2.0, 1.0],
        ])
        .unwrap();
        let v = [1.0, 2.0, 3.0, 1.0];
        let one = RealMatrix::identity(4);
        let q = RealMatrix::from_entries(4, 4, |i, j| one.entry(i, j) - 2.0 * v[i] * v[j] / 15.0);
        let found = q.times(&t).times(&q).eigenvalues().unwrap();
        let wanted = [(-2.0, 0.0), (1.0, -2.0), (1.0, 2.0), (3.0, 0.0)];
        let wanted = wanted.map(|(re, im)| Complex64::new(re, im));
        assert!(distance(&found, &wanted) < 1e-12, "{found:?}");
    }

    fn check(a: &RealMatrix) {
        let n = a.n_rows();
        let found = symmetric_eigen(a).unwrap();
        let size = 1.0 + a.entries().iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(found.values.windows(2).all(|w| w[0] >= w[1]));
        for i in 0..n {
            let v = found.vectors.row(i);
            for j in 0..n {
                let expected = f64::from(u8::from(i == j));
                assert!((dot(v, found.vectors.row(j)) - expected).abs() < 1e-12);
                let av = dot(a.row(j), v);
                assert!((av - found.values[i] * v[j]).abs() < 1e-12 * size * n as f64);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(50))]

        /// Orthonormal vectors with `A v = lambda v` are the spectrum; small ranks have many zeros.
        #[test]
        fn vectors_are_orthonormal_and_eigen(
            n in 1usize..13, rank in 1usize..13, entries in prop::collection::vec(-2.0..2.0f64, 144)
        ) {
            let rank = rank.min(n);
            let g = RealMatrix::of(n, rank, entries[..n * rank].to_vec());
            check(&g.times_transposed(&g));
        }
    }

    #[test]
    fn degenerate_symmetric_matrices_have_their_spectrum() {
        check(&RealMatrix::zeros(4, 4));
        check(&RealMatrix::identity(5).scaled(3.0));
        let all_ones = RealMatrix::from_entries(3, 3, |_, _| 1.0);
        check(&all_ones);
        assert!((symmetric_eigen(&all_ones).unwrap().values[0] - 3.0).abs() < 1e-14);
        let empty = symmetric_eigen(&RealMatrix::zeros(0, 0)).unwrap();
        assert!(empty.values.is_empty());
    }

    #[test]
    fn entries_that_are_not_finite_are_an_error() {
        let nan = RealMatrix::of(2, 2, vec![1.0, f64::NAN, f64::NAN, 1.0]);
        assert!(nan.eigenvalues().is_err());
        assert!(symmetric_eigen(&nan).is_err());
        assert!(nan.singular_values().is_err());
    }
}
