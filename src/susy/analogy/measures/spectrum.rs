//! One map `M = L R` of R^d: is it antisymmetric, does it turn by a quarter, does it copy?
//! `s = <M, M^T>/|M|^2`; `q = sum |z| sin^2(arg z)/sum |z|`, `c = sum Re z/sum |z|` over eigenvalues z.
//! Source: ours, but for c: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

use crate::error::{Error, Result};
use crate::susy::analogy::RealMatrix;
use crate::susy::four_d::Complex;

/// The symmetry index `s = <M, M^T>/|M|^2`: 1 for symmetric, -1 for antisymmetric maps, near 0
/// for random ones.
///
/// Two colours with one latent space close on the bosons, `L_1 L_2^T + L_2 L_1^T = 0`, exactly
/// when s = -1 for `M = L_1 L_2^T`: `|M + M^T|^2 = 2 |M|^2 (1 + s)`.
///
/// Invariance: A in GL(k) leaves M; O gives `O M O^T`, whose transpose is `O M^T O^T`, and the
/// Frobenius product is invariant under conjugation with O.
///
/// For a random M of independent normal entries `E <M, M^T> = d` (the diagonal) and
/// `|M|^2 ~ d^2`, so s is 1/d on average, with a standard deviation near sqrt(2)/d.
///
/// # Errors
/// A matrix that is not square, or zero.
pub fn symmetry_index(m: &RealMatrix) -> Result<f64> {
    m.require_square("M")?;
    let size = m.norm_sqr();
    if size == 0.0 {
        return Err(Error::argument(
            "M",
            "0",
            "a zero map has no symmetry index",
        ));
    }
    Ok(m.dot(&m.transpose()) / size)
}

/// What the nonzero eigenvalues of a map say.
#[derive(Debug, Clone, PartialEq)]
pub struct MapSpectrum {
    /// Eigenvalues of `R L` (k x k) or of `L R` (d x d), whichever is smaller: the nonzero ones
    /// are the same.
    pub eigenvalues: Vec<Complex>,
    /// `q`, in 0 to 1: 1 for a rotation by pi/2 (the angle of electromagnetic duality), 0 for a
    /// real spectrum, 1/2 for uniform phases.
    pub quarter_turn: f64,
    /// `c`, in -1 to 1: 1 for a map that copies.
    pub copying: f64,
}

