//! Dense complex matrices: the linear maps between component fields.
//! `(A B)_ij = sum over k of A_ik B_kj`; column spaces and null spaces by pivoted Gram-Schmidt.
//! Source: Golub and Van Loan, Matrix Computations, section 5.2 (orthogonalised twice).

use super::complex::written;
use crate::error::{Error, Result};
use crate::show::{Html, MimeBundle, Show, shows_itself};
use crate::susy::four_d::Complex;
use std::fmt;

/// What is left of a column, relative to the largest one, counts as zero below this.
const RANK_TOLERANCE: f64 = 1e-10;

/// A complex matrix, row by row.
///
/// ```
/// use holoscope::susy::four_d::{Complex, ComplexMatrix};
/// let one = ComplexMatrix::identity(2);
/// let swap = ComplexMatrix::from_rows(&[
///     vec![Complex::ZERO, Complex::I],
///     vec![-Complex::I, Complex::ZERO],
/// ])?;
/// assert_eq!(swap.product(&swap)?, one);
/// assert_eq!(one.sum(&swap)?.rank(), 1);
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ComplexMatrix {
    n_rows: usize,
    n_columns: usize,
    entries: Vec<Complex>,
}

impl ComplexMatrix {
    /// All entries 0.
    pub fn zeros(n_rows: usize, n_columns: usize) -> Self {
        Self {
            n_rows,
            n_columns,
            entries: vec![Complex::ZERO; n_rows * n_columns],
        }
    }

    /// The identity of size `n`.
    pub fn identity(n: usize) -> Self {
        Self::from_entries(n, n, |i, j| f64::from(u8::from(i == j)).into())
    }

    /// From rows of one length.
    ///
    /// # Errors
    /// Rows of different lengths.
    pub fn from_rows(rows: &[Vec<Complex>]) -> Result<Self> {
        let n_columns = rows.first().map_or(0, Vec::len);
        if let Some(other) = rows.iter().find(|r| r.len() != n_columns) {
            return Err(Error::shape("row", [n_columns], [other.len()]));
        }
        Ok(Self {
            n_rows: rows.len(),
            n_columns,
            entries: rows.concat(),
        })
    }

    /// The entry of row i and column j is `entry(i, j)`.
    pub(in crate::susy::four_d) fn from_entries(
        n_rows: usize,
        n_columns: usize,
        entry: impl Fn(usize, usize) -> Complex,
    ) -> Self {
        let mut out = Self::zeros(n_rows, n_columns);
        for i in 0..n_rows {
            for j in 0..n_columns {
                out.entries[i * n_columns + j] = entry(i, j);
            }
        }
        out
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// The entry of `row` and `column`, counted from 0; 0 outside the matrix.
    pub fn entry(&self, row: usize, column: usize) -> Complex {
        if row < self.n_rows && column < self.n_columns {
            self.entries[row * self.n_columns + column]
        } else {
            Complex::ZERO
        }
    }

    /// Adds to one entry, which must exist.
    pub(in crate::susy::four_d) fn add_to(&mut self, row: usize, column: usize, value: Complex) {
        let entry = &mut self.entries[row * self.n_columns + column];
        *entry += value;
    }

    /// Adds `block` with its first entry at (`row`, `column`); it must fit.
    pub(in crate::susy::four_d) fn add_block(&mut self, row: usize, column: usize, block: &Self) {
        for i in 0..block.n_rows {
            for j in 0..block.n_columns {
                self.add_to(row + i, column + j, block.entry(i, j));
            }
        }
    }

    /// The matrix product `self other`.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn product(&self, other: &Self) -> Result<Self> {
        if self.n_columns != other.n_rows {
            return Err(Error::shape(
                "right factor",
                (self.n_columns, "any"),
                (other.n_rows, other.n_columns),
            ));
        }
        Ok(self.times(other))
    }

