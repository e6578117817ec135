//! Signed permutation matrices, the elements of the hyperoctahedral group BC_d, d <= 16.
//! Row i has its one entry `s_i = +-1` in column `c_i`: `(A x)_i = s_i x_{c_i}`.
//! Source: arXiv:1701.00304, whose notation "(1+ 4- 2+ 3-)" lists columns and signs row by row.

use crate::error::{Error, Result};
use crate::show::{Html, MimeBundle, Show, shows_itself};
use std::fmt;
use std::ops::Neg;
use std::str::FromStr;

/// Largest size: a column index must fit in four bits.
const MAX_D: usize = 16;

/// A signed permutation matrix of size at most 16, in 16 bytes.
///
/// ```
/// use holoscope::susy::SignedPermutation;
/// let l1: SignedPermutation = "(1+ 4- 2+ 3-)".parse()?;
/// assert_eq!(l1.entry(1, 3), -1);
/// assert_eq!(l1.compose(&l1.inverse())?, SignedPermutation::identity(4)?);
/// assert_eq!(l1.to_string(), "(1+ 4- 2+ 3-)");
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignedPermutation {
    d: u8,
    /// Bit i: row i carries a minus sign.
    minus: u16,
    /// Nibble i: the column of row i, counted from 0.
    columns: u64,
}

impl SignedPermutation {
    /// The identity of size `d`.
    ///
    /// # Errors
    /// `d` outside 1..=16.
    pub fn identity(d: usize) -> Result<Self> {
        let columns: Vec<usize> = (0..d).collect();
        Self::new(&columns, &vec![1; d])
    }

    /// From the column (counted from 0) and the sign (+1 or -1) of each row.
    ///
    /// # Errors
    /// A size outside 1..=16, columns that are not a permutation, signs other than +1 and -1.
    pub fn new(columns: &[usize], signs: &[i8]) -> Result<Self> {
        let d = columns.len();
        if d == 0 || d > MAX_D {
            return Err(Error::argument("d", d, "must be 1 to 16"));
        }
        if signs.len() != d {
            return Err(Error::shape("signs", [d], [signs.len()]));
        }
        let (mut packed, mut minus, mut seen) = (0u64, 0u16, 0u32);
        for (row, (&c, &s)) in columns.iter().zip(signs).enumerate() {
            if c >= d || seen & (1 << c) != 0 {
                return Err(Error::argument(
                    "columns",
                    format!("{columns:?}"),
                    format!("must hold each of 0 to {} once", d - 1),
                ));
            }
            seen |= 1 << c;
            packed |= (c as u64) << (4 * row);
            match s {
                1 => {}
                -1 => minus |= 1 << row,
                _ => return Err(Error::argument("sign", s, "must be +1 or -1")),
            }
        }
        Ok(Self {
            d: d as u8,
            minus,
            columns: packed,
        })
    }

    /// All `2^d d!` signed permutations of size `d`, in lexicographic order of columns, then signs.
    ///
    /// # Errors
    /// `d` outside 1..=6 (there are 645,120 of size 7).
    pub fn all(d: usize) -> Result<Vec<Self>> {
        if d == 0 || d > 6 {
            return Err(Error::argument("d", d, "must be 1 to 6 to list the group"));
        }
        let mut columns: Vec<Vec<usize>> = vec![Vec::new()];
        for _ in 0..d {
            columns = columns
                .iter()
                .flat_map(|head| {
                    (0..d)
                        .filter(|c| !head.contains(c))
                        .map(|c| [head.as_slice(), &[c]].concat())
                })
                .collect();
        }
        let mut all = Vec::with_capacity(columns.len() << d);
        for c in &columns {
            let plus = Self::new(c, &vec![1; d])?;
            all.extend((0..1u16 << d).map(|minus| Self { minus, ..plus }));
        }
        Ok(all)
    }

    /// Number of rows.
    pub fn d(&self) -> usize {
        self.d as usize
    }

    /// Column, counted from 0, of the entry of `row`, counted from 0; 0 beyond the last row.
    pub fn column(&self, row: usize) -> usize {
        if row < self.d() {
            (self.columns >> (4 * row) & 0xF) as usize
        } else {
            0
        }
    }

    /// Sign of the entry of `row`, counted from 0; 0 beyond the last row.
    pub fn sign(&self, row: usize) -> i8 {
        if row >= self.d() {
            0
        } else if self.minus >> row & 1 == 1 {
            -1
        } else {
            1
        }
    }

    /// The matrix entry at row and column, counted from 0: -1, 0 or +1; 0 outside the matrix.
    pub fn entry(&self, row: usize, column: usize) -> i8 {
        if self.column(row) == column {
            self.sign(row)
        } else {
            0
        }
    }

    /// The matrix product `self other`.
    ///
    /// # Errors
    /// Different sizes.
    pub fn compose(&self, other: &Self) -> Result<Self> {
        if self.d != other.d {
            return Err(Error::shape(
                "right factor",
                [self.d, self.d],
                [other.d, other.d],
            ));
        }
        Ok(self.times(other))
    }

