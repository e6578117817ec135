//! Blocks of dictionary features, which only permutations (and positive scales) may change: is one
//! block the other's, feature by feature, up to signs, half of them minus?
//! `C = U_I^T U_J` of unit columns; nearest signed permutation by an assignment. Source: ours (proofs below).

use crate::error::{Error, Result};
use crate::susy::analogy::{Family, Gauge, RealMatrix, Side, best_assignment};

/// How near `C = U_I^T U_J` is to a signed permutation S, and the signs of S.
///
/// **Theorem.** Permutations P_I, P_J exist for which `P_I^T C P_J` is an antisymmetric signed
/// permutation (a complex structure) exactly when C is a signed permutation with k/2 signs plus and
/// k/2 minus. *Proof.* Permutations keep a signed permutation one, and its signs as a multiset. An
/// antisymmetric one has pairs (i, j), (j, i) of opposite signs and nothing on the diagonal, so half
/// of its signs are minus. Conversely rows and columns can be put in any order: put the plus entries
/// at (1, 2), (3, 4), ... and the minus entries at (2, 1), (4, 3), ...
///
/// For more than two blocks this is necessary for each pair, but not sufficient for all at once.
/// Blocks `U_I = E diag(h_I)` with h_I rows of a Hadamard matrix of order k satisfy it for all k rows,
/// while the garden algebra has at most [`radon_hurwitz`](super::super::radon_hurwitz)`(k)` colours:
/// k = 12 has 12 rows and 4 colours.
///
/// Invariance: `C -> P_I^T C P_J` (O cancels, scales are gone with unit columns), and the assignment
/// is over all permutations.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockOverlap {
    /// The column of each row in the nearest signed permutation.
    pub columns: Vec<usize>,
    /// `m = (1/k) sum |C_i,columns(i)|`, in 0 to 1; chance is the mean of the best of k! matchings.
    pub matched_cosine: f64,
    /// `|C - S|^2/k`: 0 for a signed permutation; `|C|^2/k + 1 - 2 m`.
    pub signed_distance: f64,
    /// `|sum of the signs of S|/k`, in 0 to 1: 0 for as many plus as minus. Of no meaning where the
    /// matched cosine is that of chance: random signs give sqrt(2/(pi k)) on average.
    pub sign_balance: f64,
}

/// Compares two blocks of unit columns, `[d, k]`.
///
/// S is nearest because `|C - S|^2 = |C|^2 + k - 2 sum of S_ij C_ij`, and for a given permutation the
/// signs of C make the sum largest.
///
/// # Errors
/// Different shapes, columns that are not of unit length (to 1e-8).
pub fn block_overlap(a: &RealMatrix, b: &RealMatrix) -> Result<BlockOverlap> {
    if a.shape() != b.shape() {
        return Err(Error::shape("second block", a.shape(), b.shape()));
    }
    for norm in a.column_norms().into_iter().chain(b.column_norms()) {
        if (norm - 1.0).abs() > 1e-8 || norm.is_nan() {
            return Err(Error::argument("length of a column", norm, "must be 1"));
        }
    }
    let c = a.transpose().times(b);
    let k = c.n_rows();
    let size = RealMatrix::from_entries(k, k, |i, j| c.entry(i, j).abs());
    let columns = best_assignment(&size)?;
    let matched = columns.iter().enumerate().map(|(i, &j)| c.entry(i, j));
    let (mut total, mut signs) = (0.0, 0.0);
    for value in matched {
        total += value.abs();
        signs += if value < 0.0 { -1.0 } else { 1.0 };
    }
    let k = k as f64;
    Ok(BlockOverlap {
        columns,
        matched_cosine: total / k,
        signed_distance: (c.norm_sqr() + k - 2.0 * total) / k,
        sign_balance: f64::abs(signs) / k,
    })
}

