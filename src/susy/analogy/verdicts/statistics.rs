//! Deciding: permutation p-values, effect sizes, bootstrap intervals, false discovery rates.
//! `p = (1 + #{null as extreme})/(1 + n)`; effect `(observed - mean)/sd` of the null.
//! Source: Phipson and Smyth 2010; Efron 1979; Benjamini and Hochberg 1995.

use crate::error::{Error, Result};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Which values of a statistic count as extreme.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// Small values.
    Lower,
    /// Large values.
    Upper,
}

impl Tail {
    /// The other one.
    pub fn opposite(self) -> Tail {
        match self {
            Tail::Lower => Tail::Upper,
            Tail::Upper => Tail::Lower,
        }
    }
}

/// The permutation p-value `(1 + #{null at least as extreme})/(1 + n)`.
///
/// Valid at every n when observed and null values are exchangeable: P(p <= a) <= a, with equality for
/// a multiple a of 1/(n + 1) and no ties. The smallest possible is 1/(n + 1).
///
/// ```
/// use holoscope::susy::analogy::{Tail, permutation_p};
/// assert_eq!(permutation_p(2.0, &[0.0, 1.0, 3.0], Tail::Upper)?, 0.5);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// An empty null, a value that is not finite.
pub fn permutation_p(observed: f64, null: &[f64], tail: Tail) -> Result<f64> {
    require_finite(null, "null value")?;
    require_finite(&[observed], "observed value")?;
    let extreme = null.iter().filter(|&&x| match tail {
        Tail::Upper => x >= observed,
        Tail::Lower => x <= observed,
    });
    Ok((1 + extreme.count()) as f64 / (1 + null.len()) as f64)
}

/// `(observed - mean of the null)/(standard deviation of the null, over n - 1)`; 0 where the observed
/// value is the constant null's, infinite where it differs from a constant null.
///
/// # Errors
/// Fewer than two null values, a value that is not finite.
pub fn effect_size(observed: f64, null: &[f64]) -> Result<f64> {
    require_finite(&[observed], "observed value")?;
    let (mean, sd) = mean_and_sd(null)?;
    if observed == mean {
        return Ok(0.0);
    }
    Ok((observed - mean) / sd)
}

/// Mean and standard deviation, over n - 1.
pub(super) fn mean_and_sd(values: &[f64]) -> Result<(f64, f64)> {
    require_finite(values, "value")?;
    let n = values.len() as f64;
    if values.len() < 2 {
        return Err(Error::argument(
            "values",
            values.len(),
            "needs at least two",
        ));
    }
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    Ok((mean, (squares / (n - 1.0)).sqrt()))
}