    /// The product of two matrices that are known to have the same size.
    pub(super) fn times(&self, other: &Self) -> Self {
        let (mut columns, mut minus) = (0, 0);
        for row in 0..self.d() {
            let middle = self.column(row);
            columns |= (other.column(middle) as u64) << (4 * row);
            minus |= ((self.minus >> row ^ other.minus >> middle) & 1) << row;
        }
        Self {
            d: self.d,
            minus,
            columns,
        }
    }

    /// The inverse, which is the transpose.
    pub fn inverse(&self) -> Self {
        self.transpose()
    }

    /// The transpose, which is the inverse.
    pub fn transpose(&self) -> Self {
        let (mut columns, mut minus) = (0, 0);
        for row in 0..self.d() {
            let c = self.column(row);
            columns |= (row as u64) << (4 * c);
            minus |= (self.minus >> row & 1) << c;
        }
        Self {
            d: self.d,
            minus,
            columns,
        }
    }

    /// Sum of the diagonal entries.
    pub fn trace(&self) -> i64 {
        (0..self.d()).map(|i| i64::from(self.entry(i, i))).sum()
    }

    /// Determinant, +1 or -1.
    pub fn determinant(&self) -> i8 {
        let mut odd = self.minus.count_ones() % 2 == 1;
        for i in 0..self.d() {
            for j in 0..i {
                odd ^= self.column(j) > self.column(i);
            }
        }
        if odd { -1 } else { 1 }
    }

    /// Rows of the matrix, each of length d.
    pub fn to_dense(&self) -> Vec<Vec<i8>> {
        let d = self.d();
        (0..d)
            .map(|i| (0..d).map(|j| self.entry(i, j)).collect())
            .collect()
    }

    /// The Kronecker product `self x other`: row `i d' + k`, column `j d' + l` holds the product of
    /// the entries (i, j) and (k, l).
    ///
    /// # Errors
    /// A product larger than 16.
    pub fn kronecker(&self, other: &Self) -> Result<Self> {
        let (mut columns, mut signs) = (Vec::new(), Vec::new());
        for i in 0..self.d() {
            for k in 0..other.d() {
                columns.push(self.column(i) * other.d() + other.column(k));
                signs.push(self.sign(i) * other.sign(k));
            }
        }
        Self::new(&columns, &signs)
    }
}

impl Neg for SignedPermutation {
    type Output = Self;
    fn neg(self) -> Self {
        Self {
            minus: !self.minus & (u16::MAX >> (MAX_D - self.d())),
            ..self
        }
    }
}

impl fmt::Display for SignedPermutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<String> = (0..self.d())
            .map(|i| {
                let sign = if self.sign(i) < 0 { '-' } else { '+' };
                format!("{}{sign}", self.column(i) + 1)
            })
            .collect();
        f.pad(&format!("({})", rows.join(" ")))
    }
}

impl fmt::Debug for SignedPermutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for SignedPermutation {
    type Err = Error;

    /// Reads `(1+ 4- 2+ 3-)`: columns counted from 1, each followed by its sign.
    fn from_str(s: &str) -> Result<Self> {
        let bad = |reason: String| Error::argument("signed permutation", format!("{s:?}"), reason);
        let inner = s
            .trim()
            .strip_prefix('(')
            .and_then(|rest| rest.strip_suffix(')'))
            .ok_or_else(|| bad("must look like \"(1+ 4- 2+ 3-)\"".to_owned()))?;
        let (mut columns, mut signs) = (Vec::new(), Vec::new());
        for word in inner.split_whitespace() {
            let (digits, sign) = if let Some(w) = word.strip_suffix('+') {
                (w, 1)
            } else if let Some(w) = word.strip_suffix('-') {
                (w, -1)
            } else {
                return Err(bad(format!("{word:?} does not end in + or -")));
            };
            match digits.parse::<usize>() {
                Ok(c) if c >= 1 && digits.bytes().all(|b| b.is_ascii_digit()) => {
                    columns.push(c - 1)
                }
                _ => return Err(bad(format!("{digits:?} is not a column counted from 1"))),
            }
            signs.push(sign);
        }
        Self::new(&columns, &signs).map_err(|e| bad(e.to_string()))
    }
}

impl SignedPermutation {
    /// The matrix as a small table under a caption (HTML); blue +, red -, blank zeros.
    pub(super) fn html(&self, caption: &str) -> String {
        let mut out = format!(
            "<table style=\"display:inline-table;margin:4px 10px;border-collapse:collapse;\
             background:#fdfdfc;color:#1f2328\"><caption style=\"caption-side:top;color:inherit\">{caption}</caption>"
        );
        for row in 0..self.d() {
            out.push_str("<tr>");
            for column in 0..self.d() {
                let (fill, sign) = match self.entry(row, column) {
                    1 => ("#b9d4ff", "+1"),
                    -1 => ("#ffc9c2", "−1"),
                    _ => ("#fdfdfc", ""),
                };
                out.push_str(&format!(
                    "<td style=\"width:24px;height:20px;padding:2px;border:1px solid #d6d6d2;\
                     text-align:center;background:{fill};color:#1f2328\">{sign}</td>"
                ));
            }
            out.push_str("</tr>");
        }
        out.push_str("</table>");
        out
    }
}

shows_itself!(SignedPermutation);

impl Show for SignedPermutation {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Html::new(self.html(""), self.to_string()).mime_bundle()
    }
}
