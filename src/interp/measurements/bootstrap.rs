//! Bootstrap intervals of statistics of independent units, such as sequences.
//! Units are drawn with replacement; the interval is that of the 2.5 and 97.5 % quantiles.
//! Source: Efron 1979; quantiles interpolated as numpy's default (Hyndman and Fan's type 7).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Lower and upper end of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Statistics of every resample. `[n_resamples][n_statistics]`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Resamples(Vec<Vec<f64>>);

/// Several statistics of `n` units, of `n_resamples` resamples drawn by `seed`: resample i draws the same
/// units whatever the statistics are.
///
/// `statistics` is given how often each unit was drawn, `[n]`.
pub(super) fn bootstrap(
    n: usize,
    n_resamples: usize,
    seed: u64,
    statistics: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Resamples {
    let resampled = (0..n_resamples)
        .into_par_iter()
        .map(|i| statistics(&drawn(n, seed, i as u64)));
    Resamples(resampled.collect())
}

impl Resamples {
    /// The 95 % interval of a statistic: NaN if it was NaN for a resample, `None` without resamples.
    pub(super) fn interval(&self, statistic: usize) -> Option<Interval> {
        (!self.0.is_empty()).then(|| percentiles(self.0.iter().map(|v| v[statistic]).collect()))
    }

    /// The same for how much it exceeds that of other units of which the same were drawn.
    pub(super) fn difference(&self, other: &Resamples, statistic: usize) -> Option<Interval> {
        let pairs = self.0.iter().zip(&other.0);
        let differences: Vec<f64> = pairs.map(|(a, b)| a[statistic] - b[statistic]).collect();
        (!differences.is_empty()).then(|| percentiles(differences))
    }
}

/// How often each unit is drawn in resample `i`: the same whichever thread draws it.
fn drawn(n: usize, seed: u64, i: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(i);
    let mut times = vec![0.0; n];
    for _ in 0..n {
        times[rng.random_range(0..n)] += 1.0;
    }
    times
}

fn percentiles(mut values: Vec<f64>) -> Interval {
    if values.is_empty() || values.iter().any(|v| v.is_nan()) {
        return Interval {
            low: f64::NAN,
            high: f64::NAN,
        };
    }
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        match below == above {
            // Without a product: infinity times 0 is NaN.
            true => values[below],
            false => values[below] + place.fract() * (values[above] - values[below]),
        }
    };
    Interval {
        low: at(0.025),
        high: at(0.975),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        // numpy.percentile([1, 2, 4, 8, 16], [2.5, 97.5]) = [1.1, 15.2]
        let interval = percentiles(vec![16.0, 1.0, 4.0, 8.0, 2.0]);
        assert!((interval.low - 1.1).abs() < 1e-12 && (interval.high - 15.2).abs() < 1e-12);
        assert!(percentiles(vec![1.0, f64::NAN]).low.is_nan());
        assert!(percentiles(Vec::new()).high.is_nan());
    }

    #[test]
    fn the_interval_of_a_mean_is_two_standard_errors_wide() {
        // 400 values 0..399: standard deviation 115.47, standard error of the mean 5.773; the
        // normal interval is 199.5 -+ 11.32.
        let mean = |times: &[f64]| {
            let sum: f64 = times.iter().enumerate().map(|(i, t)| t * i as f64).sum();
            vec![sum / 400.0]
        };
        let interval = bootstrap(400, 2_000, 3, mean).interval(0).unwrap();
        assert!((interval.low - 188.18).abs() < 1.0, "{interval:?}");
        assert!((interval.high - 210.82).abs() < 1.0, "{interval:?}");
        let again = |seed| bootstrap(400, 2_000, seed, mean);
        assert_eq!(Some(interval), again(3).interval(0));
        assert_ne!(Some(interval), again(4).interval(0));
        assert!(bootstrap(400, 0, 3, mean).interval(0).is_none());
        // The same units are drawn: what is larger by 1 in each is so without doubt.
        let more = bootstrap(400, 2_000, 3, |times| vec![mean(times)[0] + 1.0]);
        let difference = more.difference(&again(3), 0).unwrap();
        assert!((difference.low - 1.0).abs() < 1e-9 && (difference.high - 1.0).abs() < 1e-9);
    }
}
