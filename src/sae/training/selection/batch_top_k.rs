//! BatchTopK: of a whole batch's positive activations only the `k n` largest count, so that a token has
//! `k` on average. Bussmann et al. 2024, arXiv:2412.06410; nested: Bussmann et al. 2025, arXiv:2503.17547.
//!
//! At inference, without a batch, a threshold is used: the running mean of the least activation that
//! counted, which starts at 0 and moves by [`THRESHOLD_RATE`] per step (SAELens' `topk_threshold_lr`), so
//! that after t steps it is low by a factor of 1 - 0.99^t (0.63 after 100 steps, 0.99995 after 1,000).

use crate::sae::kernels::{ActiveLists, above};

/// The rate at which the threshold moves towards the last batch's.
const THRESHOLD_RATE: f64 = 0.01;
/// The encoder lists only activations above this share of the least one that counted in the last batch.
/// If these are too few, it encodes again, so the result does not depend on this.
const FLOOR_SHARE: f32 = 0.8;

/// The state of BatchTopK.
#[derive(Debug, Clone)]
pub(in crate::sae::training) struct BatchTopK {
    /// Average number of activations per token that count.
    pub k: f64,
    /// Number of features of each nested dictionary, ascending; the last is `d_sae`.
    pub widths: Vec<usize>,
    /// Running mean of the least activation that counted.
    pub threshold: f64,
}

impl BatchTopK {
    /// Number of activations that count in a batch of `n` tokens.
    pub(in crate::sae::training) fn in_batch(&self, n: usize) -> usize {
        (self.k * n as f64) as usize
    }

    /// Updates the threshold with the least activation that counted in a step's batch, if any did.
    pub(in crate::sae::training) fn saw(&mut self, least: Option<f32>) {
        if let Some(least) = least {
            self.threshold += THRESHOLD_RATE * (f64::from(least) - self.threshold);
        }
    }
}

/// A floor for the encoder's lists of the next batch.
pub(in crate::sae::training) fn next_floor(least: Option<f32>) -> f32 {
    FLOOR_SHARE * least.filter(|least| least.is_finite()).unwrap_or(0.0)
}

/// Keeps the `count` largest entries of all lists, the first of equal ones, and every NaN; returns the
/// least entry kept.
pub(in crate::sae::training) fn keep_largest(
    lists: &mut [&mut ActiveLists],
    count: usize,
    scratch: &mut Vec<f32>,
) -> Option<f32> {
    scratch.clear();
    for lists in lists.iter() {
        scratch.extend(lists.vals.iter().filter(|v| !v.is_nan()));
    }
    if scratch.len() <= count {
        return scratch.iter().copied().min_by(f32::total_cmp);
    }
    if count == 0 {
        for lists in lists {
            lists.retain(|_, _, value| value.is_nan());
        }
        return None;
    }
    let (_, &mut least, _) = scratch.select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
    let larger = scratch.iter().filter(|v| **v > least).count();
    let mut equal = count - larger;
    for lists in lists {
        lists.retain(|_, _, value| {
            let first = *value == least && equal > 0;
            equal -= usize::from(first);
            first || above(*value, least)
        });
    }
    Some(least)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lists with one token per row; 0 and less is left out, -9 means NaN.
    fn lists(rows: &[Vec<i8>]) -> ActiveLists {
        let mut lists = ActiveLists::default();
        for row in rows {
            for (j, &v) in row.iter().enumerate().filter(|(_, v)| **v > 0 || **v == -9) {
                let value = if v == -9 { f32::NAN } else { f32::from(v) };
                lists.idx.push(j as u32);
                lists.vals.push(value);
            }
            lists.ends.push(lists.idx.len() as u32);
        }
        lists
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        /// Against the definition: all entries of the batch, sorted.
        #[test]
        fn a_batch_keeps_its_largest(
            rows in prop::collection::vec(prop::collection::vec(-9i8..9, 0..12), 1..9),
            cut in 0usize..9, count in 0usize..40,
        ) {
            let (first, second) = rows.split_at(cut.min(rows.len()));
            let (mut a, mut b) = (lists(first), lists(second));
            let least = keep_largest(&mut [&mut a, &mut b], count, &mut Vec::new());

            let mut all = Vec::new();
            for (t, row) in rows.iter().enumerate() {
                all.extend(row.iter().enumerate().map(|(j, &v)| (v, t, j)));
            }
            let mut wanted: Vec<_> = all.iter().copied().filter(|e| e.0 > 0).collect();
            wanted.sort_by_key(|&(v, t, j)| (-v, t, j));
            wanted.truncate(count);
            prop_assert_eq!(least, wanted.last().map(|e| f32::from(e.0)));
            wanted.extend(all.iter().filter(|e| e.0 == -9));
            wanted.sort_by_key(|&(_, t, j)| (t, j));
            let mut got = Vec::new();
            for (from, lists) in [(0, &a), (first.len(), &b)] {
                for i in 0..lists.ends.len() {
                    let (idx, vals) = lists.row(i);
                    got.extend(idx.iter().zip(vals).map(|(&j, &v)| {
                        (if v.is_nan() { -9 } else { v as i8 }, from + i, j as usize)
                    }));
                }
            }
            prop_assert_eq!(got, wanted);
        }
    }

    #[test]
    fn the_threshold_is_a_running_mean_from_zero() {
        let mut batch = BatchTopK {
            k: 2.0,
            widths: vec![4],
            threshold: 0.0,
        };
        for _ in 0..100 {
            batch.saw(Some(3.0));
        }
        batch.saw(None);
        // 3 (1 - 0.99^100)
        assert!((batch.threshold - 3.0 * (1.0 - 0.99f64.powi(100))).abs() < 1e-9);
        assert_eq!(batch.in_batch(7), 14);
        assert_eq!(BatchTopK { k: 1.5, ..batch }.in_batch(3), 4);
    }
}