/// The spectrum of `L R` for `l` `[d, k]`, `r` `[k, d]`.
///
/// Invariance: `R L -> A^-1 R O^T O L A` is similar to `R L`, so its eigenvalues stay.
///
/// For Ginibre's matrices (independent normal entries) the circular law has uniform phases, so q
/// tends to 1/2. At finite k there are about sqrt(2k/pi) real eigenvalues (Edelman, Kostlan and
/// Shub 1994), taken from the strip |Im z| < 1 about the real axis, where sin^2 was already small:
/// q is below 1/2 by O(1/k) only.
///
/// # Errors
/// Shapes that do not fit; only zero eigenvalues (a nilpotent map), which have no phase.
pub fn map_spectrum(l: &RealMatrix, r: &RealMatrix) -> Result<MapSpectrum> {
    let [d, k] = l.shape();
    if r.shape() != [k, d] {
        return Err(Error::shape("R", [k, d], r.shape()));
    }
    let small = if k <= d { r.times(l) } else { l.times(r) };
    let eigenvalues = small.eigenvalues()?;
    let size = |z: &Complex| z.norm_sqr().sqrt();
    let total: f64 = eigenvalues.iter().map(size).sum();
    // Eigenvalues of a nilpotent matrix come out as roots of rounding errors.
    if total <= 1e-7 * small.norm_sqr().sqrt() || total == 0.0 {
        return Err(Error::argument(
            "M",
            "nilpotent",
            "zero eigenvalues have no phase",
        ));
    }
    let turning = |z: &Complex| {
        if z.im == 0.0 {
            0.0
        } else {
            z.im * z.im / size(z)
        }
    };
    Ok(MapSpectrum {
        quarter_turn: eigenvalues.iter().map(turning).sum::<f64>() / total,
        copying: eigenvalues.iter().map(|z| z.re).sum::<f64>() / total,
        eigenvalues,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::{Family, Gauge};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn spectrum_of(family: &Family) -> MapSpectrum {
        map_spectrum(&family.l()[0], &family.r()[family.n_colours() - 1]).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]

        #[test]
        fn no_gauge_changes_them(seed in 0u64..10_000, k in 1usize..7) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let [l, r] = [0, 1].map(|_| RealMatrix::gaussian(9, k, &mut rng));
            let head = Family::new("h", vec![l.clone()], vec![r.transpose()], Gauge::PerColour);
            let pair = Family::in_out("h", l.clone(), &r.transpose(), Gauge::Contragredient);
            let wide = Family::in_out("m", l.transpose(), &r, Gauge::HiddenUnits { scales: true });
            for family in [head, pair, wide] {
                let family = family.unwrap();
                let other = family.in_random_gauge(seed + 1);
                let [a, b] = [&family, &other].map(|f| symmetry_index(&f.maps()[0]).unwrap());
                prop_assert!((a - b).abs() < 1e-9);
                let [a, b] = [&family, &other].map(spectrum_of);
                prop_assert!((a.quarter_turn - b.quarter_turn).abs() < 1e-9);
                prop_assert!((a.copying - b.copying).abs() < 1e-9);
            }
        }

        /// `|M + M^T|^2 = 2 |M|^2 (1 + s)`.
        #[test]
        fn the_symmetry_index_measures_closure(seed in 0u64..10_000) {
            let m = RealMatrix::gaussian(5, 5, &mut ChaCha8Rng::seed_from_u64(seed));
            let s = symmetry_index(&m).unwrap();
            let residual = m.plus(1.0, &m.transpose()).norm_sqr();
            prop_assert!((residual - 2.0 * m.norm_sqr() * (1.0 + s)).abs() < 1e-9);
        }
    }

    #[test]
    fn a_planted_complex_structure_turns_by_a_quarter() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        // M = E J E^T with J^2 = -1 on 6 of 20 dimensions, in a random gauge of the latent space.
        let turn = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![-1.0, 0.0]]).unwrap();
        let j = turn.kronecker_identity(3);
        let e = RealMatrix::haar(20, 6, &mut rng);
        let r = j.times(&e.transpose());
        let pair = Family::in_out("J", e, &r, Gauge::Contragredient).unwrap();
        let pair = pair.in_random_gauge(4);
        assert!((symmetry_index(&pair.maps()[0]).unwrap() + 1.0).abs() < 1e-12);
        let spectrum = spectrum_of(&pair);
        assert!((spectrum.quarter_turn - 1.0).abs() < 1e-12);
        assert!(spectrum.copying.abs() < 1e-12);
    }

    #[test]
    fn a_symmetric_map_does_not_turn_and_a_positive_one_copies() {
        let x = RealMatrix::gaussian(7, 3, &mut ChaCha8Rng::seed_from_u64(5));
        let spectrum = map_spectrum(&x, &x.transpose()).unwrap();
        assert!(spectrum.quarter_turn < 1e-12);
        assert!((spectrum.copying - 1.0).abs() < 1e-12);
        let m = x.times(&x.transpose());
        assert!((symmetry_index(&m).unwrap() - 1.0).abs() < 1e-12);
    }

    /// The mean over n = 40 matrices of size k = 64. Linear statistics sum f(z/sqrt(k)) of the real
    /// Ginibre ensemble have variance 2 [(1/4 pi) int |grad f|^2 + (1/2) sum |j| |f_j|^2] (Rider and
    /// Virag 2007, doubled for real matrices). For f = |z| sin^2: |grad f|^2 = sin^4 + sin^2(2 arg),
    /// 7/32 in all, and f = (1 - cos 2 arg)/2 on the circle, 1/8: variance 11/16. The sum of |z| is
    /// 2k/3, so q has a standard deviation near 0.83/(2k/3) = 1.25/k = 0.02 and the mean of 40
    /// one of 0.0031. The bias is O(1/k); real eigenvalues and their neighbours, of which there
    /// are about sqrt(2k/pi), lose a weight of order (1/k) int (1/pi - rho(y)) y^2/|z|, below 2/k.
    #[test]
    fn ginibre_has_uniform_phases() {
        let (k, n) = (64, 40);
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        let one = RealMatrix::identity(k);
        let mean: f64 = (0..n)
            .map(|_| RealMatrix::gaussian(k, k, &mut rng))
            .map(|m| map_spectrum(&m, &one).unwrap().quarter_turn / f64::from(n))
            .sum();
        let tolerance = 2.0 / k as f64 + 4.0 * 0.0031;
        assert!((mean - 0.5).abs() < tolerance, "{mean}");
    }

    #[test]
    fn zero_and_nilpotent_maps_are_refused() {
        assert!(symmetry_index(&RealMatrix::zeros(3, 3)).is_err());
        let nilpotent = RealMatrix::from_rows(&[vec![0.0, 1.0], vec![0.0, 0.0]]).unwrap();
        assert!(map_spectrum(&nilpotent, &RealMatrix::identity(2)).is_err());
    }
}