    /// `self + other`.
    ///
    /// # Errors
    /// Different sizes.
    pub fn sum(&self, other: &Self) -> Result<Self> {
        self.require_size_of(other)?;
        Ok(self.plus(other))
    }

    /// `self - other`.
    ///
    /// # Errors
    /// Different sizes.
    pub fn difference(&self, other: &Self) -> Result<Self> {
        self.require_size_of(other)?;
        Ok(self.minus(other))
    }

    fn require_size_of(&self, other: &Self) -> Result<()> {
        let (a, b) = (
            (self.n_rows, self.n_columns),
            (other.n_rows, other.n_columns),
        );
        if a == b {
            Ok(())
        } else {
            Err(Error::shape("matrix", a, b))
        }
    }

    /// The product of matrices that are known to fit.
    pub(in crate::susy::four_d) fn times(&self, other: &Self) -> Self {
        let mut out = Self::zeros(self.n_rows, other.n_columns);
        for i in 0..self.n_rows {
            for k in 0..self.n_columns {
                let a = self.entry(i, k);
                // Most entries of the laws are zero.
                if a == Complex::ZERO {
                    continue;
                }
                for j in 0..other.n_columns {
                    out.add_to(i, j, a * other.entry(k, j));
                }
            }
        }
        out
    }

    /// The sum of matrices of one size.
    pub(in crate::susy::four_d) fn plus(&self, other: &Self) -> Self {
        Self::from_entries(self.n_rows, self.n_columns, |i, j| {
            self.entry(i, j) + other.entry(i, j)
        })
    }

    /// The difference of matrices of one size.
    pub(in crate::susy::four_d) fn minus(&self, other: &Self) -> Self {
        Self::from_entries(self.n_rows, self.n_columns, |i, j| {
            self.entry(i, j) - other.entry(i, j)
        })
    }

    /// Every entry times `factor`.
    pub fn scaled(&self, factor: impl Into<Complex>) -> Self {
        let factor = factor.into();
        let mut out = self.clone();
        out.entries.iter_mut().for_each(|z| *z = factor * *z);
        out
    }

    /// Rows become columns.
    pub fn transpose(&self) -> Self {
        Self::from_entries(self.n_columns, self.n_rows, |i, j| self.entry(j, i))
    }

    /// The conjugate transpose.
    pub fn adjoint(&self) -> Self {
        Self::from_entries(self.n_columns, self.n_rows, |i, j| self.entry(j, i).conj())
    }

    /// The Kronecker product: block (i, j) is `self_ij other`.
    pub fn kronecker(&self, other: &Self) -> Self {
        let mut out = Self::zeros(self.n_rows * other.n_rows, self.n_columns * other.n_columns);
        for i in 0..self.n_rows {
            for j in 0..self.n_columns {
                let block = other.scaled(self.entry(i, j));
                out.add_block(i * other.n_rows, j * other.n_columns, &block);
            }
        }
        out
    }

    /// `self` and `other` as the blocks of a diagonal.
    pub(in crate::susy::four_d) fn beside(&self, other: &Self) -> Self {
        let mut out = Self::zeros(self.n_rows + other.n_rows, self.n_columns + other.n_columns);
        out.add_block(0, 0, self);
        out.add_block(self.n_rows, self.n_columns, other);
        out
    }

    /// Sum of the squared sizes of all entries.
    pub fn norm_sqr(&self) -> f64 {
        self.entries.iter().map(|z| z.norm_sqr()).sum()
    }

    /// Sum over all entries of `conj(self) other`, for matrices of one size.
    pub(in crate::susy::four_d) fn overlap(&self, other: &Self) -> Complex {
        let pairs = self.entries.iter().zip(&other.entries);
        pairs.fold(Complex::ZERO, |sum, (a, b)| sum + a.conj() * *b)
    }

    /// Dimension of the space that the columns span, to ten digits.
    pub fn rank(&self) -> usize {
        self.column_space().n_columns
    }

