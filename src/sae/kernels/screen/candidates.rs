//! The features of a token that may be listed.

use super::exact::Weights;
use crate::sae::kernels::encode::PackedEncoder;
use crate::sae::kernels::lists::RowList;
use std::arch::x86_64::*;

/// Maximum number of bisections to determine a floor.
const BISECTIONS: u32 = 10;

/// One token's candidates, ascending, with bounds of their sizes: their activations or the absolute values.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    len: usize,
    features: Vec<u32>,
    upper: Vec<f32>,
    lower: Vec<f32>,
    /// A feature whose upper bound is below this cannot be listed.
    floor: f32,
    top_k: Option<usize>,
    /// The length at which the floor is raised again.
    prune_at: usize,
}

impl Candidates {
    /// Empties the list.
    pub(super) fn begin(&mut self, floor: f32, top_k: Option<usize>) {
        (self.len, self.floor, self.top_k) = (0, floor, top_k);
        self.prune_at = top_k.map_or(usize::MAX, Self::more);
    }

    /// How much the list may grow before it is pruned: a multiple of `k`, so that pruning is cheap.
    fn more(k: usize) -> usize {
        4 * k + 16
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn floor(&self) -> f32 {
        self.floor
    }

    /// Appends the lanes whose bit is set in `kept`.
    #[target_feature(enable = "avx512f")]
    pub(super) fn push(&mut self, kept: u16, first: u32, upper: __m512, lower: __m512) {
        let len = self.len;
        if len + 16 > self.features.len() {
            let room = (2 * len).max(256);
            self.features.resize(room, 0);
            self.upper.resize(room, 0.0);
            self.lower.resize(room, 0.0);
        }
        let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
        let features = _mm512_add_epi32(lanes, _mm512_set1_epi32(first as i32));
        // SAFETY: at most 16 values from `len` on, for which there is room in each list.
        unsafe {
            let at = self.features[len..].as_mut_ptr();
            _mm512_mask_compressstoreu_epi32(at.cast(), kept, features);
            _mm512_mask_compressstoreu_ps(self.upper[len..].as_mut_ptr(), kept, upper);
            _mm512_mask_compressstoreu_ps(self.lower[len..].as_mut_ptr(), kept, lower);
        }
        self.len = len + kept.count_ones() as usize;
        if self.len >= self.prune_at {
            self.prune();
            // If little was dropped, the list doubles before it is pruned again.
            self.prune_at = self.len + self.top_k.map_or(0, Self::more).max(self.len);
        }
    }

    /// Raises the floor to a value that at least `k` lower bounds reach, and drops what is below it.
    pub(super) fn prune(&mut self) {
        let Some(k) = self.top_k.filter(|k| (1..self.len).contains(k)) else {
            return;
        };
        // SAFETY: a screen is in use only where the CPU has these features.
        unsafe {
            let least = reached_by(&self.lower[..self.len], k, self.floor);
            if least > self.floor {
                self.floor = least;
                self.drop_below_floor();
            }
        }
    }

    /// Keeps the candidates whose upper bound is not below the floor.
    #[target_feature(enable = "avx512f")]
    fn drop_below_floor(&mut self) {
        let floor = _mm512_set1_ps(self.floor);
        let mut kept = 0;
        for from in (0..self.len).step_by(16) {
            let lanes = u16::MAX >> (16 - (self.len - from).min(16));
            let (features, upper, lower) = (
                &mut self.features[..],
                &mut self.upper[..],
                &mut self.lower[..],
            );
            // SAFETY: masked: nothing from `len` on is read; writes, from `kept` on, overwrite only what has been read.
            unsafe {
                let u = _mm512_maskz_loadu_ps(lanes, upper.as_ptr().add(from));
                let l = _mm512_maskz_loadu_ps(lanes, lower.as_ptr().add(from));
                let f = _mm512_maskz_loadu_epi32(lanes, features.as_ptr().add(from).cast());
                // A NaN bound excludes nothing.
                let keep = _mm512_mask_cmp_ps_mask::<_CMP_NLT_UQ>(lanes, u, floor);
                let at = features.as_mut_ptr().add(kept);
                _mm512_mask_compressstoreu_epi32(at.cast(), keep, f);
                _mm512_mask_compressstoreu_ps(upper.as_mut_ptr().add(kept), keep, u);
                _mm512_mask_compressstoreu_ps(lower.as_mut_ptr().add(kept), keep, l);
                kept += keep.count_ones() as usize;
            }
        }
        self.len = kept;
    }
}

/// A number above `floor` that at least `k` of `values` reach, close to the largest such, or `floor` if none exists.
/// NaN reaches nothing.
#[target_feature(enable = "avx512f")]
fn reached_by(values: &[f32], k: usize, floor: f32) -> f32 {
    let (blocks, rest) = values.as_chunks::<16>();
    let count = |least: f32| {
        let at_least = _mm512_set1_ps(least);
        let in_blocks: u32 = blocks
            .iter()
            .map(|block| {
                // SAFETY: as many values as the register has lanes.
                let block = unsafe { _mm512_loadu_ps(block.as_ptr()) };
                _mm512_cmp_ps_mask::<_CMP_GE_OQ>(block, at_least).count_ones()
            })
            .sum();
        in_blocks as usize + rest.iter().filter(|v| **v >= least).count()
    };
    let mut high = _mm512_set1_ps(f32::NEG_INFINITY);
    for block in blocks {
        // SAFETY: as above.
        high = _mm512_max_ps(unsafe { _mm512_loadu_ps(block.as_ptr()) }, high);
    }
    let high = _mm512_reduce_max_ps(high);
    let mut high = rest.iter().fold(high, |high, v| high.max(*v));
    let mut low = match floor > f32::NEG_INFINITY {
        true => floor,
        false => rest
            .iter()
            .chain(blocks.as_flattened())
            .fold(high, |low, v| low.min(*v)),
    };
    if low == f32::NEG_INFINITY || count(low) < k {
        return low.min(floor);
    }
    for _ in 0..BISECTIONS {
        let middle = 0.5 * (low + high);
        // Also not where a bound is infinite.
        if !(middle > low && middle < high) {
            break;
        }
        match count(middle) >= k {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

/// The order in which a row's candidates are computed.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Midpoints of the candidates' bounds.
    middles: Vec<f32>,
    /// The candidates computed later, and their upper bounds.
    later: Vec<u32>,
    later_upper: Vec<f32>,
    features: Vec<u32>,
    acts: Vec<f32>,
    listed: Vec<(u32, f32)>,
}

impl Order {
    /// Computes the activations of the candidates that may be listed, and appends those above the row's floor.
    pub(super) fn list(
        &mut self,
        candidates: &Candidates,
        weights: &Weights,
        x: &[f32],
        packed: &PackedEncoder,
        row: &mut RowList,
    ) {
        let n = candidates.len;
        let (features, upper) = (&candidates.features[..n], &candidates.upper[..n]);
        let size = |act: f32| if packed.signed { act.abs() } else { act };
        self.listed.clear();
        let Some(k) = packed.top_k.filter(|k| (1..n).contains(k)) else {
            weights.activations(features, x, &mut self.acts);
            for (&feature, &act) in features.iter().zip(&self.acts) {
                row.append_above_floor(feature, act, size(act));
            }
            return;
        };
        // The likely ones first: the least of them rules out most of the others.
        self.middles.clear();
        let bounds = upper.iter().zip(&candidates.lower[..n]);
        self.middles.extend(bounds.map(|(u, l)| 0.5 * (u + l)));
        // SAFETY: a screen is in use only where the CPU has these features.
        let likely = unsafe { reached_by(&self.middles, k, f32::NEG_INFINITY) };
        self.features.clear();
        self.later.clear();
        self.later_upper.clear();
        for ((&feature, &middle), &upper) in features.iter().zip(&self.middles).zip(upper) {
            if middle >= likely {
                self.features.push(feature);
            } else {
                self.later.push(feature);
                self.later_upper.push(upper);
            }
        }
        self.compute(weights, x);
        let at_least = match self.acts.len() >= k {
            true => self
                .acts
                .iter()
                .map(|act| size(*act))
                .fold(f32::INFINITY, f32::min),
            false => f32::NEG_INFINITY,
        };
        self.features.clear();
        let later = self.later.iter().zip(&self.later_upper);
        // A NaN bound excludes nothing.
        let possible = later.filter(|(_, upper)| **upper >= at_least || upper.is_nan());
        self.features.extend(possible.map(|(feature, _)| *feature));
        self.compute(weights, x);
        self.listed.sort_unstable_by_key(|(feature, _)| *feature);
        for &(feature, act) in &self.listed {
            row.append_above_floor(feature, act, size(act));
        }
    }

    /// Appends the activations of `features` to the listed ones.
    fn compute(&mut self, weights: &Weights, x: &[f32]) {
        weights.activations(&self.features, x, &mut self.acts);
        let acts = self.features.iter().copied().zip(self.acts.iter().copied());
        self.listed.extend(acts);
    }
}
