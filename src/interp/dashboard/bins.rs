//! Counts of values in bins of equal width.
//! Source: `HistogramData` of sae_vis, which keeps the bins' middles and their counts.

/// How many values lie in each of several bins of equal width.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BinCounts {
    /// Middle of each bin, ascending; none where there was no value.
    pub middles: Vec<f64>,
    /// Number of values in each bin.
    pub counts: Vec<f64>,
}

impl BinCounts {
    /// Counts `values` in `n_bins` bins from `lo` to `hi`, which the last bin holds, too. Values outside,
    /// NaN included, are left out. One bin where `lo` is `hi`; none where there is no value.
    pub fn of(values: impl Iterator<Item = f64>, lo: f64, hi: f64, n_bins: usize) -> Self {
        let n_bins = match hi > lo {
            true => n_bins.max(1),
            false => 1,
        };
        let width = (hi - lo) / n_bins as f64;
        let mut counts = vec![0.0; n_bins];
        let mut n = 0;
        for value in values.filter(|value| (lo..=hi).contains(value)) {
            let bin = match width > 0.0 {
                true => ((value - lo) / width) as usize,
                false => 0,
            };
            counts[bin.min(n_bins - 1)] += 1.0;
            n += 1;
        }
        if n == 0 {
            return Self::default();
        }
        let middles = (0..n_bins).map(|bin| lo + (bin as f64 + 0.5) * width);
        Self {
            middles: middles.collect(),
            counts,
        }
    }

    /// Width of a bin; 0 for a single one.
    pub fn width(&self) -> f64 {
        match self.middles[..] {
            [first, .., last] => (last - first) / (self.middles.len() - 1) as f64,
            _ => 0.0,
        }
    }

    /// Where the first bin begins and the last one ends; `None` without bins.
    pub fn range(&self) -> Option<(f64, f64)> {
        let half = self.width() / 2.0;
        Some((self.middles.first()? - half, self.middles.last()? + half))
    }

    /// The largest count; 0 without bins.
    pub fn largest(&self) -> f64 {
        self.counts.iter().copied().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_counted_in_the_bins_they_lie_in() {
        // numpy.histogram([0.1, 0.5, 1, 1.5, 4], 4, (0, 4)) -> [2, 2, 0, 1]
        let bins = BinCounts::of([0.1, 0.5, 1.0, 1.5, 4.0].into_iter(), 0.0, 4.0, 4);
        assert_eq!(bins.counts, [2.0, 2.0, 0.0, 1.0]);
        assert_eq!(bins.middles, [0.5, 1.5, 2.5, 3.5]);
        assert_eq!((bins.range(), bins.width()), (Some((0.0, 4.0)), 1.0));
    }

    #[test]
    fn equal_values_have_one_bin_and_no_values_none() {
        let one = BinCounts::of([2.0; 3].into_iter(), 2.0, 2.0, 40);
        assert_eq!(
            (&one.middles[..], &one.counts[..]),
            (&[2.0][..], &[3.0][..])
        );
        for values in [vec![], vec![f64::NAN]] {
            let none = BinCounts::of(values.into_iter(), 0.0, 1.0, 40);
            assert_eq!((none.range(), none.largest()), (None, 0.0));
        }
    }

    proptest! {
        #[test]
        fn every_value_between_the_ends_is_in_one_bin(
            values in proptest::collection::vec(-5.0f64..5.0, 1..60), n_bins in 1usize..50,
        ) {
            let lo = values.iter().copied().fold(f64::INFINITY, f64::min);
            let hi = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let bins = BinCounts::of(values.iter().copied(), lo, hi, n_bins);
            prop_assert_eq!(bins.counts.iter().sum::<f64>(), values.len() as f64);
        }
    }
}
