//! Eigenvalues and eigenvectors of a real symmetric matrix: Householder's tridiagonal form, then
//! implicit QL steps. Source: Bowdler, Martin, Reinsch and Wilkinson 1968, EISPACK's `tred2` and `tql2`.

use super::matrix::{Matrix, dot};
use crate::error::{Error, Result};

/// Steps allowed for one eigenvalue; EISPACK allows 30.
const MAX_STEPS: usize = 60;

/// The spectrum, the largest eigenvalue first.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct SymmetricEigen {
    /// `[n]`
    pub values: Vec<f64>,
    /// One row an eigenvector, orthonormal. `[n, n]`
    pub vectors: Matrix,
}

/// The spectrum of a symmetric matrix, of which only the lower triangle is read.
///
/// # Errors
/// [`Error::Argument`] if an eigenvalue does not converge, which only entries that are not finite do.
pub(in super::super) fn symmetric_eigen(a: &Matrix) -> Result<SymmetricEigen> {
    let n = a.rows;
    let (mut d, mut e, mut z) = tridiagonal(a);
    // Row i of `z` is the i-th basis vector in the tridiagonal form's basis: rotations of its columns.
    // Transposed, they are rotations of rows, which are contiguous.
    z = transposed(&z);
    implicit_ql(&mut d, &mut e, &mut z)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| d[j].total_cmp(&d[i]));
    Ok(SymmetricEigen {
        values: order.iter().map(|&i| d[i]).collect(),
        vectors: z.select(&order),
    })
}

fn transposed(a: &Matrix) -> Matrix {
    let mut t = Matrix::zeros(a.columns, a.rows);
    for i in 0..a.rows {
        for (j, v) in a.row(i).iter().enumerate() {
            t.row_mut(j)[i] = *v;
        }
    }
    t
}

/// Diagonal, subdiagonal (entry i couples i - 1 and i) and the orthogonal Q of `A = Q T Q^T`.
fn tridiagonal(a: &Matrix) -> (Vec<f64>, Vec<f64>, Matrix) {
    let n = a.rows;
    let mut t = a.clone();
    for i in 0..n {
        for j in 0..i {
            t.row_mut(j)[i] = a.row(i)[j];
        }
    }
    let mut reflections = Vec::new();
    for k in 0..n.saturating_sub(2) {
        // Takes column k below the diagonal to a multiple of its first entry.
        let mut v = vec![0.0; n];
        v[k + 1..].copy_from_slice(&t.row(k)[k + 1..]);
        let norm = dot(&v, &v).sqrt();
        if dot(&v[k + 2..], &v[k + 2..]) == 0.0 {
            continue;
        }
        v[k + 1] += norm.copysign(v[k + 1]);
        let beta = 2.0 / dot(&v, &v);
        // T <- H T H = T - v w^T - w v^T, w = beta (T v - (beta / 2) (v . T v) v).
        let tv: Vec<f64> = (0..n)
            .map(|i| dot(&t.row(i)[k + 1..], &v[k + 1..]))
            .collect();
        let half = beta * dot(&v, &tv) / 2.0;
        let w: Vec<f64> = tv
            .iter()
            .zip(&v)
            .map(|(p, x)| beta * (p - half * x))
            .collect();
        for i in 0..n {
            let (vi, wi) = (v[i], w[i]);
            for ((entry, vj), wj) in t.row_mut(i).iter_mut().zip(&v).zip(&w) {
                *entry -= vi * wj + wi * vj;
            }
        }
        reflections.push((v, beta));
    }
    let mut q = Matrix::zeros(n, n);
    (0..n).for_each(|i| q.row_mut(i)[i] = 1.0);
    for (v, beta) in &reflections {
        for i in 0..n {
            let along = beta * dot(q.row(i), v);
            for (entry, x) in q.row_mut(i).iter_mut().zip(v) {
                *entry -= along * x;
            }
        }
    }
    let d = (0..n).map(|i| t.row(i)[i]).collect();
    let e = (0..n)
        .map(|i| if i == 0 { 0.0 } else { t.row(i)[i - 1] })
        .collect();
    (d, e, q)
}

/// Diagonalises the tridiagonal matrix (d, e) and applies the rotations to the rows of `z`.
fn implicit_ql(d: &mut [f64], e: &mut [f64], z: &mut Matrix) -> Result<()> {
    let n = d.len();
    if n == 0 {
        return Ok(());
    }
    e.rotate_left(1);
    e[n - 1] = 0.0;
    for l in 0..n {
        for step in 0.. {
            // The first negligible coupling from l on.
            let m = (l..n - 1)
                .find(|&m| e[m].abs() <= f64::EPSILON * (d[m].abs() + d[m + 1].abs()))
                .unwrap_or(n - 1);
            if m == l {
                break;
            }
            if step == MAX_STEPS || !d[l].is_finite() {
                let reason = "the QL iteration did not converge";
                return Err(Error::argument("matrix", format!("eigenvalue {l}"), reason));
            }
            ql_step(d, e, z, l, m);
        }
    }
    Ok(())
}

/// One implicit step on the block l..=m.
fn ql_step(d: &mut [f64], e: &mut [f64], z: &mut Matrix, l: usize, m: usize) {
    let g = (d[l + 1] - d[l]) / (2.0 * e[l]);
    let r = g.hypot(1.0);
    let mut g = d[m] - d[l] + e[l] / (g + r.copysign(g));
    let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
    for i in (l..m).rev() {
        let (f, b) = (s * e[i], c * e[i]);
        let r = f.hypot(g);
        e[i + 1] = r;
        if r == 0.0 {
            // The block falls apart here.
            d[i + 1] -= p;
            e[m] = 0.0;
            return;
        }
        (s, c) = (f / r, g / r);
        g = d[i + 1] - p;
        let r = (d[i] - g) * s + 2.0 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        let columns = z.columns;
        let (first, second) = z.entries.split_at_mut((i + 1) * columns);
        for (x, y) in first[i * columns..].iter_mut().zip(&mut second[..columns]) {
            (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
        }
    }
    d[l] -= p;
    e[l] = g;
    e[m] = 0.0;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(a: &Matrix) {
        let n = a.rows;
        let found = symmetric_eigen(a).unwrap();
        let size = 1.0 + a.entries.iter().fold(0.0f64, |m, v| m.max(v.abs()));
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
            let g = Matrix { rows: n, columns: rank, entries: entries[..n * rank].to_vec() };
            check(&g.times_transposed(&g).unwrap());
        }
    }

    #[test]
    fn degenerate_matrices_are_no_exception() {
        check(&Matrix::zeros(4, 4));
        let mut identity = Matrix::zeros(5, 5);
        (0..5).for_each(|i| identity.row_mut(i)[i] = 3.0);
        check(&identity);
        let all_ones = Matrix {
            rows: 3,
            columns: 3,
            entries: vec![1.0; 9],
        };
        check(&all_ones);
        assert!((symmetric_eigen(&all_ones).unwrap().values[0] - 3.0).abs() < 1e-14);
        assert!(
            symmetric_eigen(&Matrix::zeros(0, 0))
                .unwrap()
                .values
                .is_empty()
        );
    }
}