    /// An orthonormal basis of the space that the columns span: `[n_rows, rank]`.
    pub fn column_space(&self) -> Self {
        let mut rest: Vec<Vec<Complex>> = (0..self.n_columns)
            .map(|j| (0..self.n_rows).map(|i| self.entry(i, j)).collect())
            .collect();
        let mut basis: Vec<Vec<Complex>> = Vec::new();
        let threshold = RANK_TOLERANCE * rest.iter().map(|v| length(v)).fold(0.0, f64::max);
        while let Some(pivot) = longest(&rest) {
            let size = length(&rest[pivot]);
            if size <= threshold {
                break;
            }
            let mut unit = rest.swap_remove(pivot);
            // A second pass removes what rounding left along the earlier vectors.
            basis.iter().for_each(|b| remove_along(b, &mut unit));
            let size = length(&unit);
            unit.iter_mut().for_each(|z| *z *= 1.0 / size);
            rest.iter_mut().for_each(|v| remove_along(&unit, v));
            basis.push(unit);
        }
        Self::from_entries(self.n_rows, basis.len(), |i, j| basis[j][i])
    }

    /// An orthonormal basis of the vectors that the matrix sends to 0: `[n_columns, nullity]`.
    pub fn null_space(&self) -> Self {
        let rows = self.adjoint().column_space();
        let projector = Self::identity(self.n_columns).minus(&rows.times(&rows.adjoint()));
        if rows.n_columns == self.n_columns {
            // The projector holds nothing but rounding.
            return Self::zeros(self.n_columns, 0);
        }
        projector.column_space()
    }
}

fn length(v: &[Complex]) -> f64 {
    v.iter().map(|z| z.norm_sqr()).sum::<f64>().sqrt()
}

fn longest(vectors: &[Vec<Complex>]) -> Option<usize> {
    (0..vectors.len()).max_by(|&i, &j| length(&vectors[i]).total_cmp(&length(&vectors[j])))
}

/// Subtracts from `v` its part along the unit vector `unit`.
fn remove_along(unit: &[Complex], v: &mut [Complex]) {
    let along = unit
        .iter()
        .zip(v.iter())
        .fold(Complex::ZERO, |sum, (u, z)| sum + u.conj() * *z);
    v.iter_mut().zip(unit).for_each(|(z, u)| *z -= along * *u);
}

impl fmt::Display for ComplexMatrix {
    /// One line a row, columns aligned.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.entries.iter().map(written).collect();
        let width = texts.iter().map(String::len).max().unwrap_or(0);
        for (i, row) in texts.chunks(self.n_columns.max(1)).enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            let cells: Vec<String> = row.iter().map(|t| format!("{t:>width$}")).collect();
            write!(f, "{}", cells.join(" "))?;
        }
        Ok(())
    }
}

impl ComplexMatrix {
    /// A small table under a caption (HTML); zeros are left blank.
    pub(in crate::susy::four_d) fn html(&self, caption: &str) -> String {
        let mut out = format!(
            "<table style=\"display:inline-table;margin:4px 10px;border-collapse:collapse;\
             background:#fdfdfc;color:#1f2328\"><caption style=\"caption-side:top;color:inherit\">{caption}</caption>"
        );
        for i in 0..self.n_rows {
            out.push_str("<tr>");
            for j in 0..self.n_columns {
                let z = self.entry(i, j);
                let text = if z == Complex::ZERO {
                    String::new()
                } else {
                    written(&z).replace('-', "−")
                };
                out.push_str(&format!(
                    "<td style=\"min-width:24px;height:20px;padding:2px;border:1px solid #d6d6d2;\
                     text-align:center;background:#fdfdfc;color:#1f2328\">{text}</td>"
                ));
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
        out
    }
}

shows_itself!(ComplexMatrix);

impl Show for ComplexMatrix {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Html::new(self.html(""), self.to_string()).mime_bundle()
    }
}
