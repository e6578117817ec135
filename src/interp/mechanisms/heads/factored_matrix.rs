//! A product of two thin matrices that is never multiplied out.
//! `|A B|_F^2 = sum (A^T A) * (B B^T)`, `tr A B = tr B A`, element by element and `[rank, rank]`.
//! Source: TransformerLens' `FactoredMatrix`.

use crate::error::{Error, Result};
use crate::interp::mechanisms::input::{elements, plain};
use candle_core::Tensor;

/// `A B` with `A` `[rows, rank]` and `B` `[rank, columns]`, f32 on the CPU.
#[derive(Debug, Clone)]
pub struct FactoredMatrix {
    a: Tensor,
    b: Tensor,
}

impl FactoredMatrix {
    /// The product of `a` `[rows, rank]` and `b` `[rank, columns]`.
    ///
    /// ```
    /// use holoscope::interp::FactoredMatrix;
    /// use candle_core::{Device, Tensor};
    /// let a = Tensor::new(&[[1f32], [2.0]], &Device::Cpu)?;
    /// let b = Tensor::new(&[[3f32, 4.0]], &Device::Cpu)?;
    /// let ab = FactoredMatrix::new(&a, &b)?;
    /// assert_eq!(ab.product()?.to_vec2::<f32>()?, [[3.0, 4.0], [6.0, 8.0]]);
    /// assert!((ab.norm()? - 125f64.sqrt()).abs() < 1e-6);
    /// assert_eq!(ab.trace()?, 11.0);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] for factors that are no matrices or do not fit together.
    pub fn new(a: &Tensor, b: &Tensor) -> Result<Self> {
        let inner = match a.dims() {
            [_, inner] => *inner,
            found => return Err(Error::shape("the left factor", "[rows, rank]", found)),
        };
        match b.dims() {
            [rank, _] if *rank == inner => {}
            found => {
                let wanted = format!("[{inner}, columns]");
                return Err(Error::shape("the right factor", wanted, found));
            }
        }
        Ok(Self {
            a: plain(a)?,
            b: plain(b)?,
        })
    }

    /// The left factor, `[rows, rank]`.
    pub fn a(&self) -> Tensor {
        self.a.clone()
    }

    /// The right factor, `[rank, columns]`.
    pub fn b(&self) -> Tensor {
        self.b.clone()
    }

    /// The matrix itself, `[rows, columns]`.
    ///
    /// # Errors
    /// [`Error::Candle`].
    pub fn product(&self) -> Result<Tensor> {
        Ok(self.a.matmul(&self.b)?)
    }

    /// `B A`, `[rank, rank]`, of a square matrix `A B`: both have the same eigenvalues but for zeros.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square.
    pub fn core(&self) -> Result<Tensor> {
        let (rows, columns) = (self.a.dim(0)?, self.b.dim(1)?);
        if rows != columns {
            let found = [rows, columns];
            return Err(Error::shape("the matrix", "as many rows as columns", found));
        }
        Ok(self.b.matmul(&self.a)?)
    }

    /// The sum of the diagonal, which is the sum of the eigenvalues.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is not square.
    pub fn trace(&self) -> Result<f64> {
        let core = self.core()?;
        let step = core.dim(0)? + 1;
        let diagonal = elements(&core)?.into_iter().step_by(step);
        Ok(diagonal.map(f64::from).sum())
    }

    /// The Frobenius norm: the root of the sum of the squares of all entries.
    ///
    /// # Errors
    /// [`Error::Candle`].
    pub fn norm(&self) -> Result<f64> {
        let left = elements(&self.a.t()?.matmul(&self.a)?)?; // [rank, rank]
        let right = elements(&self.b.matmul(&self.b.t()?)?)?; // [rank, rank], symmetric
        let pairs = left.iter().zip(&right);
        let square: f64 = pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
        // Rounding can leave a zero matrix at -1e-20; NaN stays NaN.
        Ok(if square < 0.0 { 0.0 } else { square.sqrt() })
    }

    /// The transpose, `B^T A^T`.
    ///
    /// # Errors
    /// [`Error::Candle`].
    pub fn transpose(&self) -> Result<Self> {
        Self::new(&self.b.t()?, &self.a.t()?)
    }

    /// The product with another, `(A B) (A' B')`, with the smaller of the two ranks.
    ///
    /// # Errors
    /// [`Error::Shape`] where the columns of this are not as many as the other's rows.
    pub fn then(&self, other: &Self) -> Result<Self> {
        let (columns, rows) = (self.b.dim(1)?, other.a.dim(0)?);
        if columns != rows {
            let wanted = format!("{columns} rows");
            return Err(Error::shape(
                "the second matrix",
                wanted,
                [rows, other.b.dim(1)?],
            ));
        }
        let middle = self.b.matmul(&other.a)?; // [rank, rank']
        match middle.dim(0)? <= middle.dim(1)? {
            true => Self::new(&self.a, &middle.matmul(&other.b)?),
            false => Self::new(&self.a.matmul(&middle)?, &other.b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn matrix(rows: usize, columns: usize, seed: u32) -> Tensor {
        // Small integers in no order: every sum below is exact.
        let values: Vec<f32> = (0..(rows * columns) as u32)
            .map(|i| ((i * 7 + seed * 3) * (i + seed) % 11) as f32 - 5.0)
            .collect();
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    fn full(m: &FactoredMatrix) -> Vec<Vec<f32>> {
        m.product().unwrap().to_vec2().unwrap()
    }

    #[test]
    fn norm_trace_and_products_are_those_of_the_matrix_itself() {
        let m = FactoredMatrix::new(&matrix(5, 2, 1), &matrix(2, 5, 2)).unwrap();
        let rows = full(&m);
        let square: f32 = rows.iter().flatten().map(|x| x * x).sum();
        assert!((m.norm().unwrap() - f64::from(square).sqrt()).abs() < 1e-4);
        let trace: f32 = (0..5).map(|i| rows[i][i]).sum();
        assert_eq!(m.trace().unwrap(), f64::from(trace));
        assert_eq!(m.core().unwrap().dims(), [2, 2]);
        assert_eq!(full(&m.transpose().unwrap())[3][1], rows[1][3]);
        for rank in [1, 3] {
            let other = FactoredMatrix::new(&matrix(5, rank, 3), &matrix(rank, 4, 4)).unwrap();
            let both = m.then(&other).unwrap();
            assert_eq!(both.a().dim(1).unwrap(), rank.min(2));
            let second = full(&other);
            let entry: f32 = (0..5).map(|k| rows[2][k] * second[k][3]).sum();
            assert_eq!(full(&both)[2][3], entry);
        }
    }

    #[test]
    fn factors_that_do_not_fit_are_refused() {
        let (a, b) = (matrix(5, 2, 1), matrix(3, 5, 2));
        assert!(FactoredMatrix::new(&a, &b).is_err());
        assert!(FactoredMatrix::new(&a.flatten_all().unwrap(), &b).is_err());
        let m = FactoredMatrix::new(&a, &matrix(2, 4, 1)).unwrap();
        assert!(m.trace().is_err() && m.then(&m).is_err());
    }
}
