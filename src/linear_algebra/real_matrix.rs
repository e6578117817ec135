//! Dense real matrices in double precision, row by row, and their products by the `gemm` crate.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// A real matrix, row by row.
///
/// ```
/// use holoscope::susy::analogy::RealMatrix;
/// let turn = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![-1.0, 0.0]])?;
/// assert_eq!(turn.product(&turn)?, RealMatrix::identity(2).scaled(-1.0));
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RealMatrix {
    n_rows: usize,
    n_columns: usize,
    entries: Vec<f64>,
}

impl RealMatrix {
    /// All entries 0.
    pub fn zeros(n_rows: usize, n_columns: usize) -> Self {
        Self {
            n_rows,
            n_columns,
            entries: vec![0.0; n_rows * n_columns],
        }
    }

    /// The identity of size `n`.
    pub fn identity(n: usize) -> Self {
        Self::from_entries(n, n, |i, j| f64::from(u8::from(i == j)))
    }

    /// The entry of row i and column j is `entry(i, j)`; rows are filled one after the other.
    pub fn from_entries(
        n_rows: usize,
        n_columns: usize,
        mut entry: impl FnMut(usize, usize) -> f64,
    ) -> Self {
        let mut entries = Vec::with_capacity(n_rows * n_columns);
        for i in 0..n_rows {
            entries.extend((0..n_columns).map(|j| entry(i, j)));
        }
        Self {
            n_rows,
            n_columns,
            entries,
        }
    }

    /// From rows of one length.
    ///
    /// # Errors
    /// Rows of different lengths, an entry that is not finite.
    pub fn from_rows(rows: &[Vec<f64>]) -> Result<Self> {
        let n_columns = rows.first().map_or(0, Vec::len);
        if let Some(other) = rows.iter().find(|r| r.len() != n_columns) {
            return Err(Error::shape("row", [n_columns], [other.len()]));
        }
        Self {
            n_rows: rows.len(),
            n_columns,
            entries: rows.concat(),
        }
        .finite("matrix")
    }

    /// From a candle tensor of two axes, of any float type, on any device.
    ///
    /// `name` is what an error calls it.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of axes, [`Error::NotFiniteAt`] for an entry that is not
    /// finite.
    pub fn from_tensor(name: &str, tensor: &Tensor) -> Result<Self> {
        let [n_rows, n_columns] = tensor.dims() else {
            return Err(Error::shape(name, "[rows, columns]", tensor.dims()));
        };
        let (n_rows, n_columns) = (*n_rows, *n_columns);
        let entries = tensor
            .to_device(&Device::Cpu)?
            .to_dtype(DType::F64)?
            .contiguous()?
            .flatten_all()?
            .to_vec1::<f64>()?;
        Self {
            n_rows,
            n_columns,
            entries,
        }
        .finite(name)
    }

    fn finite(self, name: &str) -> Result<Self> {
        self.require_finite(name)?;
        Ok(self)
    }

