//! The scale of a feature: the lengths of its decoder row at the sites that it writes sum to 1.
//! `sum_s |w_s| = 1`; with one site, unit length.
//!
//! Halving a feature's activation and doubling its decoder row gives the same map, so this only chooses one of
//! many equal maps. With it the crosscoder's penalty `acts_j sum_s |W_dec[j, s]|` (Lindsey et al. 2024) is
//! `acts_j`, and the largest `acts_j sum_s |W_dec[j, s]|` (Minder et al. 2025) are the largest `acts_j`.

use crate::sae::kernels;
use std::ops::Range;

/// The length of `w` at each site.
pub(in crate::sae::training::transcoders) fn norms(w: &[f32], sites: &[Range<usize>]) -> Vec<f32> {
    let norm = |site: &Range<usize>| kernels::dot(&w[site.clone()], &w[site.clone()]).sqrt();
    sites.iter().map(norm).collect()
}

/// Scales `w` to lengths that sum to 1; a row of zeros has no direction and is unchanged.
pub(in crate::sae::training::transcoders) fn normalise(w: &mut [f32], sites: &[Range<usize>]) {
    if sites.len() == 1 {
        return kernels::normalise(w);
    }
    let sum: f32 = norms(w, sites).iter().sum();
    if sum != 0.0 {
        w.iter_mut().for_each(|w| *w /= sum);
    }
}

/// Removes from the gradient `g` the component that would change the sum of the lengths: along
/// `(w_s / |w_s|)_s`, the sum's gradient.
pub(in crate::sae::training::transcoders) fn project(
    w: &[f32],
    g: &mut [f32],
    sites: &[Range<usize>],
) {
    if sites.len() == 1 {
        return kernels::project(w, g);
    }
    let norms = norms(w, sites);
    let there = norms.iter().filter(|norm| **norm > 0.0).count();
    let along: f32 = (sites.iter().zip(&norms).filter(|(_, norm)| **norm > 0.0))
        .map(|(site, norm)| kernels::dot(&g[site.clone()], &w[site.clone()]) / norm)
        .sum();
    for (site, norm) in sites.iter().zip(norms).filter(|(_, norm)| *norm > 0.0) {
        let factor = -along / (there as f32 * norm);
        kernels::add_scaled(factor, &w[site.clone()], &mut g[site.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_sum_to_one_and_a_projected_gradient_leaves_the_sum() {
        let sites = [0..2, 2..5];
        let mut w = [3.0, -4.0, 1.0, 2.0, 2.0];
        normalise(&mut w, &sites);
        // Lengths 5 and 3.
        let found = norms(&w, &sites);
        assert!((found[0] - 0.625).abs() < 1e-6 && (found[1] - 0.375).abs() < 1e-6);
        let mut g = [0.3, 0.7, -1.0, 0.5, 2.0];
        project(&w, &mut g, &sites);
        let moved = |step: f32| -> f32 {
            let moved: Vec<f32> = w.iter().zip(g).map(|(w, g)| w + step * g).collect();
            norms(&moved, &sites).iter().sum()
        };
        assert!((moved(1e-3) - moved(-1e-3)).abs() < 1e-6);
        // The result has no component left to remove.
        let before = g;
        project(&w, &mut g, &sites);
        assert!(g.iter().zip(before).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_site_of_zeros_is_left_alone() {
        let sites = [0..1, 1..2];
        let (w, mut g) = ([2.0, 0.0], [1.0, 5.0]);
        project(&w, &mut g, &sites);
        assert_eq!(g, [0.0, 5.0]);
        let mut zero = [0.0, 0.0];
        normalise(&mut zero, &sites);
        assert_eq!(zero, [0.0, 0.0]);
    }
}
