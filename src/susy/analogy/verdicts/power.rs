//! Is the instrument any good? How often each statistic finds a planted algebra, against the noise, and
//! how often it finds one where there is none.
//! Detection: `p <= alpha` of a permutation test against controls of the family itself. Source: ours.

use super::statistics::derived_seed;
use crate::error::{Error, Result};
use crate::susy::GardenMultiplet;
use crate::susy::analogy::{
    Family, Null, Planting, PowerCurve, PowerCurves, PowerPoint, Statistic, permutation_p,
    planted_family, wilson_interval,
};
use rayon::prelude::*;

/// What is planted and how it is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerDesign {
    /// The planted algebra.
    pub multiplet: GardenMultiplet,
    /// k is this many times the multiplet's d.
    pub copies: usize,
    /// Width of the space of bosons.
    pub d: usize,
    /// Families at each noise.
    pub trials: usize,
    /// Controls of each family. The test's level is exactly `alpha` when `alpha (n_null + 1)` is
    /// whole, as for 99 and 0.05; else a little less.
    pub n_null: usize,
    /// Detected when p is at most this.
    pub alpha: f64,
    pub seed: u64,
}

impl PowerDesign {
    /// The design with a multiplet, its copies and a width: 100 trials, 99 controls, alpha 0.05.
    pub fn new(multiplet: GardenMultiplet, copies: usize, d: usize) -> Self {
        Self {
            multiplet,
            copies,
            d,
            trials: 100,
            n_null: 99,
            alpha: 0.05,
            seed: 42_069,
        }
    }

    fn check(&self) -> Result<()> {
        if self.trials == 0 || self.n_null == 0 {
            let value = format!("({}, {})", self.trials, self.n_null);
            return Err(Error::argument(
                "(trials, n_null)",
                value,
                "both must be 1 or more",
            ));
        }
        if (self.n_null + 1) as f64 * self.alpha >= 1.0 && self.alpha < 1.0 {
            return Ok(());
        }
        let reason = format!(
            "with {} controls no p-value reaches it, or all do",
            self.n_null
        );
        Err(Error::argument("alpha", self.alpha, reason))
    }
}

/// One trial: the observed value and its controls'.
struct Trial {
    observed: f64,
    controls: Vec<f64>,
    p: f64,
}

/// The detection rates of `statistic` at its place ([`Statistic::planting`]), with its control
/// ([`Statistic::control`]), over the noises `sigmas`; trials in parallel, the same for a seed on any
/// number of threads.
///
/// The gadget compares a noisy family with the exact one that it was made from.
///
/// "Nothing planted" are Gaussian families of the shape and size of planted ones. For them observed and
/// controls are exchangeable: a Gaussian L is `X S Y^T` with X and Y by Haar's measure and independent
/// of S, so is the product of two, and turning a Gaussian colour leaves its law. The rate is then
/// alpha but for ties (the sign balance has many), which can only lower it.
///
/// # Errors
/// A statistic without a planting, no trials or controls, an alpha that no p-value can reach, and
/// those of [`planted_family`] and the statistic.
pub fn power_curve(
    statistic: Statistic,
    sigmas: &[f64],
    design: &PowerDesign,
) -> Result<PowerCurve> {
    design.check()?;
    let Some(planting) = statistic.planting() else {
        return Err(Error::argument(
            "statistic",
            statistic,
            "is not a prediction of the algebra",
        ));
    };
    let null = statistic.control();
    let of_sigma = |(index, &sigma): (usize, &f64)| -> Result<PowerPoint> {
        let family = |seed| planted(planting, design, sigma, seed);
        point(
            statistic,
            planting,
            design,
            Some(sigma),
            index as u64,
            &family,
        )
    };
    let points = sigmas
        .iter()
        .enumerate()
        .map(of_sigma)
        .collect::<Result<_>>()?;
    let nothing = |seed: u64| {
        let like = planted(planting, design, 1.0, seed)?;
        Null::Gaussian.draw(&like, derived_seed(seed, 2))
    };
    let index = sigmas.len() as u64;
    Ok(PowerCurve {
        statistic,
        planting,
        null,
        alpha: design.alpha,
        points,
        nothing_planted: point(statistic, planting, design, None, index, &nothing)?,
    })
}

/// [`power_curve`] of several statistics.
///
/// # Errors
/// Those of [`power_curve`].
pub fn power_curves(
    statistics: &[Statistic],
    sigmas: &[f64],
    design: &PowerDesign,
) -> Result<PowerCurves> {
    let curves = statistics.iter().map(|s| power_curve(*s, sigmas, design));
    Ok(PowerCurves {
        curves: curves.collect::<Result<_>>()?,
    })
}

fn planted(planting: Planting, design: &PowerDesign, sigma: f64, seed: u64) -> Result<Family> {
    planted_family(
        planting,
        &design.multiplet,
        design.copies,
        design.d,
        sigma,
        seed,
    )
}

