//! Feature activations of labelled rows as lists: of each row what is above 0.

use crate::error::{Error, Result};
use crate::interp::activations::TOKENS_PER_PASS;
use crate::linear_algebra::RealMatrix;
use crate::sae::SparseAutoencoder;
use candle_core::Tensor;

/// What is active in each row.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) struct FeatureRows {
    pub d_sae: usize,
    /// Feature and activation, ascending by feature. `[n]`
    pub rows: Vec<Vec<(u32, f32)>>,
}

impl FeatureRows {
    /// Encodes rows `[n, d_in]`, some at a time.
    ///
    /// # Errors
    /// [`Error::Shape`] for another width, [`Error::NotFiniteAt`] for an activation that is not finite.
    pub(in super::super) fn encode(sae: &dyn SparseAutoencoder, x: &Tensor) -> Result<Self> {
        let (n, d_in) = (x.dims().first().copied().unwrap_or(0), sae.d_in());
        if x.dims() != [n, d_in] {
            let expected = format!("[n, d_in = {d_in}]");
            return Err(Error::shape("activations to encode", expected, x.dims()));
        }
        let mut rows = Vec::with_capacity(n);
        for start in (0..n).step_by(TOKENS_PER_PASS) {
            let active =
                sae.encode_sparse(&x.narrow(0, start, TOKENS_PER_PASS.min(n - start))?)?;
            for i in 0..active.n_rows() {
                let (features, acts) = active.row(i);
                let row: Vec<(u32, f32)> =
                    features.iter().copied().zip(acts.iter().copied()).collect();
                if let Some((feature, act)) = row.iter().find(|(_, act)| !act.is_finite()) {
                    return Err(Error::NotFiniteAt {
                        what: format!("the activation of feature {feature}"),
                        value: f64::from(*act),
                        place: format!("row {}", start + i),
                    });
                }
                rows.push(row);
            }
        }
        Ok(Self {
            d_sae: sae.d_sae(),
            rows,
        })
    }

    /// The mean activation of every feature over the rows for which `holds`; zeros when there is none.
    /// `[d_sae]`
    pub(super) fn means(&self, holds: impl Fn(usize) -> bool) -> Vec<f64> {
        let mut means = vec![0.0; self.d_sae];
        let mut n = 0;
        for (_, row) in self.rows.iter().enumerate().filter(|(i, _)| holds(*i)) {
            n += 1;
            for (feature, act) in row {
                means[*feature as usize] += f64::from(*act);
            }
        }
        means.iter_mut().for_each(|m| *m /= f64::from(n.max(1)));
        means
    }

    /// Some features' activations in some rows, dense. `[rows, features]`
    pub(super) fn gather(&self, rows: &[usize], features: &[usize]) -> RealMatrix {
        let mut dense = RealMatrix::zeros(rows.len(), features.len());
        for (i, row) in rows.iter().enumerate() {
            for (j, feature) in features.iter().enumerate() {
                dense.row_mut(i)[j] = self.act(*row, *feature);
            }
        }
        dense
    }

    /// The activation of a feature in a row.
    pub(super) fn act(&self, row: usize, feature: usize) -> f64 {
        let row = &self.rows[row];
        let found = row.binary_search_by_key(&(feature as u32), |(f, _)| *f);
        found.map_or(0.0, |at| f64::from(row[at].1))
    }
}
