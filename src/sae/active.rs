//! Feature activations as lists: for each row only the nonzero ones.
//!
//! A row of `acts` has some dozens of active entries among thousands, so lists are smaller than
//! the matrix and faster to read. Source: the compressed sparse row format.

use super::kernels::{ActiveLists, InputEncoder, RowList, above};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// The nonzero activations of several rows: positive ones; for AbsTopK and for the predicted codes of a temporal
/// autoencoder also negative ones. A NaN is an entry: what is not in the lists is 0.
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
    /// Number of features.
    pub d_sae: usize,
    /// End of each row's entries. `[n]`
    ends: Vec<usize>,
    /// Feature of each entry, ascending within a row.
    features: Vec<u32>,
    /// Activation of each entry, not 0; it may be NaN.
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
            for (feature, &act) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                lists.features.push(feature as u32);
                lists.acts.push(act);
            }
            lists.ends.push(lists.features.len());
        }
        Ok(lists)
    }

    /// The lists of rows of (feature, activation) in any order; activations of one feature in a row are added.
    pub(super) fn of_rows(d_sae: usize, rows: impl Iterator<Item = Vec<(u32, f32)>>) -> Self {
        let mut lists = Self::empty(d_sae);
        for mut row in rows {
            // A stable sort, so that sums are in the row's order.
            row.sort_by_key(|entry| entry.0);
            let start = lists.features.len();
            for (feature, act) in row {
                if lists.features.len() > start && lists.features.last() == Some(&feature) {
                    let last = lists.acts.len() - 1;
                    lists.acts[last] += act;
                } else {
                    lists.features.push(feature);
                    lists.acts.push(act);
                }
            }
            lists.ends.push(lists.features.len());
        }
        lists
    }

    /// The matrix that the lists represent, `[n, d_sae]`.
    ///
    /// # Errors
    /// [`Error::Candle`] when the tensor cannot be put on `device`.
    pub fn to_dense(&self, device: &Device) -> Result<Tensor> {
        let mut dense = vec![0f32; self.n_rows() * self.d_sae];
        for (i, row) in dense.chunks_exact_mut(self.d_sae.max(1)).enumerate() {
            let (features, acts) = self.row(i);
            for (&feature, &act) in features.iter().zip(acts) {
                row[feature as usize] = act;
            }
        }
        Ok(Tensor::from_vec(
            dense,
            (self.n_rows(), self.d_sae),
            device,
        )?)
    }

    /// The activations of only `features`, row by row: `[n * features.len()]`.
    pub(super) fn columns(&self, features: &[usize]) -> Vec<f32> {
        let mut columns = Vec::with_capacity(self.n_rows() * features.len());
        for i in 0..self.n_rows() {
            let (active, acts) = self.row(i);
            let act = |&feature: &usize| match active.binary_search(&(feature as u32)) {
                Ok(place) => acts[place],
                Err(_) => 0.0,
            };
            columns.extend(features.iter().map(act));
        }
        columns
    }

    /// Of each row only the `k` activations largest in absolute value, the first of equal ones; and every NaN, whose
    /// magnitude is unknown.
    pub(super) fn largest(&self, k: usize) -> Self {
        let mut kept = Self::empty(self.d_sae);
        for i in 0..self.n_rows() {
            let (features, acts) = self.row(i);
            let row = RowList::largest_of(features, acts, k);
            kept.features.extend_from_slice(&row.idx);
            kept.acts.extend_from_slice(&row.vals);
            kept.ends.push(kept.features.len());
        }
        kept
    }

    /// The lists of several rows, computed without materialising the matrix.
    pub(super) fn encoded(encoder: &InputEncoder, x: &[f32]) -> Self {
        Self::encoded_then(encoder, x, |_| ())
    }

    /// [`ActiveFeatures::encoded`] with only the activations above their feature's threshold, `[d_sae]`.
    pub(super) fn encoded_above(encoder: &InputEncoder, x: &[f32], thresholds: &[f32]) -> Self {
        Self::encoded_then(encoder, x, |lists| {
            lists.retain(|_, feature, act| above(*act, thresholds[feature as usize]));
        })
    }

    /// [`ActiveFeatures::encoded`] with each act replaced by its feature's `factor * act + summand`,
    /// where that is above 0. `[d_sae]`
    pub(super) fn encoded_affine(
        encoder: &InputEncoder,
        x: &[f32],
        by_feature: &[(f32, f32)],
    ) -> Self {
        Self::encoded_then(encoder, x, |lists| {
            lists.retain(|_, feature, act| {
                let (factor, summand) = by_feature[feature as usize];
                *act = factor * *act + summand;
                above(*act, 0.0)
            });
        })
    }

    fn encoded_then(
        encoder: &InputEncoder,
        x: &[f32],
        then: impl Fn(&mut ActiveLists) + Sync,
    ) -> Self {
        let chunks = encoder.by_chunk(x, |x_cent, n, laid_out| {
            let mut lists = ActiveLists::default();
            let floor = encoder.floor;
            encoder
                .packed
                .encode(x_cent, n, floor, laid_out, &mut lists);
            then(&mut lists);
            lists
        });
        let mut all = Self::empty(encoder.packed.d_sae());
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
    ///
    /// # Panics
    /// Like the index of a slice, when `i` is not below [`ActiveFeatures::n_rows`].
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

/// How often and how strongly each feature is active over several rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureActivity {
    /// Number of rows.
    pub n_rows: usize,
    /// Rows with an activation that is not 0. `[d_sae]`
    pub active: Vec<u64>,
    /// Sum of the activations, with their signs; not finite where one of them is not. `[d_sae]`
    pub sum: Vec<f64>,
}

impl FeatureActivity {
    /// Counts and sums of lists.
    pub fn of(lists: &ActiveFeatures) -> Self {
        let mut activity = Self::none(lists.n_rows(), lists.d_sae);
        for (feature, act) in lists.entries() {
            activity.active[feature] += 1;
            activity.sum[feature] += f64::from(act);
        }
        activity
    }

    fn none(n_rows: usize, d_sae: usize) -> Self {
        Self {
            n_rows,
            active: vec![0; d_sae],
            sum: vec![0.0; d_sae],
        }
    }

    /// Counts and sums of several rows, without lists.
    pub(super) fn encoded(encoder: &InputEncoder, x: &[f32]) -> Self {
        let packed = &encoder.packed;
        let mut activity = Self::none(x.len() / encoder.centre.len(), packed.d_sae());
        // In the order of the rows, so that every run gives the same bits.
        for tally in encoder.by_chunk(x, |x, n, scratch| packed.tally(x, n, scratch)) {
            for (total, n) in activity.active.iter_mut().zip(tally.active) {
                *total += u64::from(n);
            }
            for (total, sum) in activity.sum.iter_mut().zip(tally.sum) {
                *total += f64::from(sum);
            }
        }
        activity
    }
}
