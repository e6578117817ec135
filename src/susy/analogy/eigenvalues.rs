//! Eigenvalues of a real square matrix: Hessenberg form, then Francis' double-shift QR steps.
//! Source: Golub and Van Loan, Matrix Computations, algorithms 7.4.2 and 7.5.1; EISPACK's `hqr`
//! (Martin, Peters and Wilkinson 1970) for the shifts and the deflation.

use super::RealMatrix;
use crate::error::{Error, Result};
use crate::susy::four_d::Complex;

/// Steps allowed for one eigenvalue, as in LAPACK.
const MAX_STEPS: usize = 60;

impl RealMatrix {
    /// All eigenvalues with their multiplicities, conjugate pairs side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square; [`Error::Argument`] if 60 steps do not
    /// separate an eigenvalue, which no matrix is known to need.
    pub fn eigenvalues(&self) -> Result<Vec<Complex>> {
        self.require_square("matrix")?;
        let mut h = hessenberg(self);
        let scale = self.norm_sqr().sqrt();
        let mut values = Vec::with_capacity(self.n_rows());
        // The active block is rows and columns lo..end.
        let mut end = self.n_rows();
        let mut steps = 0;
        while end > 0 {
            let lo = split(&mut h, end, scale);
            match end - lo {
                1 => values.push(Complex::from(h.entry(lo, lo))),
                2 => values.extend(pair(&h, lo)),
                _ => {
                    steps += 1;
                    if steps > MAX_STEPS {
                        let reason = "the QR iteration did not converge";
                        return Err(Error::argument("matrix", format!("{end} left"), reason));
                    }
                    francis_step(&mut h, lo, end, steps);
                    continue;
                }
            }
            end = lo;
            steps = 0;
        }
        Ok(values)
    }
}

/// An orthogonally similar matrix that is zero below its first subdiagonal.
fn hessenberg(a: &RealMatrix) -> RealMatrix {
    let n = a.n_rows();
    let mut h = a.clone();
    for k in 0..n.saturating_sub(2) {
        let x: Vec<f64> = (k + 1..n).map(|i| h.entry(i, k)).collect();
        if let Some((v, beta)) = householder(&x) {
            reflect_rows(&mut h, &v, beta, k + 1, k, n);
            reflect_columns(&mut h, &v, beta, k + 1, 0, n);
        }
        for i in k + 2..n {
            h.set(i, k, 0.0);
        }
    }
    h
}

/// v and beta of the reflection `1 - beta v v^T` that takes x to a multiple of the first axis;
/// none for x = 0.
fn householder(x: &[f64]) -> Option<(Vec<f64>, f64)> {
    let norm = x.iter().map(|a| a * a).sum::<f64>().sqrt();
    if norm == 0.0 {
        return None;
    }
    let mut v = x.to_vec();
    v[0] += norm.copysign(x[0]);
    let beta = 2.0 / v.iter().map(|a| a * a).sum::<f64>();
    Some((v, beta))
}

/// `H <- (1 - beta v v^T) H` on the rows from `first` and the columns `from..to`.
fn reflect_rows(h: &mut RealMatrix, v: &[f64], beta: f64, first: usize, from: usize, to: usize) {
    for j in from..to {
        let along: f64 = v.iter().zip(first..).map(|(x, i)| x * h.entry(i, j)).sum();
        for (x, i) in v.iter().zip(first..) {
            h.set(i, j, h.entry(i, j) - beta * along * x);
        }
    }
}

/// `H <- H (1 - beta v v^T)` on the columns from `first` and the rows `from..to`.
fn reflect_columns(h: &mut RealMatrix, v: &[f64], beta: f64, first: usize, from: usize, to: usize) {
    for i in from..to {
        let along: f64 = v.iter().zip(first..).map(|(x, j)| x * h.entry(i, j)).sum();
        for (x, j) in v.iter().zip(first..) {
            h.set(i, j, h.entry(i, j) - beta * along * x);
        }
    }
}

/// Where the last unreduced block before `end` begins; the negligible entry above it is cleared.
///
/// Negligible is relative to the whole matrix (backward stable by its norm). Relative to the
/// neighbouring diagonal, as in EISPACK, nothing would be for rotations by a quarter, whose diagonal
/// is rounding error.
fn split(h: &mut RealMatrix, end: usize, scale: f64) -> usize {
    for l in (1..end).rev() {
        if h.entry(l, l - 1).abs() <= f64::EPSILON * scale {
            h.set(l, l - 1, 0.0);
            return l;
        }
    }
    0
}

