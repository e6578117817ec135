//! Eigenvalues of a small real square matrix, complex ones included.
//! Hessenberg form by reflections, then QR steps in complex arithmetic with Wilkinson's shift.
//! Source: Golub and Van Loan, Matrix Computations, sections 7.4 and 7.5.

use crate::error::{Error, Result};
use std::ops::{Add, Mul, Sub};

/// Steps allowed for one eigenvalue; two or three are usual.
const MAX_STEPS: usize = 200;

/// One eigenvalue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Eigenvalue {
    pub(super) re: f64,
    pub(super) im: f64,
}

impl Eigenvalue {
    pub(super) fn abs(self) -> f64 {
        self.re.hypot(self.im)
    }

    fn real(re: f64) -> Self {
        Self { re, im: 0.0 }
    }

    fn conj(self) -> Self {
        Self {
            im: -self.im,
            ..self
        }
    }

    fn over(self, x: f64) -> Self {
        Self {
            re: self.re / x,
            im: self.im / x,
        }
    }

    /// The root whose real part is not negative.
    fn sqrt(self) -> Self {
        let r = self.abs();
        Self {
            re: ((r + self.re) / 2.0).max(0.0).sqrt(),
            im: ((r - self.re) / 2.0).max(0.0).sqrt().copysign(self.im),
        }
    }
}

impl Add for Eigenvalue {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            im: self.im + other.im,
        }
    }
}

impl Sub for Eigenvalue {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            re: self.re - other.re,
            im: self.im - other.im,
        }
    }
}

impl Mul for Eigenvalue {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }
}

/// All eigenvalues, with their multiplicities, of a matrix `[n, n]` given row by row.
///
/// # Errors
/// [`Error::Shape`] for another number of elements; [`Error::Argument`] for an element that is not
/// finite, or if 200 steps do not separate an eigenvalue.
pub(super) fn eigenvalues(matrix: &[f64], n: usize) -> Result<Vec<Eigenvalue>> {
    if matrix.len() != n * n {
        return Err(Error::shape("the matrix", [n, n], [matrix.len()]));
    }
    if let Some(value) = matrix.iter().find(|x| !x.is_finite()) {
        let reason = "a matrix with such an element has no eigenvalues";
        return Err(Error::argument("the matrix", value, reason));
    }
    let mut h: Vec<Vec<Eigenvalue>> = hessenberg(matrix, n)
        .chunks(n.max(1))
        .map(|row| row.iter().map(|&x| Eigenvalue::real(x)).collect())
        .collect();
    let scale = matrix.iter().map(|x| x * x).sum::<f64>().sqrt();
    // The active block is rows and columns lo..=last.
    let (mut end, mut steps) = (n, 0);
    while end > 1 {
        let last = end - 1;
        let lo = (1..=last).rev().find(|&k| negligible(&h, k, scale));
        let lo = lo.unwrap_or(0);
        if lo == last {
            (end, steps) = (last, 0);
            continue;
        }
        steps += 1;
        if steps > MAX_STEPS {
            let reason = "the QR iteration did not converge";
            return Err(Error::argument("the matrix", format!("{end} left"), reason));
        }
        let shift = match steps % 10 {
            // A matrix that the usual shift leaves as it is.
            0 => h[last][last] + Eigenvalue::real(h[last][last - 1].abs()),
            _ => wilkinson_shift(&h, last),
        };
        qr_step(&mut h, lo, last, shift);
    }
    Ok((0..n).map(|i| h[i][i]).collect())
}

/// Whether the entry left of the diagonal in row `k` is zero beside its neighbours.
fn negligible(h: &[Vec<Eigenvalue>], k: usize, scale: f64) -> bool {
    let beside = h[k - 1][k - 1].abs() + h[k][k].abs();
    let beside = if beside == 0.0 { scale } else { beside };
    h[k][k - 1].abs() <= f64::EPSILON * beside
}