    pub(super) fn require_finite(&self, name: &str) -> Result<()> {
        match self.entries.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(at) => Err(Error::NotFiniteAt {
                what: name.to_owned(),
                value: self.entries[at],
                place: format!(
                    "row {}, column {}",
                    at / self.n_columns,
                    at % self.n_columns
                ),
            }),
        }
    }

    /// From entries row by row, which must be `n_rows * n_columns`.
    pub(crate) fn of(n_rows: usize, n_columns: usize, entries: Vec<f64>) -> Self {
        assert_eq!(entries.len(), n_rows * n_columns, "entries of a matrix");
        Self {
            n_rows,
            n_columns,
            entries,
        }
    }

    /// The matrix in f32 on a device.
    pub(crate) fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let entries: Vec<f32> = self.entries.iter().map(|v| *v as f32).collect();
        Ok(Tensor::from_vec(entries, self.shape().as_slice(), device)?)
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// `[rows, columns]`.
    pub fn shape(&self) -> [usize; 2] {
        [self.n_rows, self.n_columns]
    }

    /// The entry of `row` and `column`, counted from 0; 0 outside the matrix.
    pub fn entry(&self, row: usize, column: usize) -> f64 {
        if row < self.n_rows && column < self.n_columns {
            self.entries[row * self.n_columns + column]
        } else {
            0.0
        }
    }

    /// The entries, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// A row, counted from 0.
    pub(crate) fn row(&self, row: usize) -> &[f64] {
        &self.entries[row * self.n_columns..(row + 1) * self.n_columns]
    }

    pub(crate) fn row_mut(&mut self, row: usize) -> &mut [f64] {
        &mut self.entries[row * self.n_columns..(row + 1) * self.n_columns]
    }

    pub(crate) fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// The rows with these numbers, in this order.
    pub(crate) fn select(&self, rows: &[usize]) -> Self {
        let entries = rows.iter().flat_map(|&i| self.row(i).to_vec()).collect();
        Self::of(rows.len(), self.n_columns, entries)
    }

    /// The mean of the rows; zeros when there is none. `[columns]`
    pub(crate) fn mean_row(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.n_columns];
        for i in 0..self.n_rows {
            for (m, v) in mean.iter_mut().zip(self.row(i)) {
                *m += v / self.n_rows as f64;
            }
        }
        mean
    }

    /// The matrix product `self other`.
    ///
    /// # Errors
    /// [`Error::Shape`] for sizes that do not fit.
    pub fn product(&self, other: &Self) -> Result<Self> {
        if self.n_columns != other.n_rows {
            let expected = format!("[{}, any]", self.n_columns);
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

    /// The transpose.
    pub fn transpose(&self) -> Self {
        Self::from_entries(self.n_columns, self.n_rows, |i, j| self.entry(j, i))
    }

    /// `factor` times the matrix.
    pub fn scaled(&self, factor: f64) -> Self {
        let mut out = self.clone();
        out.entries.iter_mut().for_each(|x| *x *= factor);
        out
    }

    /// `self + factor other`, of matrices that are known to have one shape.
    pub(crate) fn plus(&self, factor: f64, other: &Self) -> Self {
        assert_eq!(self.shape(), other.shape(), "shapes of a sum");
        let mut out = self.clone();
        for (x, y) in out.entries.iter_mut().zip(&other.entries) {
            *x += factor * y;
        }
        out
    }

    /// Column j times `factors[j]`.
    pub(crate) fn scaled_columns(&self, factors: &[f64]) -> Self {
        Self::from_entries(self.n_rows, self.n_columns, |i, j| {
            self.entry(i, j) * factors[j]
        })
    }

    /// Column j of the result is column `order[j]` of this one.
    pub(crate) fn permuted_columns(&self, order: &[usize]) -> Self {
        Self::from_entries(self.n_rows, order.len(), |i, j| self.entry(i, order[j]))
    }

    /// Lengths of the columns.
    pub(crate) fn column_norms(&self) -> Vec<f64> {
        let mut squares = vec![0.0; self.n_columns];
        for row in self.entries.chunks_exact(self.n_columns.max(1)) {
            for (sum, x) in squares.iter_mut().zip(row) {
                *sum += x * x;
            }
        }
        squares.into_iter().map(f64::sqrt).collect()
    }

    /// `sum over i, j of A_ij B_ij`, the Frobenius product of matrices of one shape.
    pub(crate) fn dot(&self, other: &Self) -> f64 {
        assert_eq!(self.shape(), other.shape(), "shapes of a product");
        dot(&self.entries, &other.entries)
    }

    /// The Frobenius norm, squared.
    pub fn norm_sqr(&self) -> f64 {
        self.dot(self)
    }

    /// Sum of the diagonal entries.
    pub fn trace(&self) -> f64 {
        (0..self.n_rows.min(self.n_columns))
            .map(|i| self.entry(i, i))
            .sum()
    }

    /// `(A - A^T)/2` of a square matrix.
    pub(crate) fn antisymmetric_part(&self) -> Self {
        self.plus(-1.0, &self.transpose()).scaled(0.5)
    }

    /// `A x 1_m`: every entry becomes that multiple of the identity of size `m`.
    pub fn kronecker_identity(&self, m: usize) -> Self {
        let (rows, columns) = (self.n_rows * m, self.n_columns * m);
        Self::from_entries(rows, columns, |i, j| {
            if i % m == j % m {
                self.entry(i / m, j / m)
            } else {
                0.0
            }
        })
    }

    /// An error unless the matrix is square.
    pub(crate) fn require_square(&self, name: &str) -> Result<()> {
        if self.n_rows == self.n_columns {
            return Ok(());
        }
        let expected = [self.n_rows, self.n_rows];
        Err(Error::shape(name, expected, self.shape()))
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
            strides: [matrix.n_columns as isize, 1],
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
    fn tensors_of_two_axes_and_finite_entries_only() {
        let good = Tensor::new(&[[1f32, 2.0], [3.0, 4.5]], &Device::Cpu).unwrap();
        let matrix = RealMatrix::from_tensor("W", &good.t().unwrap()).unwrap();
        assert_eq!(matrix.entries(), [1.0, 3.0, 2.0, 4.5]);
        let flat = good.flatten_all().unwrap();
        let error = RealMatrix::from_tensor("W", &flat).unwrap_err().to_string();
        assert!(error.starts_with("W has shape [4]"), "{error}");
        let bad = Tensor::new(&[[f32::NAN]], &Device::Cpu).unwrap();
        assert!(RealMatrix::from_tensor("W", &bad).is_err());
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

    #[test]
    fn entries_that_are_not_finite_are_told_with_their_place() {
        let t = Tensor::new(&[[1f32, 2.0], [f32::NAN, 0.0]], &Device::Cpu).unwrap();
        let error = RealMatrix::from_tensor("activations", &t).unwrap_err();
        assert_eq!(error.to_string(), "activations is NaN at row 1, column 0");
    }
}