fn point(
    statistic: Statistic,
    planting: Planting,
    design: &PowerDesign,
    sigma: Option<f64>,
    index: u64,
    family: &(dyn Fn(u64) -> Result<Family> + Sync),
) -> Result<PowerPoint> {
    let base = derived_seed(design.seed, index);
    let one = |t: usize| {
        let seed = derived_seed(base, t as u64);
        let observed = family(seed)?;
        // The same seed has the same embedding and gauge, without noise.
        let reference = match statistic {
            Statistic::Gadget => Some(planted(planting, design, 0.0, seed)?),
            _ => None,
        };
        trial(statistic, &observed, reference.as_ref(), design, seed)
    };
    let trials: Vec<Trial> = (0..design.trials)
        .into_par_iter()
        .map(one)
        .collect::<Result<_>>()?;
    let detections = trials.iter().filter(|t| t.p <= design.alpha).count();
    let n = trials.len() as f64;
    let controls = trials.iter().flat_map(|t| &t.controls);
    Ok(PowerPoint {
        sigma,
        trials: trials.len(),
        detections,
        rate: detections as f64 / n,
        interval: wilson_interval(detections, trials.len(), 1.96)?,
        mean: trials.iter().map(|t| t.observed).sum::<f64>() / n,
        control_mean: controls.sum::<f64>() / (n * design.n_null as f64),
    })
}

fn trial(
    statistic: Statistic,
    family: &Family,
    reference: Option<&Family>,
    design: &PowerDesign,
    seed: u64,
) -> Result<Trial> {
    let of = |f: &Family| match reference {
        Some(other) => statistic.of_pair(f, other),
        None => statistic.of(f),
    };
    let observed = of(family)?;
    let sampler = statistic.control().sampler(family)?;
    let controls = (0..design.n_null as u64)
        .map(|i| of(&sampler.draw(derived_seed(seed, 1000 + i))?))
        .collect::<Result<Vec<f64>>>()?;
    let p = permutation_p(observed, &controls, statistic.predicted())?;
    Ok(Trial {
        observed,
        controls,
        p,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::Side;
    use crate::susy::{chiral, vector};

    const ALL: [Statistic; 10] = [
        Statistic::SymmetryIndex,
        Statistic::QuarterTurn,
        Statistic::ComplexDefect,
        Statistic::GardenDefect,
        Statistic::ClosureResidual,
        Statistic::RangeDistance(Side::Read),
        Statistic::MatchedCosine(Side::Write),
        Statistic::SignedDistance(Side::Write),
        Statistic::SignBalance(Side::Write),
        Statistic::Gadget,
    ];

    /// 200 families of each statistic at level 0.05: detections are binomial, mean 10, standard
    /// deviation 3.08; outside 1 to 22 with a probability below 0.0005. Ties only lower the rate.
    #[test]
    fn nothing_is_found_at_the_nominal_rate() {
        let design = PowerDesign {
            trials: 200,
            n_null: 19,
            ..PowerDesign::new(chiral(), 1, 12)
        };
        for statistic in ALL {
            let curve = power_curve(statistic, &[], &design).unwrap();
            let hits = curve.nothing_planted.detections;
            assert!(hits <= 22, "{statistic}: {hits} of 200");
            if !matches!(statistic, Statistic::SignBalance(_)) {
                assert!(hits >= 1, "{statistic}: {hits} of 200");
            }
        }
    }

    #[test]
    fn planted_families_at_small_noise_are_always_found() {
        let design = PowerDesign {
            trials: 10,
            n_null: 19,
            ..PowerDesign::new(vector(), 2, 20)
        };
        for statistic in ALL {
            let curve = power_curve(statistic, &[0.0, 0.1], &design).unwrap();
            let detections: Vec<usize> = curve.points.iter().map(|p| p.detections).collect();
            assert_eq!(detections, [10, 10], "{statistic}");
            assert_eq!(curve.reach(1.0), Some(0.1));
        }
        let small = PowerDesign {
            trials: 4,
            n_null: 19,
            ..PowerDesign::new(vector(), 1, 8)
        };
        let adinkra = power_curve(Statistic::AdinkraOverlap, &[0.05], &small).unwrap();
        assert_eq!(adinkra.points[0].detections, 4);
    }

    #[test]
    fn noise_drowns_the_algebra_and_the_seed_decides_every_number() {
        let design = PowerDesign {
            trials: 60,
            n_null: 19,
            ..PowerDesign::new(chiral(), 1, 12)
        };
        let statistics = [Statistic::SymmetryIndex, Statistic::ComplexDefect];
        let curves = power_curves(&statistics, &[0.1, 30.0], &design).unwrap();
        for curve in &curves.curves {
            assert_eq!(curve.points[0].rate, 1.0);
            // At noise 30 the signal is 1/900 of the square: 60 trials at 0.05, 3 expected.
            assert!(curve.points[1].detections <= 10, "{curve}");
        }
        let single = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        let again = single.install(|| power_curves(&statistics, &[0.1, 30.0], &design));
        assert_eq!(curves, again.unwrap());
        assert!(curves.figure().unwrap().svg.contains("symmetry index s"));
        assert_eq!(curves.frame().unwrap().height(), 6);
    }

    #[test]
    fn designs_that_cannot_detect_are_errors() {
        let design = PowerDesign::new(chiral(), 1, 12);
        assert!(power_curve(Statistic::Copying, &[0.1], &design).is_err());
        for (trials, n_null, alpha) in [(0, 99, 0.05), (10, 0, 0.05), (10, 18, 0.05), (10, 9, 1.0)]
        {
            let design = PowerDesign {
                trials,
                n_null,
                alpha,
                ..design.clone()
            };
            assert!(power_curve(Statistic::SymmetryIndex, &[0.1], &design).is_err());
        }
    }
}
