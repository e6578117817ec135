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

/// The 95 % intervals of several statistics of `n` units, from `n_resamples` resamples drawn by `seed`.
///
/// `statistics` is given how often each unit was drawn, `[n]`. An interval is NaN if its statistic was
/// NaN for a resample, or if there is no resample.
pub(super) fn bootstrap(
    n: usize,
    n_resamples: usize,
    seed: u64,
    statistics: impl Fn(&[f64]) -> Vec<f64> + Sync,
) -> Vec<Interval> {
    let resampled: Vec<Vec<f64>> = (0..n_resamples)
        .into_par_iter()
        .map(|i| statistics(&drawn(n, seed, i as u64)))
        .collect();
    let n_statistics = match resampled.first() {
        Some(first) => first.len(),
        None => statistics(&vec![1.0; n]).len(),
    };
    (0..n_statistics)
        .map(|s| percentiles(resampled.iter().map(|values| values[s]).collect()))
        .collect()
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
        let interval = bootstrap(400, 2_000, 3, mean)[0];
        assert!((interval.low - 188.18).abs() < 1.0, "{interval:?}");
        assert!((interval.high - 210.82).abs() < 1.0, "{interval:?}");
        assert_eq!(interval, bootstrap(400, 2_000, 3, mean)[0]);
        assert_ne!(interval, bootstrap(400, 2_000, 4, mean)[0]);
        assert!(bootstrap(400, 0, 3, mean)[0].low.is_nan());
    }
}
