//! How far colours with one latent space are from the garden algebra and their holoraumy from a
//! complex structure. `V~_IJ = (U_I^T U_J - U_J^T U_I)/2`, `kappa = min over a of |(a V~)^2 + 1|^2/k`.
//! Source: ours; the relations are those of arXiv:1701.00304, section 2.

use crate::error::{Error, Result};
use crate::susy::analogy::{Family, RealMatrix, Side};

/// The complex-structure defect `kappa = min over a > 0 of |(a V)^2 + 1|^2/n` of an antisymmetric
/// V of size n: 0 when a multiple of V squares to -1, 1 for V = 0.
///
/// V has eigenvalues `+-i v_j`, so `|(a V)^2 + 1|^2 = sum (1 - a^2 v_j^2)^2`, least at
/// `a^2 = sum v^2/sum v^4`: `kappa = 1 - |V|^4/(n |V^2|^2)`, one minus the share of eigenvalues
/// that take part. It is at least 1/n for odd n, and for a random V of many rows, whose `v_j`
/// follow the semicircle (second moment 1, fourth 2), it is near 1/2: that, not 1, is chance.
///
/// # Errors
/// A matrix that is not square or empty.
pub fn complex_structure_defect(v: &RealMatrix) -> Result<f64> {
    v.require_square("V")?;
    let n = v.n_rows();
    if n == 0 {
        return Err(Error::argument("V", "empty", "needs at least one row"));
    }
    let (second, fourth) = (v.norm_sqr(), v.times(v).norm_sqr());
    // The smallest sizes at which the fourth power is not yet lost.
    if fourth <= f64::MIN_POSITIVE || second <= 1e-24 * n as f64 {
        return Ok(1.0);
    }
    Ok(1.0 - second * second / (n as f64 * fourth))
}

/// Distances of a family from the two garden relations; a relation that no family of this shape
/// can satisfy is `None`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GardenDefect {
    /// `sum over I, J of |R_I L_J + R_J L_I - 2 delta_IJ 1|^2/(k N^2)`, where k <= d.
    ///
    /// On its own it proves little: colours with orthogonal ranges, `U_I^T U_J = 0`, satisfy
    /// this relation exactly and have no holoraumy at all. Read it with kappa.
    pub fermionic: Option<f64>,
    /// `sum over I, J of |L_I R_J + L_J R_I - 2 delta_IJ 1|^2/(d N^2)`, where k >= d.
    pub bosonic: Option<f64>,
}

impl Family {
    /// The holoraumy of all pairs I < J in the space that the maps fill: `V~_IJ` `[k, k]` on the
    /// latent space for k <= d, `V_IJ = (U_I U_J^T - U_J U_I^T)/2` `[d, d]` for k > d.
    ///
    /// # Errors
    /// A gauge without a shared latent space, one colour, maps without full rank.
    pub fn holoraumy(&self) -> Result<Vec<RealMatrix>> {
        self.require_shared_latent("holoraumy of")?;
        self.require_pairs()?;
        let u = self.directions(Side::Read)?;
        let narrow = self.k() <= self.d();
        let mut all = Vec::new();
        for (i, a) in u.iter().enumerate() {
            for b in &u[i + 1..] {
                let product = if narrow {
                    a.transpose().times(b)
                } else {
                    a.times(&b.transpose())
                };
                all.push(product.antisymmetric_part());
            }
        }
        Ok(all)
    }

    /// The mean of [`complex_structure_defect`] over the holoraumy of all pairs.
    ///
    /// Invariance: `U_I -> O U_I B` gives `B^T V~ B`, which has the same `|V~|` and `|V~^2|`;
    /// for hidden units (k > d) permutations cancel in `U_I U_J^T` and O conjugates.
    ///
    /// # Errors
    /// Those of [`Family::holoraumy`].
    pub fn complex_structure_defect(&self) -> Result<f64> {
        let all = self.holoraumy()?;
        let n = all.len() as f64;
        let defects = all.iter().map(complex_structure_defect);
        Ok(defects.collect::<Result<Vec<f64>>>()?.iter().sum::<f64>() / n)
    }

    /// The distances from the garden relations of the normalised maps, with `R_I = U_I^T`.
    ///
    /// Invariance: as for [`Family::complex_structure_defect`]; the identity is left alone by
    /// conjugation with B and with O.
    ///
    /// # Errors
    /// Those of [`Family::holoraumy`].
    pub fn garden_defect(&self) -> Result<GardenDefect> {
        self.require_shared_latent("garden defect of")?;
        self.require_pairs()?;
        let (d, k) = (self.d(), self.k());
        let u = self.directions(Side::Read)?;
        let ut: Vec<RealMatrix> = u.iter().map(RealMatrix::transpose).collect();
        Ok(GardenDefect {
            fermionic: (k <= d).then(|| relation(&ut, &u)),
            bosonic: (k >= d).then(|| relation(&u, &ut)),
        })
    }
}

