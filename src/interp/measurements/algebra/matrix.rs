//! A dense matrix of f64 in rows, with the products that the measurements need.
//! Products are candle's, so those of its `gemm` crate.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// Entries row after row, `[rows, columns]`.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub entries: Vec<f64>,
}

impl Matrix {
    pub(in super::super) fn zeros(rows: usize, columns: usize) -> Self {
        let entries = vec![0.0; rows * columns];
        Self {
            rows,
            columns,
            entries,
        }
    }

    /// A tensor of two axes, whatever its type and device.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of axes, [`Error::NotFiniteAt`] for an entry that is not
    /// finite.
    pub(in super::super) fn of_tensor(name: &str, tensor: &Tensor) -> Result<Self> {
        let [rows, columns] = *tensor.dims() else {
            return Err(Error::shape(name, "[rows, columns]", tensor.dims()));
        };
        let wide = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let entries = wide.flatten_all()?.to_vec1::<f64>()?;
        if let Some(at) = entries.iter().position(|v| !v.is_finite()) {
            return Err(Error::NotFiniteAt {
                what: name.to_owned(),
                value: entries[at],
                place: format!("row {}, column {}", at / columns, at % columns),
            });
        }
        Ok(Self {
            rows,
            columns,
            entries,
        })
    }

    /// The matrix in f32 on a device.
    pub(in super::super) fn to_tensor(&self, device: &Device) -> Result<Tensor> {
        let entries: Vec<f32> = self.entries.iter().map(|v| *v as f32).collect();
        Ok(Tensor::from_vec(
            entries,
            (self.rows, self.columns),
            device,
        )?)
    }

    pub(in super::super) fn row(&self, i: usize) -> &[f64] {
        &self.entries[i * self.columns..(i + 1) * self.columns]
    }

    pub(in super::super) fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.entries[i * self.columns..(i + 1) * self.columns]
    }

    /// The rows with these numbers, in this order.
    pub(in super::super) fn select(&self, rows: &[usize]) -> Self {
        Self {
            rows: rows.len(),
            columns: self.columns,
            entries: rows.iter().flat_map(|&i| self.row(i).to_vec()).collect(),
        }
    }

    /// The mean of the rows; zeros when there is none. `[columns]`
    pub(in super::super) fn mean_row(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.columns];
        for i in 0..self.rows {
            for (m, v) in mean.iter_mut().zip(self.row(i)) {
                *m += v / self.rows as f64;
            }
        }
        mean
    }

    fn wide(&self) -> Result<Tensor> {
        let shape = (self.rows, self.columns);
        Ok(Tensor::from_slice(&self.entries, shape, &Device::Cpu)?)
    }

    fn of_wide(tensor: &Tensor) -> Result<Self> {
        let (rows, columns) = tensor.dims2()?;
        let entries = tensor.flatten_all()?.to_vec1()?;
        Ok(Self {
            rows,
            columns,
            entries,
        })
    }

    /// `A B`.
    pub(in super::super) fn times(&self, other: &Self) -> Result<Self> {
        Self::of_wide(&self.wide()?.matmul(&other.wide()?)?)
    }

    /// `A B^T`.
    pub(in super::super) fn times_transposed(&self, other: &Self) -> Result<Self> {
        Self::of_wide(&self.wide()?.matmul(&other.wide()?.t()?)?)
    }

    /// `A^T B`.
    pub(in super::super) fn transposed_times(&self, other: &Self) -> Result<Self> {
        Self::of_wide(&self.wide()?.t()?.matmul(&other.wide()?)?)
    }
}

/// The sum of the products of two vectors.
pub(in super::super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_the_textbook_ones() {
        let a = Matrix {
            rows: 2,
            columns: 2,
            entries: vec![1.0, 2.0, 3.0, 4.0],
        };
        let b = Matrix {
            rows: 2,
            columns: 2,
            entries: vec![5.0, 6.0, 7.0, 8.0],
        };
        assert_eq!(a.times(&b).unwrap().entries, [19.0, 22.0, 43.0, 50.0]);
        let transposed = a.times_transposed(&b).unwrap();
        assert_eq!(transposed.entries, [17.0, 23.0, 39.0, 53.0]);
        let transposed = a.transposed_times(&b).unwrap();
        assert_eq!(transposed.entries, [26.0, 30.0, 38.0, 44.0]);
        assert_eq!(a.mean_row(), [2.0, 3.0]);
        assert_eq!(a.select(&[1]).entries, [3.0, 4.0]);
    }

    #[test]
    fn entries_that_are_not_finite_are_told_with_their_place() {
        let t = Tensor::new(&[[1f32, 2.0], [f32::NAN, 0.0]], &Device::Cpu).unwrap();
        let error = Matrix::of_tensor("activations", &t).unwrap_err();
        assert_eq!(error.to_string(), "activations is NaN at row 1, column 0");
    }
}
