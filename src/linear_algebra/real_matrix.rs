//! Dense real matrices in double precision, row by row.

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
    pub(super) entries: Vec<f64>,
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn entries_that_are_not_finite_are_told_with_their_place() {
        let t = Tensor::new(&[[1f32, 2.0], [f32::NAN, 0.0]], &Device::Cpu).unwrap();
        let error = RealMatrix::from_tensor("activations", &t).unwrap_err();
        assert_eq!(error.to_string(), "activations is NaN at row 1, column 0");
    }
}
