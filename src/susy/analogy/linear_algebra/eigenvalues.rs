//! Eigenvalues of a real square matrix: Hessenberg form, then Francis' double-shift QR steps.
//! Source: Golub and Van Loan, Matrix Computations, algorithms 7.4.2 and 7.5.1; EISPACK's `hqr`
//! (Martin, Peters and Wilkinson 1970) and LAPACK's `dlahqr` for the shifts.

use crate::error::{Error, Result};
use crate::susy::analogy::RealMatrix;
use crate::susy::four_d::Complex;

/// Steps allowed for one eigenvalue; LAPACK allows 30 for each, or 300 for a small matrix.
const MAX_STEPS: usize = 300;

impl RealMatrix {
    /// All eigenvalues with their multiplicities, conjugate pairs side by side.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square; [`Error::Argument`] if 300 steps do not
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

/// Sum and product of the two shifts: the eigenvalues of the last 2 x 2 block, if they are real twice
/// the one nearer to the last entry (Francis' own choice can go round in circles on real ones).
///
/// Every tenth step an exceptional shift breaks what cycles are left, from the first or the last rows
/// in turn, with `dlahqr`'s constants.
fn shifts(h: &RealMatrix, lo: usize, end: usize, step: usize) -> (f64, f64) {
    let m = end - 1;
    if step.is_multiple_of(10) {
        let (size, at) = if step.is_multiple_of(20) {
            (h.entry(m, m - 1).abs() + h.entry(m - 1, m - 2).abs(), m)
        } else {
            (
                h.entry(lo + 1, lo).abs() + h.entry(lo + 2, lo + 1).abs(),
                lo,
            )
        };
        let middle = h.entry(at, at) + 0.75 * size;
        return (2.0 * middle, middle * middle + 0.4375 * size * size);
    }
    let [first, second] = pair(h, m - 1);
    if first.im != 0.0 {
        return (first.re + second.re, first.norm_sqr());
    }
    let distance = |z: &Complex| (z.re - h.entry(m, m)).abs();
    let nearer = if distance(&first) < distance(&second) {
        first.re
    } else {
        second.re
    };
    (2.0 * nearer, nearer * nearer)
}

/// One implicit double-shift step on the block lo..end of at least three rows.
fn francis_step(h: &mut RealMatrix, lo: usize, end: usize, step: usize) {
    let (s, t) = shifts(h, lo, end, step);
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
            let sum = terms.iter().fold(Complex::ZERO, |s, z| s + *z);
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
                    .fold(Complex::ZERO, |s, z| s + *z);
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