/// The two eigenvalues of the block at `lo`.
fn pair(h: &RealMatrix, lo: usize) -> [Complex; 2] {
    let (a, b) = (h.entry(lo, lo), h.entry(lo, lo + 1));
    let (c, d) = (h.entry(lo + 1, lo), h.entry(lo + 1, lo + 1));
    let (half, p) = ((a + d) / 2.0, (a - d) / 2.0);
    let discriminant = p * p + b * c;
    if discriminant < 0.0 {
        let im = (-discriminant).sqrt();
        return [Complex::new(half, im), Complex::new(half, -im)];
    }
    // Without cancellation: the larger root, then the smaller from p^2 + b c.
    let z = p + discriminant.sqrt().copysign(p);
    let first = d + z;
    let second = if z == 0.0 { first } else { d - b * c / z };
    [Complex::from(first), Complex::from(second)]
}

/// One implicit double-shift step on the block lo..end of at least three rows.
fn francis_step(h: &mut RealMatrix, lo: usize, end: usize, step: usize) {
    let m = end - 1;
    let (mut s, mut t) = (
        h.entry(m - 1, m - 1) + h.entry(m, m),
        h.entry(m - 1, m - 1) * h.entry(m, m) - h.entry(m - 1, m) * h.entry(m, m - 1),
    );
    if step.is_multiple_of(10) {
        // An exceptional shift breaks cycles, as in EISPACK.
        let w = h.entry(m, m - 1).abs() + h.entry(m - 1, m - 2).abs();
        (s, t) = (1.5 * w, w * w);
    }
    let (a, b) = (h.entry(lo, lo), h.entry(lo, lo + 1));
    let (c, d) = (h.entry(lo + 1, lo), h.entry(lo + 1, lo + 1));
    // The first column of (H - shift)(H - shift conjugate).
    let mut x = vec![
        a * a + b * c - s * a + t,
        c * (a + d - s),
        c * h.entry(lo + 2, lo + 1),
    ];
    for k in lo..end - 1 {
        let from = if k > lo { k - 1 } else { lo };
        if let Some((v, beta)) = householder(&x) {
            reflect_rows(h, &v, beta, k, from, end);
            reflect_columns(h, &v, beta, k, lo, end.min(k + 4));
        }
        if k > lo {
            for i in k + 1..(k + 3).min(end) {
                h.set(i, k - 1, 0.0);
            }
        }
        x = (k + 1..(k + 4).min(end)).map(|i| h.entry(i, k)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// The largest distance in a greedy matching of two spectra.
    fn distance(found: &[Complex], expected: &[Complex]) -> f64 {
        let mut left = expected.to_vec();
        let mut worst = 0.0f64;
        for z in found {
            let gap = |w: &Complex| (*z - *w).norm_sqr();
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
                    block.set(2 * p + i, 2 * p + j, value);
                }
                expected.extend([Complex::new(re, im), Complex::new(re, -im)]);
            }
            for i in 2 * pairs..n {
                block.set(i, i, numbers.entry(i, 0));
                expected.push(Complex::from(numbers.entry(i, 0)));
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
                let sum = terms.iter().fold(Complex::ZERO, |s, z| s + *z);
                let size: f64 = 1.0 + terms.iter().map(|z| z.norm_sqr().sqrt()).sum::<f64>();
                prop_assert!((sum.re - power.trace()).abs() < 1e-11 * size);
                prop_assert!(sum.im.abs() < 1e-11 * size);
                power = power.times(&a);
                terms = terms.iter().zip(&values).map(|(z, w)| *z * *w).collect();
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
                .map(|im| vec![Complex::new(0.0, im); n / 2])
                .concat();
            assert!(distance(&exact, &i) < 1e-12, "{seed}");
            for noise in [1e-12, 1e-6, 1e-3, 0.1, 1.0] {
                let near = j.plus(noise, &RealMatrix::gaussian(n, n, &mut rng));
                let sum = near
                    .eigenvalues()
                    .unwrap()
                    .iter()
                    .fold(Complex::ZERO, |s, z| s + *z);
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
        let roots: Vec<Complex> = (0..n)
            .map(|k| (std::f64::consts::TAU * k as f64 / n as f64).sin_cos())
            .map(|(sin, cos)| Complex::new(cos, sin))
            .collect();
        assert!(distance(&a.eigenvalues().unwrap(), &roots) < 1e-13);
        assert!(RealMatrix::zeros(2, 3).eigenvalues().is_err());
    }

    #[test]
    fn a_zero_matrix_and_an_empty_one_have_their_eigenvalues() {
        let zeros = RealMatrix::zeros(4, 4).eigenvalues().unwrap();
        assert_eq!(zeros, vec![Complex::ZERO; 4]);
        assert!(RealMatrix::zeros(0, 0).eigenvalues().unwrap().is_empty());
    }
}
