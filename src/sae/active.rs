//! Feature activations as lists: of each row only what is above 0.
//!
//! A row of `acts` has some dozens of entries above 0 among thousands, so lists are smaller than
//! the matrix and faster to read. Source: the compressed sparse rows of any linear algebra text.

use super::encode::{ActiveLists, CHUNK, PackedEncoder};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use rayon::prelude::*;

/// The activations above 0 of several rows.
///
/// ```
/// use holoscope::candle::{Device, Tensor};
/// use holoscope::sae::ActiveFeatures;
///
/// # fn main() -> holoscope::Result<()> {
/// let acts = Tensor::new(&[[0f32, 2.0, 0.0], [1.0, 0.0, 3.0]], &Device::Cpu)?;
/// let active = ActiveFeatures::of_dense(&acts)?;
/// assert_eq!(active.row(0), (&[1][..], &[2.0][..]));
/// assert_eq!(active.row(1), (&[0, 2][..], &[1.0, 3.0][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveFeatures {
    /// Number of features there are.
    pub d_sae: usize,
    /// Where each row's entries end. `[n]`
    ends: Vec<usize>,
    /// Feature of each entry, ascending within a row.
    features: Vec<u32>,
    /// Activation of each entry, above 0.
    acts: Vec<f32>,
}

impl ActiveFeatures {
    fn empty(d_sae: usize) -> Self {
        Self {
            d_sae,
            ends: Vec::new(),
            features: Vec::new(),
            acts: Vec::new(),
        }
    }

    /// The lists of a matrix of activations, `[.., d_sae]`, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`] for a tensor without axes.
    pub fn of_dense(acts: &Tensor) -> Result<Self> {
        let Some(&d_sae) = acts.dims().last() else {
            return Err(Error::shape(
                "feature activations",
                "[.., d_sae]",
                acts.dims(),
            ));
        };
        let values = acts.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let mut lists = Self::empty(d_sae);
        for row in values.chunks_exact(d_sae.max(1)) {
            for (feature, &act) in row.iter().enumerate().filter(|(_, act)| **act > 0.0) {
                lists.features.push(feature as u32);
                lists.acts.push(act);
            }
            lists.ends.push(lists.features.len());
        }
        Ok(lists)
    }

    /// The lists of `n` rows of centred inputs, by the product that never writes the matrix.
    pub(super) fn encoded(packed: &PackedEncoder, x_cent: &[f32], d_in: usize) -> Self {
        let chunks: Vec<ActiveLists> = x_cent
            .par_chunks(CHUNK * d_in)
            .map(|x| {
                let n = x.len() / d_in;
                let mut lists = ActiveLists::default();
                if n == CHUNK {
                    packed.encode(x, n, &mut lists);
                } else {
                    // The kernels read whole chunks.
                    let mut padded = x.to_vec();
                    padded.resize(CHUNK * d_in, 0.0);
                    packed.encode(&padded, n, &mut lists);
                }
                lists
            })
            .collect();
        let mut all = Self::empty(packed.d_sae());
        for lists in &chunks {
            let start = all.features.len();
            all.features.extend_from_slice(&lists.idx);
            all.acts.extend_from_slice(&lists.vals);
            all.ends
                .extend(lists.ends.iter().map(|&end| start + end as usize));
        }
        all
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.ends.len()
    }

    /// Number of entries, over all rows.
    pub fn n_active(&self) -> usize {
        self.features.len()
    }

    /// The features active in row `i`, ascending, and their activations.
    pub fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        let entries = start..self.ends[i];
        (&self.features[entries.clone()], &self.acts[entries])
    }

    /// Every entry's feature and activation, row after row.
    pub fn entries(&self) -> impl Iterator<Item = (usize, f32)> {
        let features = self.features.iter().map(|&feature| feature as usize);
        features.zip(self.acts.iter().copied())
    }
}