/// `sum over I, J of |A_I B_J + A_J B_I - 2 delta_IJ 1|^2/(n N^2)`.
fn relation(a: &[RealMatrix], b: &[RealMatrix]) -> f64 {
    let (n, colours) = (a[0].n_rows(), a.len());
    let one = RealMatrix::identity(n);
    let mut sum = 0.0;
    for i in 0..colours {
        for j in 0..colours {
            let both = a[i].times(&b[j]).plus(1.0, &a[j].times(&b[i]));
            let delta = if i == j { -2.0 } else { 0.0 };
            sum += both.plus(delta, &one).norm_sqr();
        }
    }
    sum / (n * colours * colours) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::Gauge;
    use crate::susy::{chiral, tensor, vector};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn random_family(gauge: Gauge, d: usize, k: usize, seed: u64) -> Family {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let l = (0..2)
            .map(|_| RealMatrix::gaussian(d, k, &mut rng))
            .collect();
        Family::with_transposes("random", l, gauge).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn no_gauge_changes_the_defects(seed in 0u64..10_000, k in 2usize..6) {
            let gauges = [
                (Gauge::Common, 7, k),
                (Gauge::Contragredient, 7, k),
                (Gauge::HiddenUnits { scales: false }, k, 7),
                (Gauge::HiddenUnits { scales: true }, k, 7),
            ];
            for (gauge, d, k) in gauges {
                let family = random_family(gauge, d, k, seed);
                let other = family.in_random_gauge(seed + 1);
                let [a, b] = [&family, &other].map(|f| f.complex_structure_defect().unwrap());
                prop_assert!((a - b).abs() < 1e-9, "{gauge:?}: {a} {b}");
                let [a, b] = [&family, &other].map(|f| f.garden_defect().unwrap());
                prop_assert_eq!(a.fermionic.is_some(), k <= d);
                for (a, b) in [(a.fermionic, b.fermionic), (a.bosonic, b.bosonic)] {
                    prop_assert!((a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-9);
                }
            }
        }

        /// Against a search over scales from 1e-3 to 1e6, each 0.2 % above the one before.
        ///
        /// `|1 + t V^2|^2` is a parabola in t: where t is r times the best one, it lies
        /// `(1 - kappa)(r - 1)^2` above kappa, at most 1e-6 for the nearest of the grid.
        #[test]
        fn kappa_is_the_minimum_over_scales(seed in 0u64..10_000) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let v = RealMatrix::gaussian(5, 5, &mut rng).antisymmetric_part();
            let square = v.times(&v);
            let at = |t: f64| RealMatrix::identity(5).plus(t, &square).norm_sqr() / 5.0;
            let kappa = complex_structure_defect(&v).unwrap();
            let scales = (0..10_372).map(|i| 1e-3 * 1.002_f64.powi(i));
            let least = scales.map(at).fold(f64::MAX, f64::min);
            prop_assert!(kappa <= least + 1e-12 && least - kappa < 1.1e-6, "{kappa} {least}");
            // Odd size: one eigenvalue is 0.
            prop_assert!(kappa >= 0.2 - 1e-12);
        }
    }

    #[test]
    fn multiplets_have_no_defect_also_embedded_copied_and_turned() {
        for multiplet in [chiral(), vector(), tensor()] {
            for copies in [1, 3] {
                let family = Family::from_multiplet(&multiplet, copies, Gauge::Common).unwrap();
                let turned = family.in_random_gauge(8);
                let defect = turned.garden_defect().unwrap();
                assert!(defect.fermionic.unwrap() < 1e-20 && defect.bosonic.unwrap() < 1e-20);
                assert!(turned.complex_structure_defect().unwrap() < 1e-12);
            }
        }
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let e = RealMatrix::haar(11, 4, &mut rng);
        let l = chiral()
            .l
            .iter()
            .map(|s| e.times(&RealMatrix::from_signed_permutation(s)))
            .collect();
        let embedded = Family::with_transposes("embedded", l, Gauge::Common).unwrap();
        let defect = embedded.garden_defect().unwrap();
        assert!(defect.fermionic.unwrap() < 1e-20 && defect.bosonic.is_none());
        assert!(embedded.complex_structure_defect().unwrap() < 1e-12);
    }

    #[test]
    fn orthogonal_ranges_satisfy_the_fermionic_relation_without_any_holoraumy() {
        let l = (0..2)
            .map(|c| RealMatrix::from_entries(4, 2, |i, j| f64::from(u8::from(i == 2 * c + j))))
            .collect();
        let family = Family::with_transposes("apart", l, Gauge::Common).unwrap();
        assert_eq!(family.garden_defect().unwrap().fermionic, Some(0.0));
        assert_eq!(family.complex_structure_defect().unwrap(), 1.0);
    }

    /// By Wick's theorem, for entries of variance 1/2: `E |V|^2 = n (n - 1)/2` and
    /// `E |V^2|^2 = n (n - 1)(2 n - 1)/4`, so kappa is near `1 - (n - 1)/(2 n - 1) = n/(2 n - 1)`; both are
    /// linear statistics, whose fluctuations relative to their means are O(1/n).
    #[test]
    fn a_random_antisymmetric_matrix_has_defect_one_half() {
        let n = 80;
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let v = RealMatrix::gaussian(n, n, &mut rng).antisymmetric_part();
        let kappa = complex_structure_defect(&v).unwrap();
        let expected = n as f64 / (2 * n - 1) as f64;
        assert!((kappa - expected).abs() < 4.0 / n as f64, "{kappa}");
    }

    #[test]
    fn independent_latent_spaces_have_no_holoraumy() {
        assert!(
            random_family(Gauge::PerColour, 7, 4, 1)
                .holoraumy()
                .is_err()
        );
        assert!(
            random_family(Gauge::Features, 7, 4, 1)
                .garden_defect()
                .is_err()
        );
    }
}