impl Family {
    /// [`block_overlap`] of all pairs of colours I < J.
    ///
    /// # Errors
    /// Another gauge than [`Gauge::Features`], one colour, a feature of length 0.
    pub fn block_overlaps(&self, side: Side) -> Result<Vec<BlockOverlap>> {
        if self.gauge() != Gauge::Features {
            let reason = "needs blocks of features";
            return Err(Error::argument(
                "gauge",
                format!("{:?}", self.gauge()),
                reason,
            ));
        }
        self.require_pairs()?;
        let u = self.directions(side)?;
        let pairs = (0..u.len()).flat_map(|i| (i + 1..u.len()).map(move |j| (i, j)));
        pairs.map(|(i, j)| block_overlap(&u[i], &u[j])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::assignment::permutations;
    use crate::susy::analogy::{Gauge, radon_hurwitz};
    use crate::susy::{chiral, tensor, vector};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn random_blocks(n: usize, d: usize, k: usize, seed: u64) -> Family {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let l = (0..n)
            .map(|_| RealMatrix::gaussian(d, k, &mut rng))
            .collect();
        let r = (0..n)
            .map(|_| RealMatrix::gaussian(k, d, &mut rng))
            .collect();
        Family::new("blocks", l, r, Gauge::Features).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn no_gauge_changes_the_overlap(seed in 0u64..10_000, k in 1usize..7) {
            let family = random_blocks(3, 8, k, seed);
            let other = family.in_random_gauge(seed + 1);
            for side in [Side::Read, Side::Write] {
                let (a, b) = (family.block_overlaps(side).unwrap(), other.block_overlaps(side).unwrap());
                for (a, b) in a.iter().zip(&b) {
                    prop_assert!((a.matched_cosine - b.matched_cosine).abs() < 1e-9);
                    prop_assert!((a.signed_distance - b.signed_distance).abs() < 1e-9);
                    prop_assert!((a.sign_balance - b.sign_balance).abs() < 1e-9);
                }
            }
        }

        /// Against all 384 signed permutations of size 4.
        #[test]
        fn the_signed_permutation_is_the_nearest(seed in 0u64..10_000) {
            let family = random_blocks(2, 5, 4, seed);
            let u = family.directions(Side::Read).unwrap();
            let c = u[0].transpose().times(&u[1]);
            let nearest = crate::susy::SignedPermutation::all(4).unwrap().iter()
                .map(|s| c.plus(-1.0, &RealMatrix::from_signed_permutation(s)).norm_sqr() / 4.0)
                .fold(f64::MAX, f64::min);
            let found = &family.block_overlaps(Side::Read).unwrap()[0];
            prop_assert!((found.signed_distance - nearest).abs() < 1e-12);
        }

        /// The theorem, on all signs of k = 4: an antisymmetric form is reachable exactly when two
        /// of the four signs are minus.
        #[test]
        fn half_the_signs_must_be_minus(order in 0usize..24, minus in 0u8..16) {
            let all = permutations(4);
            let sign = |i: usize| if minus >> i & 1 == 1 { -1.0 } else { 1.0 };
            let c = RealMatrix::from_entries(4, 4, |i, j| {
                if all[order][i] == j { sign(i) } else { 0.0 }
            });
            let reachable = all.iter().any(|p| all.iter().any(|q| {
                let turned = RealMatrix::from_entries(4, 4, |i, j| c.entry(p[i], q[j]));
                turned.plus(1.0, &turned.transpose()).norm_sqr() == 0.0
            }));
            let overlap = block_overlap(&RealMatrix::identity(4), &c).unwrap();
            prop_assert_eq!(reachable, overlap.sign_balance == 0.0);
            prop_assert_eq!(overlap.matched_cosine, 1.0);
        }
    }

    #[test]
    fn multiplets_have_balanced_signed_permutations_also_copied_embedded_and_turned() {
        for multiplet in [chiral(), vector(), tensor()] {
            let e = RealMatrix::haar(13, 12, &mut ChaCha8Rng::seed_from_u64(9));
            let l = multiplet.l.iter();
            let l =
                l.map(|s| e.times(&RealMatrix::from_signed_permutation(s).kronecker_identity(3)));
            let family = Family::with_transposes("K", l.collect(), Gauge::Features).unwrap();
            for overlap in family
                .in_random_gauge(10)
                .block_overlaps(Side::Write)
                .unwrap()
            {
                assert!((overlap.matched_cosine - 1.0).abs() < 1e-12);
                assert!(overlap.signed_distance.abs() < 1e-12);
                assert_eq!(overlap.sign_balance, 0.0);
            }
        }
    }

    #[test]
    fn every_pair_may_balance_where_no_garden_representation_exists() {
        // Paley's Hadamard matrix of order 12 from the squares modulo 11.
        let square = |x: usize| matches!(x % 11, 1 | 3 | 4 | 5 | 9);
        let entry = |i: usize, j: usize| match (i, j) {
            (0, _) => 1.0,
            (_, 0) => -1.0,
            _ if i == j => 1.0,
            _ if square(j + 11 - i) => 1.0,
            _ => -1.0,
        };
        let blocks = (0..12)
            .map(|row| {
                RealMatrix::identity(12)
                    .scaled_columns(&(0..12).map(|j| entry(row, j)).collect::<Vec<_>>())
            })
            .collect();
        let family = Family::with_transposes("Hadamard", blocks, Gauge::Features).unwrap();
        assert!(family.n_colours() > radon_hurwitz(12));
        for overlap in family.block_overlaps(Side::Read).unwrap() {
            assert_eq!((overlap.matched_cosine, overlap.sign_balance), (1.0, 0.0));
        }
    }
}
