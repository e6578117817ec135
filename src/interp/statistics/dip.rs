//! Hartigan's dip: how far a sample is from the nearest distribution with one mode.
//! `dip = min over unimodal G of max_x |F_n(x) - G(x)|`, from 1/(2n) up to 1/4.
//! Source: Hartigan and Hartigan 1985; the algorithm AS 217 (P. M. Hartigan 1985), as corrected by Maechler.

use crate::error::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The dip of a sample; NaN where a value is not finite. 0 for an empty sample.
///
/// ```
/// use holoscope::interp::dip;
/// let two_clumps: Vec<f64> = (0..100).map(|i| if i < 50 { 0.0 } else { 1.0 }).collect();
/// assert!((dip(&two_clumps) - 0.25).abs() < 1e-9);
/// ```
pub fn dip(values: &[f64]) -> f64 {
    if values.iter().any(|v| !v.is_finite()) {
        return f64::NAN;
    }
    let mut x = values.to_vec();
    x.sort_by(f64::total_cmp);
    dip_of_sorted(&x)
}

/// Share of `replicates` uniform samples of size `n` whose dip is at least `dip`: the p-value of
/// the dip test, the uniform being the least favourable distribution with one mode.
pub fn dip_p_value(dip: f64, n: usize, replicates: usize, seed: u64) -> f64 {
    let p = dip_p_value_unless(dip, n, replicates, seed, &mut || Ok(()));
    p.unwrap_or(f64::NAN) // Only an interrupt is an error, and this call has none.
}

/// As [`dip_p_value`]; `check` is asked before each sample, and its error ends the draws.
pub(super) fn dip_p_value_unless(
    dip: f64,
    n: usize,
    replicates: usize,
    seed: u64,
    check: &mut dyn FnMut() -> Result<()>,
) -> Result<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut at_least = 0;
    let mut x = vec![0.0; n];
    for _ in 0..replicates {
        check()?;
        x.fill_with(|| rng.random::<f64>());
        x.sort_by(f64::total_cmp);
        at_least += usize::from(dip_of_sorted(&x) >= dip);
    }
    // The sample itself counts as one draw, so that the p-value is never 0.
    Ok((at_least + 1) as f64 / (replicates + 1) as f64)
}

fn dip_of_sorted(x: &[f64]) -> f64 {
    let n = x.len();
    if n == 0 {
        return 0.0;
    }
    if n < 2 || x[0] == x[n - 1] {
        return 1.0 / (2.0 * n as f64);
    }
    let (minorant, majorant) = (minorant_links(x), majorant_links(x));
    let (mut low, mut high) = (0, n - 1);
    // In units of 1/(2n) until the end.
    let mut dip: f64 = 1.0;
    loop {
        // Change points of the convex minorant (from high down) and concave majorant (from low up).
        let gcm = chain(high, low, &minorant);
        let lcm = chain(low, high, &majorant);
        let (gap, ig, ih) = largest_gap(x, &gcm, &lcm);
        if gap < dip {
            break;
        }
        let left = gcm[ig..]
            .windows(2)
            .map(|w| above_chord(x, w[1], w[0]))
            .fold(0.0, f64::max);
        let right = lcm[ih..]
            .windows(2)
            .map(|w| below_chord(x, w[0], w[1]))
            .fold(0.0, f64::max);
        dip = dip.max(left.max(right));
        if low == gcm[ig] && high == lcm[ih] {
            break;
        }
        (low, high) = (gcm[ig], lcm[ih]);
    }
    dip / (2.0 * n as f64)
}

/// For each point the previous change point of the greatest convex minorant that ends there.
fn minorant_links(x: &[f64]) -> Vec<usize> {
    let mut link = vec![0; x.len()];
    for j in 1..x.len() {
        link[j] = j - 1;
        while link[j] != 0 {
            let (a, b) = (link[j], link[link[j]]);
            if (x[j] - x[a]) * ((a - b) as f64) < (x[a] - x[b]) * ((j - a) as f64) {
                break;
            }
            link[j] = b;
        }
    }
    link
}

/// For each point the next change point of the least concave majorant that starts there.
fn majorant_links(x: &[f64]) -> Vec<usize> {
    let last = x.len() - 1;
    let mut link = vec![last; x.len()];
    for k in (0..last).rev() {
        link[k] = k + 1;
        while link[k] != last {
            let (a, b) = (link[k], link[link[k]]);
            if (x[a] - x[k]) * ((b - a) as f64) < (x[b] - x[a]) * ((a - k) as f64) {
                break;
            }
            link[k] = b;
        }
    }
    link
}

