//! Products of dense matrices, by the `gemm` crate, and of vectors.

use super::RealMatrix;
use crate::error::{Error, Result};

impl RealMatrix {
    /// The matrix product `self other`.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit.
    pub fn product(&self, other: &Self) -> Result<Self> {
        if self.n_columns() != other.n_rows() {
            let expected = format!("[{}, any]", self.n_columns());
            return Err(Error::shape("right factor", expected, other.shape()));
        }
        Ok(self.times(other))
    }

    /// `A B`, of matrices that are known to fit.
    pub(crate) fn times(&self, other: &Self) -> Self {
        product(Factor::of(self), Factor::of(other))
    }

    /// `A B^T`, of matrices that are known to fit.
    pub(crate) fn times_transposed(&self, other: &Self) -> Self {
        product(Factor::of(self), Factor::of(other).transposed())
    }

    /// `A^T B`, of matrices that are known to fit.
    pub(crate) fn transposed_times(&self, other: &Self) -> Self {
        product(Factor::of(self).transposed(), Factor::of(other))
    }

    /// `sum over i, j of A_ij B_ij`, the Frobenius product of matrices of one shape.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.shape(), other.shape(), "shapes of a product");
        dot(&self.entries, &other.entries)
    }
}

/// Multiplications from which a product uses all threads. Threads share rows and columns of the result, never a
/// sum, so that bits do not depend on their number.
const PARALLEL: usize = 1 << 22;

/// A matrix as it stands in a product.
#[derive(Clone, Copy)]
struct Factor<'a> {
    shape: [usize; 2],
    /// Entries from one row to the next, and from one column to the next.
    strides: [isize; 2],
    entries: &'a [f64],
}

impl<'a> Factor<'a> {
    fn of(matrix: &'a RealMatrix) -> Self {
        Self {
            shape: matrix.shape(),
            strides: [matrix.n_columns() as isize, 1],
            entries: &matrix.entries,
        }
    }

    fn transposed(self) -> Self {
        let [rows, columns] = self.shape;
        let [down, right] = self.strides;
        Self {
            shape: [columns, rows],
            strides: [right, down],
            ..self
        }
    }
}

fn product(a: Factor, b: Factor) -> RealMatrix {
    let ([m, k], [inner, n]) = (a.shape, b.shape);
    assert_eq!(k, inner, "inner dimensions");
    let mut out = RealMatrix::zeros(m, n);
    if m == 0 || n == 0 || k == 0 {
        return out;
    }
    let threads = match m.saturating_mul(k).saturating_mul(n) {
        0..PARALLEL => gemm::Parallelism::None,
        _ => gemm::Parallelism::Rayon(0),
    };
    // SAFETY: the three slices hold m k, k n and m n entries, which are exactly those that
    // the strides address; `out` is borrowed mutably, so it overlaps neither.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.entries.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.entries.as_ptr(),
            a.strides[1],
            a.strides[0],
            b.entries.as_ptr(),
            b.strides[1],
            b.strides[0],
            0.0f64,
            1.0f64,
            false,
            false,
            false,
            threads,
        );
    }
    out
}

/// `sum of a_i b_i`, in eight sums side by side, which vector instructions can hold; one sum would have
/// to wait for itself at every term.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (x, y) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let rest = a_rest.iter().zip(b_rest).map(|(x, y)| x * y);
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_is_row_by_column() {
        let a = RealMatrix::from_rows(&[vec![1.0, 2.0, 3.0], vec![0.0, -1.0, 4.0]]).unwrap();
        let b = RealMatrix::from_rows(&[vec![1.0], vec![10.0], vec![100.0]]).unwrap();
        assert_eq!(a.product(&b).unwrap().entries(), [321.0, 390.0]);
        let error = a.product(&a).unwrap_err().to_string();
        assert_eq!(
            error,
            "right factor has shape [2, 3], expected \"[3, any]\""
        );
    }

    #[test]
    fn transposed_factors_are_those_of_the_transpose() {
        let a = RealMatrix::of(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let b = RealMatrix::of(2, 2, vec![7.0, 8.0, 9.0, 10.0]);
        assert_eq!(a.transposed_times(&b), a.transpose().times(&b));
        assert_eq!(b.times_transposed(&b), b.times(&b.transpose()));
        assert_eq!(a.mean_row(), [2.5, 3.5, 4.5]);
        assert_eq!(a.select(&[1]).entries(), [4.0, 5.0, 6.0]);
    }

    #[test]
    fn a_product_on_all_threads_has_the_bits_of_a_product_on_one() {
        let n = 192;
        let a = RealMatrix::from_entries(n, n, |i, j| ((i * 7 + j * 3) % 11) as f64 / 7.0);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| a.times(&a))
        };
        assert!(n * n * n > PARALLEL);
        assert_eq!(on(1), on(3));
    }
}