/// The eigenvalue of the last two rows and columns that is nearer to the last entry.
fn wilkinson_shift(h: &[Vec<Eigenvalue>], last: usize) -> Eigenvalue {
    let (a, b) = (h[last - 1][last - 1], h[last - 1][last]);
    let (c, d) = (h[last][last - 1], h[last][last]);
    let half = (a - d).over(2.0);
    let root = (half * half + b * c).sqrt();
    let mean = (a + d).over(2.0);
    let (plus, minus) = (mean + root, mean - root);
    match (plus - d).abs() < (minus - d).abs() {
        true => plus,
        false => minus,
    }
}

/// `H - s = Q R`, `H := R Q + s`, on rows and columns `lo..=last`.
fn qr_step(h: &mut [Vec<Eigenvalue>], lo: usize, last: usize, shift: Eigenvalue) {
    add_to_diagonal(&mut h[..=last], lo, Eigenvalue::real(0.0) - shift);
    let mut rotations = Vec::with_capacity(last - lo);
    for k in lo..last {
        let (a, b) = (h[k][k], h[k + 1][k]);
        let r = a.abs().hypot(b.abs());
        let (c, s) = match r == 0.0 {
            true => (Eigenvalue::real(1.0), Eigenvalue::real(0.0)),
            false => (a.over(r), b.over(r)),
        };
        let (above, below) = h.split_at_mut(k + 1);
        let pairs = above[k][k..=last].iter_mut().zip(&mut below[0][k..=last]);
        for (x, y) in pairs {
            (*x, *y) = (c.conj() * *x + s.conj() * *y, c * *y - s * *x);
        }
        rotations.push((c, s));
    }
    for (k, (c, s)) in (lo..last).zip(rotations) {
        for row in &mut h[lo..=k + 1] {
            let (x, y) = (row[k], row[k + 1]);
            row[k] = x * c + y * s;
            row[k + 1] = y * c.conj() - x * s.conj();
        }
    }
    add_to_diagonal(&mut h[..=last], lo, shift);
}

/// Adds `x` to the diagonal from row `lo` on.
fn add_to_diagonal(h: &mut [Vec<Eigenvalue>], lo: usize, x: Eigenvalue) {
    for (k, row) in h.iter_mut().enumerate().skip(lo) {
        row[k] = row[k] + x;
    }
}

