//! Lists of active features under construction: of each token only those above 0 or NaN and, optionally,
//! only the `k` largest, optionally by absolute value.

use super::nan::above;
use super::tile::panel::{CHUNK, Features, PANEL};

/// Active features of one chunk of tokens: token `i` owns `idx[ends[i - 1]..ends[i]]`.
#[derive(Debug, Default)]
pub(in crate::sae) struct ActiveLists {
    pub ends: Vec<u32>,
    pub idx: Vec<u32>,
    pub vals: Vec<f32>,
    /// The rows under construction.
    pub rows: Vec<RowList>,
}

impl ActiveLists {
    /// Empties the rows; only values above `floor` are listed. Where values are `signed`, their absolute
    /// values are compared.
    pub(super) fn begin(&mut self, floor: f32, signed: bool) {
        self.rows.resize_with(CHUNK, RowList::default);
        for row in &mut self.rows {
            row.idx.clear();
            row.vals.clear();
            row.floor = floor;
            row.signed = signed;
        }
    }

    /// Concatenates the first `n` rows.
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

    /// Keeps the entries for which `keep(token, feature, value)` is true, with the values that it
    /// sets.
    pub(in crate::sae) fn retain(&mut self, mut keep: impl FnMut(u32, u32, &mut f32) -> bool) {
        let (mut from, mut kept) = (0, 0);
        for (token, end) in self.ends.iter_mut().enumerate() {
            for i in from..*end as usize {
                let mut value = self.vals[i];
                if keep(token as u32, self.idx[i], &mut value) {
                    self.idx[kept] = self.idx[i];
                    self.vals[kept] = value;
                    kept += 1;
                }
            }
            from = *end as usize;
            *end = kept as u32;
        }
        self.idx.truncate(kept);
        self.vals.truncate(kept);
    }

    /// Token `i`'s active features and their values.
    pub(in crate::sae) fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        let end = self.ends[i] as usize;
        (&self.idx[start..end], &self.vals[start..end])
    }
}

/// One token's active features, ascending.
#[derive(Debug, Default, Clone, PartialEq)]
pub(in crate::sae) struct RowList {
    pub idx: Vec<u32>,
    pub vals: Vec<f32>,
    /// Values not above this cannot be among those kept.
    floor: f32,
    /// Values are compared by their absolute values.
    signed: bool,
    scratch: Vec<f32>,
}

impl RowList {
    /// The `k` activations of a row largest in absolute value, selected as by [`RowList::keep_largest`].
    pub(in crate::sae) fn largest_of(features: &[u32], acts: &[f32], k: usize) -> Self {
        let mut row = Self {
            idx: features.to_vec(),
            vals: acts.to_vec(),
            signed: true,
            ..Self::default()
        };
        row.keep_largest(k);
        row
    }

    /// Only activations above this are kept.
    #[inline]
    pub(super) fn floor(&self) -> f32 {
        self.floor
    }

    /// Appends an activation whose `size` is above the floor.
    #[inline]
    pub(super) fn append_above_floor(&mut self, feature: u32, act: f32, size: f32) {
        if above(size, self.floor) {
            self.idx.push(feature);
            self.vals.push(act);
        }
    }

    /// Appends the lanes of `acts` whose bit is set in `mask`.
    #[inline]
    pub(super) fn push(&mut self, mut mask: u32, acts: &[f32; PANEL], features: &Features) {
        while mask != 0 {
            let l = mask.trailing_zeros();
            self.idx.push(features.first + l);
            self.vals.push(acts[l as usize]);
            mask &= mask - 1;
        }
        // Half of all features are positive, but the floor rises so soon that few of them get here.
        if let Some(k) = features.top_k
            && self.vals.len() > 4 * k
            // At infinity only NaNs are left, which all stay.
            && self.floor < f32::INFINITY
        {
            self.keep_largest(k);
        }
    }

    /// Keeps the `k` largest (of equal ones the first) and raises the floor to the least of them.
    /// NaNs count as larger than any number, as in `torch.topk`, and all of them stay.
    fn keep_largest(&mut self, k: usize) {
        match self.signed {
            true => self.keep_largest_by(k, f32::abs),
            false => self.keep_largest_by(k, |v| v),
        }
    }

    #[inline(always)]
    fn keep_largest_by(&mut self, k: usize, size: impl Fn(f32) -> f32) {
        if self.vals.len() <= k {
            return;
        }
        let n_nan = self.vals.iter().filter(|v| v.is_nan()).count();
        let Some(k) = k.checked_sub(n_nan).filter(|k| *k > 0) else {
            return self.keep_nan();
        };
        self.scratch.clear();
        self.scratch.extend(self.vals.iter().map(|v| size(*v)));
        if n_nan > 0 {
            self.scratch.retain(|v| !v.is_nan());
        }
        let (_, &mut least, _) = self
            .scratch
            .select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a));
        let mut equal = k - self.scratch.iter().filter(|v| **v > least).count();
        let mut kept = 0;
        for i in 0..self.vals.len() {
            let v = self.vals[i];
            let of_v = size(v);
            let keep = above(of_v, least) || (of_v == least && equal > 0);
            if keep {
                equal -= usize::from(of_v == least);
                self.idx[kept] = self.idx[i];
                self.vals[kept] = v;
                kept += 1;
            }
        }
        self.idx.truncate(kept);
        self.vals.truncate(kept);
        self.floor = least;
    }

    /// Keeps only NaNs from now on.
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
        /// In any order of arrival: the k largest positive values, the first of equal ones.
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