/// From where to where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The percentile bootstrap interval of the mean of `values`: the middle `level` (for example 0.95)
/// of the means of `draws` resamples. Same seed, same interval.
///
/// # Errors
/// Fewer than two values, one that is not finite, no draws, a level outside (0, 1).
pub fn bootstrap_interval(values: &[f64], level: f64, draws: usize, seed: u64) -> Result<Interval> {
    mean_and_sd(values)?;
    if draws == 0 || !(level > 0.0 && level < 1.0) {
        let value = format!("({level}, {draws})");
        return Err(Error::argument(
            "(level, draws)",
            value,
            "level in (0, 1), draws above 0",
        ));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n = values.len();
    let mut means: Vec<f64> = (0..draws)
        .map(|_| (0..n).map(|_| values[rng.random_range(0..n)]).sum::<f64>() / n as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    // The smallest mean with at least this share of the means at or below it.
    let at = |share: f64| means[((share * draws as f64).ceil() as usize).clamp(1, draws) - 1];
    Ok(Interval {
        low: at((1.0 - level) / 2.0),
        high: at((1.0 + level) / 2.0),
    })
}

/// Benjamini and Hochberg's q-values: `q_(i) = min over j >= i of min(1, m p_(j)/j)` for the sorted
/// p-values, in the order given. Rejecting where q <= a is their step-up rule, which keeps the expected
/// share of false discoveries at or below a for independent tests.
///
/// # Errors
/// A p-value outside [0, 1].
pub fn q_values(p: &[f64]) -> Result<Vec<f64>> {
    if let Some(bad) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(Error::argument("p", bad, "must lie in 0 to 1"));
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut q = vec![0.0; p.len()];
    let mut least = 1.0f64;
    for (rank, &i) in order.iter().enumerate().rev() {
        least = least.min(p.len() as f64 * p[i] / (rank + 1) as f64);
        q[i] = least;
    }
    Ok(q)
}

/// Wilson's interval of a rate of `hits` of `trials`, for `z` standard deviations (1.96: 95 %).
///
/// # Errors
/// No trials, more hits than trials.
pub fn wilson_interval(hits: usize, trials: usize, z: f64) -> Result<Interval> {
    if trials == 0 || hits > trials {
        let value = format!("{hits} of {trials}");
        return Err(Error::argument(
            "hits",
            value,
            "needs trials, and no more hits",
        ));
    }
    let (n, rate) = (trials as f64, hits as f64 / trials as f64);
    let scale = 1.0 + z * z / n;
    let middle = (rate + z * z / (2.0 * n)) / scale;
    let half = z / scale * (rate * (1.0 - rate) / n + z * z / (4.0 * n * n)).sqrt();
    Ok(Interval {
        low: (middle - half).max(0.0),
        high: (middle + half).min(1.0),
    })
}

/// The seed of one of many draws: SplitMix64's output function (Steele, Lea and Flood 2014) of the
/// seed and the draw's index, so that the draws of neighbouring seeds are not each other's.
pub(in crate::susy::analogy) fn derived_seed(seed: u64, index: u64) -> u64 {
    let mix = |z: u64| {
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let step = 0x9e37_79b9_7f4a_7c15u64;
    mix(mix(seed.wrapping_add(step)).wrapping_add(step.wrapping_mul(index.wrapping_add(1))))
}

fn require_finite(values: &[f64], what: &'static str) -> Result<()> {
    if values.is_empty() {
        return Err(Error::argument(what, "none", "needs at least one"));
    }
    match values.iter().find(|x| !x.is_finite()) {
        None => Ok(()),
        Some(x) => Err(Error::argument(what, x, "must be finite")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The fifteen p-values of the example in Benjamini and Hochberg 1995, section 4, of which their
    /// procedure rejects the first four at 0.05 (Bonferroni's the first three).
    const PUBLISHED: [f64; 15] = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
        0.5719, 0.6528, 0.7590, 1.0000,
    ];

    #[test]
    fn the_published_example_rejects_four() {
        let q = q_values(&PUBLISHED).unwrap();
        let rejected: Vec<bool> = q.iter().map(|&q| q <= 0.05).collect();
        assert_eq!(rejected.iter().filter(|r| **r).count(), 4);
        assert!(rejected[..4].iter().all(|r| *r));
    }

    #[test]
    fn q_values_by_hand() {
        // Sorted 0.01, 0.02, 0.03, 0.5: 4 p/rank = 0.04, 0.04, 0.04, 0.5.
        let q = q_values(&[0.03, 0.5, 0.01, 0.02]).unwrap();
        for (q, expected) in q.iter().zip([0.04, 0.5, 0.04, 0.04]) {
            assert!((q - expected).abs() < 1e-15);
        }
        assert!(q_values(&[0.5, 1.2]).is_err() && q_values(&[f64::NAN]).is_err());
        assert!(q_values(&[]).unwrap().is_empty());
    }

    proptest! {
        /// The published rule: the largest i with p_(i) <= i a/m, and all before it.
        #[test]
        fn q_values_follow_the_step_up_rule(
            p in prop::collection::vec(0.0f64..1.0, 1..20), alpha in 0.01f64..0.9
        ) {
            let q = q_values(&p).unwrap();
            let mut sorted = p.clone();
            sorted.sort_by(f64::total_cmp);
            let m = p.len() as f64;
            let last = (1..=p.len()).rev().find(|&i| sorted[i - 1] * m / i as f64 <= alpha);
            let bound = last.map_or(-1.0, |i| sorted[i - 1]);
            for (p, q) in p.iter().zip(&q) {
                prop_assert_eq!(*q <= alpha, *p <= bound);
            }
        }

        #[test]
        fn p_values_of_the_two_tails_cover_everything(
            observed in -3i32..4, null in prop::collection::vec(-3i32..4, 1..30)
        ) {
            let values: Vec<f64> = null.iter().map(|&x| f64::from(x)).collect();
            let of = |tail| permutation_p(f64::from(observed), &values, tail).unwrap();
            let ties = null.iter().filter(|&&x| x == observed).count() as f64;
            let n = null.len() as f64;
            let sum = of(Tail::Lower) + of(Tail::Upper);
            prop_assert!((sum - (n + 2.0 + ties) / (n + 1.0)).abs() < 1e-12);
        }
    }

    #[test]
    fn effect_sizes_by_hand() {
        // Mean 2, standard deviation 1 over n - 1.
        assert_eq!(effect_size(5.0, &[1.0, 2.0, 3.0]).unwrap(), 3.0);
        assert_eq!(effect_size(1.0, &[1.0, 1.0]).unwrap(), 0.0);
        assert!(effect_size(1.0, &[1.0]).is_err());
        assert!(permutation_p(f64::NAN, &[1.0], Tail::Upper).is_err());
        assert!(permutation_p(1.0, &[], Tail::Upper).is_err());
    }

    /// For 400 values the interval's half width is near 1.96 sd/sqrt(n).
    #[test]
    fn the_bootstrap_interval_is_as_wide_as_the_normal_one() {
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let (mean, sd) = mean_and_sd(&values).unwrap();
        let interval = bootstrap_interval(&values, 0.95, 2000, 7).unwrap();
        assert!(interval.low < mean && mean < interval.high);
        let width = (interval.high - interval.low) / (2.0 * 1.96 * sd / 20.0);
        assert!((width - 1.0).abs() < 0.1, "{width}");
        assert_eq!(
            interval,
            bootstrap_interval(&values, 0.95, 2000, 7).unwrap()
        );
        assert!(bootstrap_interval(&values, 1.0, 2000, 7).is_err());
        assert!(bootstrap_interval(&values[..1], 0.9, 10, 7).is_err());
    }

    /// Newcombe 1998, table I, method 3: 81 of 263 gives 0.2553 to 0.3662.
    #[test]
    fn wilsons_interval_has_the_published_value() {
        let interval = wilson_interval(81, 263, 1.959_964).unwrap();
        assert!((interval.low - 0.2553).abs() < 5e-5, "{interval:?}");
        assert!((interval.high - 0.3662).abs() < 5e-5, "{interval:?}");
        assert!(wilson_interval(3, 2, 1.96).is_err());
    }
}
