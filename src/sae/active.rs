//! Feature activations as lists: of each row only what is above 0, or NaN.
//!
//! A row of `acts` has some dozens of entries above 0 among thousands, so lists are smaller than
//! the matrix and faster to read. Source: the compressed sparse rows of any linear algebra text.

use super::kernels::encode::{CHUNK, PANEL, PackedEncoder};
use super::kernels::tile::{Features, above};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// The activations above 0 of several rows. A NaN is an entry, too: what is not in the lists is 0.
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
    /// Activation of each entry, above 0 or NaN.
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
            for (feature, &act) in row.iter().enumerate().filter(|(_, a)| above(**a, 0.0)) {
                lists.features.push(feature as u32);
                lists.acts.push(act);
            }
            lists.ends.push(lists.features.len());
        }
        Ok(lists)
    }

    /// The matrix that the lists stand for, `[n, d_sae]`.
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

    /// Of each row only the `k` largest activations, of equal ones the first; and every NaN, of which
    /// nobody knows how large it would be.
    pub(super) fn largest(&self, k: usize) -> Self {
        let mut kept = Self::empty(self.d_sae);
        for i in 0..self.n_rows() {
            let (features, acts) = self.row(i);
            let mut row = RowList {
                idx: features.to_vec(),
                vals: acts.to_vec(),
                ..RowList::default()
            };
            row.keep_largest(k);
            kept.features.extend_from_slice(&row.idx);
            kept.acts.extend_from_slice(&row.vals);
            kept.ends.push(kept.features.len());
        }
        kept
    }

    /// The lists of several rows, by the product that never writes the matrix.
    pub(super) fn encoded(encoder: &InputEncoder, x: &[f32]) -> Self {
        let chunks = encoder.by_chunk(x, |x_cent, n, laid_out| {
            let mut lists = ActiveLists::default();
            encoder.packed.encode(x_cent, n, laid_out, &mut lists);
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

/// An encoder laid out for the product that never writes the matrix of activations.
#[derive(Debug)]
pub(super) struct InputEncoder {
    pub packed: PackedEncoder,
    /// Subtracted from every row first, `[d_in]`; zeros where nothing is.
    pub centre: Vec<f32>,
}

impl InputEncoder {
    /// `f(x_cent, n, scratch)` of every chunk of rows, in order and in parallel. The kernels read
    /// whole chunks: what follows the last rows is left over from others.
    fn by_chunk<T: Send>(
        &self,
        x: &[f32],
        f: impl Fn(&[f32], usize, &mut Vec<f32>) -> T + Sync,
    ) -> Vec<T> {
        let d_in = self.centre.len();
        x.par_chunks(CHUNK * d_in)
            .map_init(
                || (vec![0f32; CHUNK * d_in], Vec::new()),
                |(x_cent, scratch), x| {
                    for (c, x) in x_cent.chunks_exact_mut(d_in).zip(x.chunks_exact(d_in)) {
                        for ((c, x), b) in c.iter_mut().zip(x).zip(&self.centre) {
                            *c = finite_or_nan(x - b);
                        }
                    }
                    f(x_cent, x.len() / d_in, scratch)
                },
            )
            .collect()
    }
}

/// The number if it is finite, else NaN: a row with an infinity has no feature activations that
/// anyone could use, and `relu` would make a 0 of half of them.
#[inline(always)]
pub(super) fn finite_or_nan(x: f32) -> f32 {
    // The product is 0, or NaN.
    x + 0.0 * x
}

/// How often and how strongly each feature is active over several rows.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureActivity {
    /// Number of rows.
    pub n_rows: usize,
    /// Rows with an activation above 0, or one that is NaN. `[d_sae]`
    pub active: Vec<u64>,
    /// Sum of the activations; not finite where one of them is not. `[d_sae]`
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
        // In the order of the rows: the same bits on every run.
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

/// Active features of one chunk of tokens: token `i` owns `idx[ends[i - 1]..ends[i]]`.
#[derive(Debug, Default)]
pub(super) struct ActiveLists {
    pub ends: Vec<u32>,
    pub idx: Vec<u32>,
    pub vals: Vec<f32>,
    /// The rows while they grow.
    pub rows: Vec<RowList>,
}

impl ActiveLists {
    /// Empties the rows.
    pub(super) fn begin(&mut self) {
        self.rows.resize_with(CHUNK, RowList::default);
        for row in &mut self.rows {
            row.idx.clear();
            row.vals.clear();
            row.floor = 0.0;
        }
    }

    /// Puts the first `n` rows together.
    pub(super) fn end(&mut self, n: usize, top_k: Option<usize>) {
        self.ends.clear();
        self.idx.clear();
        self.vals.clear();
        for row in &mut self.rows[..n] {
            if let Some(k) = top_k {
                row.keep_largest(k);
            }
            self.idx.extend_from_slice(&row.idx);
            self.vals.extend_from_slice(&row.vals);
            self.ends.push(self.idx.len() as u32);
        }
    }

    /// Token `i`'s active features and their values.
    pub(super) fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        let end = self.ends[i] as usize;
        (&self.idx[start..end], &self.vals[start..end])
    }
}

/// One token's active features, ascending.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct RowList {
    idx: Vec<u32>,
    vals: Vec<f32>,
    /// What is not above this cannot be among those kept.
    floor: f32,
    scratch: Vec<f32>,
}

impl RowList {
    /// What an activation must be above to be kept.
    #[inline]
    pub(super) fn floor(&self) -> f32 {
        self.floor
    }

    /// Appends the lanes of `acts` that `mask` has a bit for.
    #[inline]
    pub(super) fn push(&mut self, mut mask: u32, acts: &[f32; PANEL], features: &Features) {
        while mask != 0 {
            let l = mask.trailing_zeros();
            self.idx.push(features.first + l);
            self.vals.push(acts[l as usize]);
            mask &= mask - 1;
        }
        // Half of all features is positive; the floor rises so soon that few of them get here.
        if let Some(k) = features.top_k
            && self.vals.len() > 4 * k
            // Where it is infinite only NaN is left, of which none goes.
            && self.floor < f32::INFINITY
        {
            self.keep_largest(k);
        }
    }

    /// Keeps the `k` largest (of equal ones the first) and raises the floor to the least of them.
    /// NaNs count as larger than any number, as in `torch.topk`, and all of them stay.
    fn keep_largest(&mut self, k: usize) {
        if self.vals.len() <= k {
            return;
        }
        let n_nan = self.vals.iter().filter(|v| v.is_nan()).count();
        let Some(k) = k.checked_sub(n_nan).filter(|k| *k > 0) else {
            return self.keep_nan();
        };
        self.scratch.clone_from(&self.vals);
        if n_nan > 0 {
            self.scratch.retain(|v| !v.is_nan());
        }
        let (_, &mut least, _) = self
            .scratch
            .select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        let mut equal = k - self.vals.iter().filter(|v| **v > least).count();
        let mut kept = 0;
        for i in 0..self.vals.len() {
            let v = self.vals[i];
            let keep = above(v, least) || (v == least && equal > 0);
            if keep {
                equal -= usize::from(v == least);
                self.idx[kept] = self.idx[i];
                self.vals[kept] = v;
                kept += 1;
            }
        }
        self.idx.truncate(kept);
        self.vals.truncate(kept);
        self.floor = least;
    }

    /// Keeps only what is NaN, from now on.
    fn keep_nan(&mut self) {
        let mut kept = 0;
        for i in 0..self.vals.len() {
            if self.vals[i].is_nan() {
                self.idx[kept] = self.idx[i];
                self.vals[kept] = self.vals[i];
                kept += 1;
            }
        }
        self.idx.truncate(kept);
        self.vals.truncate(kept);
        self.floor = f32::INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Whatever the order of arrival: the k largest positive values, the first of equal ones.
        #[test]
        fn a_row_keeps_its_largest(values in prop::collection::vec(-20i8..20, 1..400), k in 0usize..12) {
            let mut row = RowList::default();
            for (p, part) in values.chunks(PANEL).enumerate() {
                let mut acts = [0f32; PANEL];
                let mut mask = 0u32;
                for (l, &v) in part.iter().enumerate() {
                    acts[l] = f32::from(v);
                    mask |= u32::from(acts[l] > row.floor()) << l;
                }
                let (first, bias) = ((p * PANEL) as u32, &[0.0; PANEL]);
                row.push(mask, &acts, &Features { first, lanes: u32::MAX, bias, top_k: Some(k) });
            }
            row.keep_largest(k);
            let mut wanted: Vec<usize> = (0..values.len()).filter(|&i| values[i] > 0).collect();
            wanted.sort_by_key(|&i| (-i32::from(values[i]), i));
            wanted.truncate(k);
            wanted.sort_unstable();
            let got: Vec<usize> = row.idx.iter().map(|&i| i as usize).collect();
            prop_assert_eq!(got, wanted);
        }
    }
}
