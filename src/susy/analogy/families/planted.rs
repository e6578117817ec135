//! Families that hold the algebra by construction, with noise: what the instrument must find.
//! `L_I = (E K_I + sigma G) A_I`: K an exact representation times copies, E a random isometry into R^d,
//! G of columns as long as E K_I's on average, A_I a random gauge. Source: ours.

use crate::error::{Error, Result};
use crate::susy::GardenMultiplet;
use crate::susy::analogy::verdicts::derived_seed;
use crate::susy::analogy::{Family, Gauge, RealMatrix};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Where in a network the algebra is planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planting {
    /// Colours with one latent space: `L_I = E K_I`, `R_I = L_I^T`.
    Common,
    /// Heads of a layer that share a range: the same in a random gauge a head; `L_I R_I` is symmetric.
    Heads,
    /// Heads whose maps are the bosonic holoraumy `M_IJ = E V_IJ E^T` of the pairs (1, 2), (1, 3),
    /// (2, 3), which spans an su(2).
    Generators,
    /// One head or MLP: `M = L_1 R_2 = E K_1 K_2^T E^T = E V_12 E^T`, antisymmetric.
    InOut,
    /// Blocks of features, in random order and scale: `L_I = E K_I`, `R_I = L_I^T`.
    Blocks,
}

/// A planted family, from `seed`; k is `copies` times the multiplet's d.
///
/// Noise is independent for reading and writing, but where `R_I = L_I^T` (common, in-out); at
/// `sigma = 1` it is as large as the signal.
///
/// # Errors
/// A multiplet outside the garden algebra, fewer colours than the place needs (2, or 3 for
/// generators), no copies, d below k, a negative sigma.
pub fn planted_family(
    planting: Planting,
    multiplet: &GardenMultiplet,
    copies: usize,
    d: usize,
    sigma: f64,
    seed: u64,
) -> Result<Family> {
    let k = check(planting, multiplet, copies, d, sigma)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let colours: Vec<RealMatrix> = multiplet
        .l
        .iter()
        .map(|s| RealMatrix::from_signed_permutation(s).kronecker_identity(copies))
        .collect();
    let e = RealMatrix::haar(d, k, &mut rng);
    // Columns of normal entries of variance 1/d are of length 1 on average.
    let size = sigma / (d as f64).sqrt();
    let mut noisy = |w: RealMatrix| w.plus(size, &RealMatrix::gaussian(d, k, &mut rng));
    let name = format!("{} planted, noise {sigma}", multiplet.name);
    let embedded = |w: &RealMatrix| e.times(w);
    let family = match planting {
        Planting::Common => {
            let l = colours.iter().map(|w| noisy(embedded(w))).collect();
            Family::with_transposes(&name, l, Gauge::Common)
        }
        Planting::InOut => {
            let l = colours[..2].iter().map(|w| noisy(embedded(w))).collect();
            Family::with_transposes(&name, l, Gauge::Contragredient)
        }
        Planting::Heads | Planting::Blocks => {
            let l = colours.iter().map(|w| noisy(embedded(w))).collect();
            let r = colours
                .iter()
                .map(|w| noisy(embedded(w)).transpose())
                .collect();
            let gauge = if planting == Planting::Heads {
                Gauge::PerColour
            } else {
                Gauge::Features
            };
            Family::new(&name, l, r, gauge)
        }
        Planting::Generators => {
            let pairs = [(0, 1), (0, 2), (1, 2)];
            let v = pairs.map(|(i, j)| colours[i].times(&colours[j].transpose()));
            let l = pairs.iter().map(|_| noisy(e.clone())).collect();
            // R = V E^T, so that L R = E V E^T.
            let r = v
                .iter()
                .map(|v| noisy(embedded(&v.transpose())).transpose())
                .collect();
            Family::new(&name, l, r, Gauge::PerColour)
        }
    }?;
    Ok(family.in_random_gauge(derived_seed(seed, 1)))
}