/// Follows links from one end of the modal interval to the other, or just past it.
fn chain(from: usize, to: usize, link: &[usize]) -> Vec<usize> {
    let down = from > to;
    let mut points = vec![from];
    let mut at = from;
    while (down && at > to) || (!down && at < to) {
        at = link[at];
        points.push(at);
    }
    points
}

/// The largest distance between minorant and majorant, and where on each it lies.
fn largest_gap(x: &[f64], gcm: &[usize], lcm: &[usize]) -> (f64, usize, usize) {
    let (mut ig, mut ih) = (gcm.len() - 1, lcm.len() - 1);
    if gcm.len() == 2 && lcm.len() == 2 {
        return (1.0, ig, ih);
    }
    let mut gap = 0.0;
    let (mut ix, mut iv) = (gcm.len() as isize - 2, 1);
    loop {
        let (g, l) = (gcm[ix.max(0) as usize], lcm[iv]);
        if g > l {
            let before = gcm[ix as usize + 1];
            let slope = (g - before) as f64 / (x[g] - x[before]);
            let d = (l as f64 - before as f64 + 1.0) - (x[l] - x[before]) * slope;
            iv += 1;
            if d >= gap {
                (gap, ig, ih) = (d, ix as usize + 1, iv - 1);
            }
        } else {
            let before = lcm[iv - 1];
            let slope = (l - before) as f64 / (x[l] - x[before]);
            let d = (x[g] - x[before]) * slope - (g as f64 - before as f64 - 1.0);
            ix -= 1;
            if d >= gap {
                (gap, ig, ih) = (d, (ix + 1) as usize, iv);
            }
        }
        ix = ix.max(0);
        iv = iv.min(lcm.len() - 1);
        if gcm[ix as usize] == lcm[iv] {
            return (gap, ig, ih);
        }
    }
}

/// How far the sample rises above the chord of the minorant from b to e, at least 1.
fn above_chord(x: &[f64], b: usize, e: usize) -> f64 {
    if e - b <= 1 || x[e] == x[b] {
        return 1.0;
    }
    let slope = (e - b) as f64 / (x[e] - x[b]);
    (b..=e)
        .map(|j| (j - b) as f64 + 1.0 - (x[j] - x[b]) * slope)
        .fold(1.0, f64::max)
}

/// How far the sample falls below the chord of the majorant from b to e, at least 1.
fn below_chord(x: &[f64], b: usize, e: usize) -> f64 {
    if e - b <= 1 || x[e] == x[b] {
        return 1.0;
    }
    let slope = (e - b) as f64 / (x[e] - x[b]);
    (b..=e)
        .map(|j| (x[j] - x[b]) * slope - (j as f64 - b as f64 - 1.0))
        .fold(1.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_points_have_the_smallest_dip() {
        let x: Vec<f64> = (0..200).map(f64::from).collect();
        assert!((dip(&x) - 1.0 / 400.0).abs() < 1e-12);
        assert_eq!(dip(&[]), 0.0);
        assert_eq!(dip(&[3.0, 3.0]), 0.25);
        assert!(dip(&[3.0, 3.0, f64::NAN]).is_nan());
    }

    #[test]
    fn the_dip_does_not_change_under_shift_scale_and_reflection() {
        let x: Vec<f64> = (0..97).map(|i| f64::from(i * i % 101)).collect();
        let moved: Vec<f64> = x.iter().map(|v| 7.0 - 3.0 * v).collect();
        assert!((dip(&x) - dip(&moved)).abs() < 1e-12);
    }

    // 1/4 is the supremum: a unimodal G can do no better than halve a jump of 1/2.
    #[test]
    fn two_separated_groups_approach_a_quarter() {
        let x: Vec<f64> = (0..60)
            .map(|i| f64::from(i % 30) / 30.0 + if i < 30 { 0.0 } else { 100.0 })
            .collect();
        let d = dip(&x);
        assert!(d > 0.24 && d <= 0.25, "{d}");
    }

    // The 95 % point of the dip of 50 uniform points is 0.07027 (table qDiptab of R's diptest).
    #[test]
    fn the_p_value_agrees_with_the_published_table() {
        let p = dip_p_value(0.07027, 50, 10_000, 1);
        assert!((p - 0.05).abs() < 0.007, "{p}");
    }
}
