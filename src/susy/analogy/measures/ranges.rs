//! Heads with latent spaces of their own: how near any choice of their bases can bring a pair to
//! holoraumy that is a complex structure. `D_IJ^2 = (1/k) sum (1 - c_i)^2`, c_i cosines of principal angles.
//! Source: ours (proof below); principal angles: Bjorck and Golub 1973; rho: Radon 1922, Hurwitz 1923.

use crate::error::{Error, Result};
use crate::susy::analogy::{Family, Gauge, RealMatrix, Side};

/// `D^2 = (1/k) sum over i of (1 - c_i)^2` of the ranges of two isometries `[d, k]`, k <= d.
///
/// **Theorem.** For k even, `D^2` is the minimum of `|U_I^T U_J B - J|^2/k` over gauges B in O(k)
/// and complex structures J (`J^T = -J`, `J^2 = -1`). *Proof.* `|C B - J|^2 = |C - J B^T|^2`, and
/// `J B^T` is any Q of O(k): given Q take any J and `B = Q^T J`, for then
/// `J B^T = J J^T Q = Q`. The minimum of `|C - Q|^2` over O(k) is at the polar factor of C and is
/// `sum (1 - c_i)^2` (von Neumann), c_i the singular values of `C = U_I^T U_J`, which are the
/// cosines of the principal angles. A gauge on both colours adds nothing, as the c_i stay.
///
/// So what a gauge per head leaves of a pair's holoraumy is whether the ranges coincide: D = 0
/// exactly then. With V~ the antisymmetric part of `C B` and the rest `(R_I L_J + R_J L_I)/2`,
/// `|C B - J|^2 = |V~ - J|^2 + |R_I L_J + R_J L_I|^2/4`: D^2 is the least sum of *both* defects, of
/// the holoraumy from a complex structure and of the pair from the garden relation. It bounds neither
/// alone: orthogonal ranges (D = 1) satisfy the garden relation, and for cosines (1, 0), D^2 = 1/2, some
/// gauge has `|V~ - J|^2/k = 1/4`.
///
/// For odd k there is no complex structure; D is still the distance of C from O(k).
///
/// Invariance: `C -> B_I^T C B_J` has the same singular values, O cancels.
///
/// # Errors
/// Different shapes, or columns that are not orthonormal (to 1e-8).
pub fn range_distance_sqr(a: &RealMatrix, b: &RealMatrix) -> Result<f64> {
    if a.shape() != b.shape() {
        return Err(Error::shape("second isometry", a.shape(), b.shape()));
    }
    let k = a.n_columns();
    for u in [a, b] {
        let defect = u.transpose().times(u).plus(-1.0, &RealMatrix::identity(k));
        let size = defect.norm_sqr().sqrt();
        if size.is_nan() || size > 1e-8 * (k as f64).sqrt() {
            return Err(Error::argument(
                "|U^T U - 1|",
                size,
                "columns must be orthonormal",
            ));
        }
    }
    let cosines = a.transpose().times(b).singular_values()?.values;
    // Rounding may leave a cosine above 1.
    let terms = cosines.iter().map(|c| (1.0 - c.min(1.0)).powi(2));
    Ok(terms.sum::<f64>() / k as f64)
}

/// The largest N for which N colours of size k satisfy the garden algebra: with `k = 2^(4a + b) odd`,
/// b < 4, `rho(k) = 8a + 2^b` (Radon and Hurwitz); 0 for k = 0.
///
/// Heads whose ranges coincide, N <= rho(k) of them, have a gauge in which they are an exact garden
/// representation: `U_I = E B_I` with one E, so `A_I = B_I^T K_I` gives `E K_I`. For N > rho(k) no
/// gauge does.
///
/// ```
/// use holoscope::susy::analogy::radon_hurwitz;
/// assert_eq!([1, 2, 4, 8, 16, 12, 64].map(radon_hurwitz), [1, 2, 4, 8, 9, 4, 12]);
/// ```
pub fn radon_hurwitz(k: usize) -> usize {
    if k == 0 {
        return 0;
    }
    let twos = k.trailing_zeros() as usize;
    8 * (twos / 4) + (1 << (twos % 4))
}

