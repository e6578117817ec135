//! Cosines between the rows of two matrices, in f32 and block after block.
//! `cos(a, b) = a . b / (|a| |b|)`; a row of length 0 has the cosine 0 with everything.
//! Source: SAEBench's average maximum cosine similarity of decoder and encoder.

use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// Rows of one block: bounds the memory of `[BLOCK, n]`.
const BLOCK: usize = 256;

/// Of each row of A the largest cosine with a row of B, and which row that is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct MaxCosines {
    /// NaN where B has no (other) row. `[rows of A]`
    pub cosine: Vec<f64>,
    /// `[rows of A]`
    pub at: Vec<usize>,
}

impl MaxCosines {
    /// Mean of the cosines; NaN when there is none.
    pub(super) fn mean(&self) -> f64 {
        self.cosine.iter().sum::<f64>() / self.cosine.len() as f64
    }
}

/// The largest cosine of each row of `a` with a row of `b`; with `others` they are the same matrix,
/// and a row is not compared with itself.
///
/// # Errors
/// [`Error::Shape`] for matrices of different width, [`Error::NotFiniteAt`] for an entry that is not
/// finite.
pub(super) fn max_cosines(a: &Tensor, b: &Tensor, others: bool) -> Result<MaxCosines> {
    let (a, b) = unit_pair(a, b)?;
    let n = a.dims()[0];
    let mut found = MaxCosines {
        cosine: Vec::with_capacity(n),
        at: Vec::with_capacity(n),
    };
    for first in (0..n).step_by(BLOCK) {
        let block = a.narrow(0, first, BLOCK.min(n - first))?;
        let cosines = block.matmul(&b.t()?)?.to_vec2::<f32>()?; // [block, rows of b]
        for (i, row) in cosines.iter().enumerate() {
            let candidates = row.iter().enumerate();
            let best = candidates
                .filter(|(j, _)| !(others && *j == first + i))
                .max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(&x.0)));
            let (at, cosine) = best.map_or((0, f32::NAN), |(j, c)| (j, *c));
            // Rounding must not give an angle that does not exist.
            found.cosine.push(f64::from(cosine).clamp(-1.0, 1.0));
            found.at.push(at);
        }
    }
    Ok(found)
}

/// All cosines, row after row of `a`. `[rows of a * rows of b]`
///
/// # Errors
/// Those of [`max_cosines`].
pub(super) fn cosine_matrix(a: &Tensor, b: &Tensor) -> Result<Vec<f32>> {
    let (a, b) = unit_pair(a, b)?;
    let cosines = a.matmul(&b.t()?)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(cosines.into_iter().map(|c| c.clamp(-1.0, 1.0)).collect())
}

fn unit_pair(a: &Tensor, b: &Tensor) -> Result<(Tensor, Tensor)> {
    if a.rank() != 2 || b.rank() != 2 || a.dims()[1] != b.dims()[1] {
        return Err(Error::shape(
            "directions to compare",
            format!("[.., {:?}]", a.dims().last()),
            b.dims(),
        ));
    }
    Ok((unit_rows(a)?, unit_rows(b)?))
}

fn unit_rows(a: &Tensor) -> Result<Tensor> {
    let (n, width) = a.dims2()?;
    let wide = a.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let mut entries = wide.flatten_all()?.to_vec1::<f32>()?;
    for (i, row) in entries.chunks_exact_mut(width.max(1)).enumerate() {
        let norm = row
            .iter()
            .map(|v| f64::from(*v).powi(2))
            .sum::<f64>()
            .sqrt();
        if !norm.is_finite() {
            return Err(Error::NotFiniteAt {
                what: "the length of a direction".to_owned(),
                value: norm,
                place: format!("row {i}"),
            });
        }
        if norm > 0.0 {
            row.iter_mut()
                .for_each(|v| *v = (f64::from(*v) / norm) as f32);
        }
    }
    Ok(Tensor::from_vec(entries, (n, width), &Device::Cpu)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directions() -> Tensor {
        let rows = [[2f32, 0.0], [0.0, 3.0], [1.0, 1.0], [0.0, 0.0]];
        Tensor::new(&rows, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_row_is_compared_with_the_others_alone_and_zero_rows_have_cosine_zero() {
        let d = directions();
        let half = 0.5f64.sqrt();
        let found = max_cosines(&d, &d, true).unwrap();
        for (got, wanted) in found.cosine.iter().zip([half, half, half, 0.0]) {
            assert!((got - wanted).abs() < 1e-6, "{found:?}");
        }
        assert_eq!(found.at[..3], [2, 2, 0]);
        let with_itself = max_cosines(&d, &d, false).unwrap();
        assert!((with_itself.cosine[2] - 1.0).abs() < 1e-6);
        assert_eq!(cosine_matrix(&d, &d).unwrap().len(), 16);
    }

    #[test]
    fn a_single_direction_has_no_other_and_nan_is_an_error() {
        let one = Tensor::new(&[[1f32, 2.0]], &Device::Cpu).unwrap();
        assert!(max_cosines(&one, &one, true).unwrap().mean().is_nan());
        let nan = Tensor::new(&[[1f32, f32::NAN]], &Device::Cpu).unwrap();
        assert!(max_cosines(&one, &nan, false).is_err());
        let narrow = Tensor::new(&[[1f32]], &Device::Cpu).unwrap();
        assert!(max_cosines(&one, &narrow, false).is_err());
    }
}