/// k, if all arguments are in their ranges.
fn check(
    planting: Planting,
    multiplet: &GardenMultiplet,
    copies: usize,
    d: usize,
    sigma: f64,
) -> Result<usize> {
    if !multiplet.check().closes() {
        let reason = "the garden relations must hold";
        return Err(Error::argument(
            "multiplet",
            format!("{:?}", multiplet.name),
            reason,
        ));
    }
    let least = if planting == Planting::Generators {
        3
    } else {
        2
    };
    if multiplet.n_colours() < least {
        let reason = format!("{planting:?} needs {least} colours");
        return Err(Error::argument("N", multiplet.n_colours(), reason));
    }
    let k = multiplet.d() * copies;
    if copies == 0 || d < k {
        let value = format!("({copies}, {d})");
        return Err(Error::argument(
            "(copies, d)",
            value,
            format!("needs copies, and d >= k = {k}"),
        ));
    }
    if sigma.is_nan() || sigma < 0.0 || sigma.is_infinite() {
        return Err(Error::argument("sigma", sigma, "must be 0 or more"));
    }
    Ok(k)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::{Side, closure_residual, map_spectrum, symmetry_index};
    use crate::susy::{chiral, tensor, vector};

    fn exact(planting: Planting) -> Vec<Family> {
        let all = [chiral(), vector(), tensor()];
        let planted = |m| planted_family(planting, m, 2, 20, 0.0, 5).unwrap();
        all.iter().map(planted).collect()
    }

    #[test]
    fn without_noise_every_statistic_is_exact() {
        for f in exact(Planting::Common) {
            assert!(f.garden_defect().unwrap().fermionic.unwrap() < 1e-18);
            assert!(f.complex_structure_defect().unwrap() < 1e-10);
        }
        for f in exact(Planting::Heads) {
            assert!(f.range_distance_sqr(Side::Read).unwrap() < 1e-18);
            assert!(f.range_distance_sqr(Side::Write).unwrap() < 1e-18);
        }
        for f in exact(Planting::Generators) {
            assert!(closure_residual(&f.generators()).unwrap() < 1e-18);
        }
        for f in exact(Planting::InOut) {
            assert!((symmetry_index(&f.maps()[0]).unwrap() + 1.0).abs() < 1e-10);
            let spectrum = map_spectrum(&f.l()[0], &f.r()[1]).unwrap();
            assert!((spectrum.quarter_turn - 1.0).abs() < 1e-10);
            assert!(f.complex_structure_defect().unwrap() < 1e-10);
        }
        for f in exact(Planting::Blocks) {
            for overlap in f.block_overlaps(Side::Write).unwrap() {
                assert!((overlap.matched_cosine - 1.0).abs() < 1e-10);
                assert_eq!(overlap.sign_balance, 0.0);
            }
        }
    }

    #[test]
    fn noise_is_as_large_as_the_signal_at_sigma_1() {
        let of = |sigma| {
            let family = planted_family(Planting::Common, &chiral(), 4, 64, sigma, 3).unwrap();
            family.l().iter().map(RealMatrix::norm_sqr).sum::<f64>() / (4.0 * 16.0)
        };
        assert!((of(0.0) - 1.0).abs() < 1e-12);
        // 4,096 entries: a relative standard deviation near sqrt(2/4096) of the noise.
        assert!((of(1.0) - 2.0).abs() < 0.15);
    }

    #[test]
    fn impossible_plantings_are_errors() {
        let cm = chiral();
        assert!(planted_family(Planting::Common, &cm, 4, 15, 0.0, 1).is_err());
        assert!(planted_family(Planting::Common, &cm, 0, 15, 0.0, 1).is_err());
        assert!(planted_family(Planting::Common, &cm, 1, 15, -1.0, 1).is_err());
        let two = GardenMultiplet::new("two", cm.l[..2].to_vec()).unwrap();
        assert!(planted_family(Planting::Generators, &two, 1, 15, 0.0, 1).is_err());
        let open = GardenMultiplet::new("open", vec![cm.l[0], cm.l[0]]).unwrap();
        assert!(planted_family(Planting::InOut, &open, 1, 15, 0.0, 1).is_err());
    }
}