impl Family {
    /// The mean of [`range_distance_sqr`] over all pairs of colours.
    ///
    /// # Errors
    /// Another gauge than [`Gauge::PerColour`] or [`Gauge::Common`], one colour, maps
    /// without full rank, k > d.
    pub fn range_distance_sqr(&self, side: Side) -> Result<f64> {
        use Gauge::{Common, PerColour};
        if !matches!(self.gauge(), PerColour | Common) {
            let reason = "needs isometries: the common gauge, or one per colour";
            return Err(Error::argument(
                "gauge",
                format!("{:?}", self.gauge()),
                reason,
            ));
        }
        self.require_pairs()?;
        // The distance sees ranges only, so that any basis does as well as the polar factor.
        let u: Result<Vec<RealMatrix>> = match side {
            Side::Read => self.l().iter().map(RealMatrix::range_basis).collect(),
            Side::Write => {
                let columns = self.r().iter().map(RealMatrix::transpose);
                columns.map(|r| r.range_basis()).collect()
            }
        };
        let u = u?;
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (i, a) in u.iter().enumerate() {
            for b in &u[i + 1..] {
                sum += range_distance_sqr(a, b)?;
                pairs += 1.0;
            }
        }
        Ok(sum / pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::chiral;
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// `i s2 x 1` in a random basis.
    fn complex_structure(k: usize, rng: &mut ChaCha8Rng) -> RealMatrix {
        let turn = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![-1.0, 0.0]]).unwrap();
        let basis = RealMatrix::haar(k, k, rng);
        basis
            .times(&turn.kronecker_identity(k / 2))
            .times(&basis.transpose())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn no_gauge_changes_the_distance(seed in 0u64..10_000, k in 1usize..5) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut draw = |rows, columns| RealMatrix::gaussian(rows, columns, &mut rng);
            let l = (0..3).map(|_| draw(9, k)).collect();
            let r = (0..3).map(|_| draw(k, 9)).collect();
            let family = Family::new("heads", l, r, Gauge::PerColour).unwrap();
            let other = family.in_random_gauge(seed + 1);
            for side in [Side::Read, Side::Write] {
                let [a, b] = [&family, &other].map(|f| f.range_distance_sqr(side).unwrap());
                prop_assert!((a - b).abs() < 1e-9);
            }
        }

        /// The theorem: the gauge of the proof attains `D^2`, and no random one goes below.
        #[test]
        fn the_distance_is_the_minimum_over_gauges(seed in 0u64..10_000, half in 1usize..4) {
            let k = 2 * half;
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let [u, w] = [0, 1].map(|_| RealMatrix::haar(10, k, &mut rng));
            let c = u.transpose().times(&w);
            let at = |b: &RealMatrix, j: &RealMatrix| {
                c.times(b).plus(-1.0, j).norm_sqr() / k as f64
            };
            let least = range_distance_sqr(&u, &w).unwrap();
            let j = complex_structure(k, &mut rng);
            let b = c.polar_factor().unwrap().transpose().times(&j);
            prop_assert!((at(&b, &j) - least).abs() < 1e-12);
            for size in [0.01, 0.3, 100.0] {
                let near = b.plus(size, &RealMatrix::gaussian(k, k, &mut rng)).polar_factor().unwrap();
                let other = complex_structure(k, &mut rng);
                prop_assert!(at(&near, &j) >= least - 1e-12);
                prop_assert!(at(&near, &other) >= least - 1e-12);
            }
        }
    }

    #[test]
    fn equal_ranges_are_at_0_orthogonal_ones_at_1() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let e = RealMatrix::haar(8, 8, &mut rng);
        let [first, last] = [[0, 1, 2, 3], [4, 5, 6, 7]].map(|c| e.permuted_columns(&c));
        let turned = first.times(&RealMatrix::haar(4, 4, &mut rng));
        assert!(range_distance_sqr(&first, &turned).unwrap() < 1e-24);
        assert!((range_distance_sqr(&first, &last).unwrap() - 1.0).abs() < 1e-12);
        assert!(range_distance_sqr(&first, &last.scaled(2.0)).is_err());
    }

    /// C = diag(1, 0): the gauge B = J leaves V~ = J/2 and as large a symmetric part.
    #[test]
    fn the_distance_bounds_the_sum_of_two_defects_and_neither_alone() {
        let columns = |all: [usize; 2]| RealMatrix::identity(3).permuted_columns(&all);
        let (u, w) = (columns([0, 1]), columns([0, 2]));
        let j = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![-1.0, 0.0]]).unwrap();
        let turned = u.transpose().times(&w).times(&j);
        let holoraumy = turned.antisymmetric_part();
        let alone = holoraumy.plus(-1.0, &j).norm_sqr() / 2.0;
        let relation = turned.plus(1.0, &turned.transpose()).norm_sqr() / 4.0 / 2.0;
        assert_eq!((alone, relation), (0.25, 0.25));
        assert_eq!(range_distance_sqr(&u, &w).unwrap(), 0.5);
    }

    #[test]
    fn heads_of_equal_range_have_a_gauge_in_which_they_are_a_garden_representation() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let e = RealMatrix::haar(9, 4, &mut rng);
        let heads: Vec<RealMatrix> = (0..4)
            .map(|_| e.times(&RealMatrix::gaussian(4, 4, &mut rng)))
            .collect();
        assert!(heads.len() <= radon_hurwitz(4));
        // U_I^T U_1 is the latent change of basis that makes all U_I equal; then K_I.
        let u: Vec<RealMatrix> = heads.iter().map(|w| w.polar_factor().unwrap()).collect();
        let garden = chiral().l;
        let fixed = u.iter().zip(&garden).map(|(w, k)| {
            let k = RealMatrix::from_signed_permutation(k);
            w.times(&w.transpose().times(&u[0])).times(&k)
        });
        let family = Family::with_transposes("fixed", fixed.collect(), Gauge::Common).unwrap();
        assert!(family.garden_defect().unwrap().fermionic.unwrap() < 1e-20);
        assert!(family.complex_structure_defect().unwrap() < 1e-12);
    }
}