/// An orthogonally similar matrix that is zero below its first subdiagonal, row by row.
fn hessenberg(matrix: &[f64], n: usize) -> Vec<f64> {
    let mut h = matrix.to_vec();
    for k in 0..n.saturating_sub(2) {
        // v = x - |x| e_1 with the sign that adds; the reflection is 1 - 2 v v^T / |v|^2.
        let mut v: Vec<f64> = (k + 1..n).map(|i| h[i * n + k]).collect();
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v[0] += norm.copysign(v[0]);
        let square: f64 = v.iter().map(|x| x * x).sum();
        if square == 0.0 {
            continue;
        }
        for j in 0..n {
            let dot: f64 = v.iter().zip(k + 1..).map(|(v, i)| v * h[i * n + j]).sum();
            for (v, i) in v.iter().zip(k + 1..) {
                h[i * n + j] -= 2.0 * dot / square * v;
            }
        }
        for row in h.chunks_mut(n) {
            let dot: f64 = v.iter().zip(&row[k + 1..]).map(|(v, x)| v * x).sum();
            for (v, x) in v.iter().zip(&mut row[k + 1..]) {
                *x -= 2.0 * dot / square * v;
            }
        }
        for i in k + 2..n {
            h[i * n + k] = 0.0;
        }
    }
    h
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sorted by real, then by imaginary part.
    fn sorted(matrix: &[f64], n: usize) -> Vec<(f64, f64)> {
        let found = eigenvalues(matrix, n).unwrap();
        let mut found: Vec<(f64, f64)> = found.into_iter().map(|e| (e.re, e.im)).collect();
        let rounded = |x: f64| (x * 1e6).round() + 0.0; // -0 becomes 0
        found.sort_by(|a, b| {
            rounded(a.0)
                .total_cmp(&rounded(b.0))
                .then(a.1.total_cmp(&b.1))
        });
        found
    }

    fn assert_are(matrix: &[f64], n: usize, wanted: &[(f64, f64)]) {
        let found = sorted(matrix, n);
        assert_eq!(found.len(), wanted.len());
        for (a, b) in found.iter().zip(wanted) {
            let off = (a.0 - b.0).hypot(a.1 - b.1);
            assert!(off < 1e-8, "{found:?} {wanted:?}");
        }
    }

    #[test]
    fn a_matrix_of_known_eigenvalues_has_them() {
        // Q T Q, T with blocks (3), (-2) and [[1, 2], [-2, 1]] (1 + 2i and 1 - 2i), and above them
        // any numbers; Q = 1 - 2 v v^T / |v|^2 with v = (1, 2, 3, 1), so |v|^2 = 15.
        let t = [
            [3.0, 5.0, 1.0, -4.0],
            [0.0, -2.0, 2.0, 7.0],
            [0.0, 0.0, 1.0, 2.0],
            [0.0, 0.0, -2.0, 1.0],
        ];
        let v = [1.0, 2.0, 3.0, 1.0];
        let q = |i: usize, j: usize| f64::from(u8::from(i == j)) - 2.0 * v[i] * v[j] / 15.0;
        let mut a = vec![0.0; 16];
        for (i, entry) in a.iter_mut().enumerate() {
            for (k, row) in t.iter().enumerate() {
                for (l, x) in row.iter().enumerate() {
                    *entry += q(i / 4, k) * x * q(l, i % 4);
                }
            }
        }
        assert_are(&a, 4, &[(-2.0, 0.0), (1.0, -2.0), (1.0, 2.0), (3.0, 0.0)]);
    }

    #[test]
    fn a_cycle_has_the_roots_of_unity() {
        // Wilkinson's shift alone leaves a cyclic permutation as it is.
        let mut cycle = vec![0.0; 16];
        for i in 0..4 {
            cycle[i * 4 + (i + 1) % 4] = 1.0;
        }
        assert_are(
            &cycle,
            4,
            &[(-1.0, 0.0), (0.0, -1.0), (0.0, 1.0), (1.0, 0.0)],
        );
    }

    #[test]
    fn small_and_degenerate_matrices_have_theirs() {
        assert_are(&[], 0, &[]);
        assert_are(&[-3.0], 1, &[(-3.0, 0.0)]);
        assert_are(&[0.0; 9], 3, &[(0.0, 0.0); 3]);
        assert_are(&[1.0; 9], 3, &[(0.0, 0.0), (0.0, 0.0), (3.0, 0.0)]);
        let swaps = [0.0, 1.0, 1.0, 0.0];
        assert_are(&swaps, 2, &[(-1.0, 0.0), (1.0, 0.0)]);
    }

    #[test]
    fn the_sum_of_many_is_the_trace() {
        let n = 40;
        let matrix: Vec<f64> = (0..n * n)
            .map(|i| ((i * i * 31 + i * 17) % 101) as f64 / 50.0 - 1.0)
            .collect();
        let found = eigenvalues(&matrix, n).unwrap();
        let trace: f64 = (0..n).map(|i| matrix[i * n + i]).sum();
        let square: f64 = (0..n * n)
            .map(|i| matrix[i] * matrix[i % n * n + i / n])
            .sum();
        let sum = found.iter().fold(Eigenvalue::real(0.0), |a, &b| a + b);
        let squares = found.iter().fold(Eigenvalue::real(0.0), |a, &b| a + b * b);
        assert!((sum.re - trace).abs() < 1e-9 && sum.im.abs() < 1e-9);
        assert!((squares.re - square).abs() < 1e-7 && squares.im.abs() < 1e-7);
    }

    #[test]
    fn what_is_no_square_matrix_of_numbers_is_refused() {
        assert!(eigenvalues(&[1.0, 2.0], 2).is_err());
        assert!(eigenvalues(&[f64::NAN], 1).is_err());
    }
}
