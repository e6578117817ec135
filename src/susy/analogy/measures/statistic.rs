//! The quantities by name, each with the side on which the analogy predicts it, its control, and
//! where in a network it is planted to test the instrument. Source: ours.

use crate::error::{Error, Result};
use crate::susy::analogy::{
    Family, Gauge, Null, Planting, Side, Tail, closure_residual, generator_gadget, map_spectrum,
    symmetry_index,
};
use std::fmt;

/// One number of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    /// [`symmetry_index`], mean over [`Family::maps`].
    SymmetryIndex,
    /// [`MapSpectrum::quarter_turn`](super::super::MapSpectrum::quarter_turn), mean over maps.
    QuarterTurn,
    /// [`MapSpectrum::copying`](super::super::MapSpectrum::copying), mean over maps. Not a prediction of the analogy: the rival.
    Copying,
    /// [`Family::complex_structure_defect`].
    ComplexDefect,
    /// [`Family::garden_defect`], mean of the relations that can hold.
    GardenDefect,
    /// [`closure_residual`] of [`Family::generators`].
    ClosureResidual,
    /// [`Family::range_distance_sqr`].
    RangeDistance(Side),
    /// [`BlockOverlap::matched_cosine`](super::super::BlockOverlap::matched_cosine), mean over pairs.
    MatchedCosine(Side),
    /// [`BlockOverlap::signed_distance`](super::super::BlockOverlap::signed_distance), mean over pairs.
    SignedDistance(Side),
    /// [`BlockOverlap::sign_balance`](super::super::BlockOverlap::sign_balance), mean over pairs.
    SignBalance(Side),
    /// [`Family::nearest_adinkra`], for blocks of features [`Family::nearest_holoraumy_class`].
    AdinkraOverlap,
    /// [`generator_gadget`] with the generators of a second family; see [`Statistic::of_pair`].
    Gadget,
}

impl Statistic {
    /// Its value for one family.
    ///
    /// # Errors
    /// Those of the function named at the variant; [`Error::Argument`] for [`Statistic::Gadget`].
    pub fn of(self, family: &Family) -> Result<f64> {
        match self {
            Statistic::SymmetryIndex => {
                let maps = family.maps();
                mean(maps.iter().map(symmetry_index))
            }
            Statistic::QuarterTurn | Statistic::Copying => {
                let in_out = matches!(
                    family.gauge(),
                    Gauge::Contragredient | Gauge::HiddenUnits { .. }
                );
                let pairs = if in_out {
                    vec![(&family.l()[0], &family.r()[1])]
                } else {
                    family.l().iter().zip(family.r()).collect()
                };
                mean(pairs.into_iter().map(|(l, r)| {
                    let spectrum = map_spectrum(l, r)?;
                    Ok(match self {
                        Statistic::Copying => spectrum.copying,
                        _ => spectrum.quarter_turn,
                    })
                }))
            }
            Statistic::ComplexDefect => family.complex_structure_defect(),
            Statistic::GardenDefect => {
                let defect = family.garden_defect()?;
                let known = [defect.fermionic, defect.bosonic];
                mean(known.into_iter().flatten().map(Ok))
            }
            Statistic::ClosureResidual => closure_residual(&family.generators()),
            Statistic::RangeDistance(side) => family.range_distance_sqr(side),
            Statistic::MatchedCosine(side) => mean(
                family
                    .block_overlaps(side)?
                    .iter()
                    .map(|o| Ok(o.matched_cosine)),
            ),
            Statistic::SignedDistance(side) => mean(
                family
                    .block_overlaps(side)?
                    .iter()
                    .map(|o| Ok(o.signed_distance)),
            ),
            Statistic::SignBalance(side) => mean(
                family
                    .block_overlaps(side)?
                    .iter()
                    .map(|o| Ok(o.sign_balance)),
            ),
            Statistic::AdinkraOverlap => Ok(match family.gauge() {
                Gauge::Features => family.nearest_holoraumy_class(Side::Write)?.overlap,
                _ => family.nearest_adinkra()?.overlap,
            }),
            Statistic::Gadget => Err(Error::argument(
                "statistic",
                self,
                "compares two families: use of_pair",
            )),
        }
    }

    /// Its value for two families: the gadget of their generators, which must be in one basis.
    ///
    /// # Errors
    /// Those of [`generator_gadget`]; [`Error::Argument`] for a statistic of one family.
    pub fn of_pair(self, a: &Family, b: &Family) -> Result<f64> {
        if self != Statistic::Gadget {
            return Err(Error::argument(
                "statistic",
                self,
                "is of one family: use of",
            ));
        }
        generator_gadget(&a.generators(), &b.generators())
    }

    /// On which side of chance the analogy (copying: its rival) predicts it.
    pub fn predicted(self) -> Tail {
        match self {
            Statistic::QuarterTurn
            | Statistic::Copying
            | Statistic::MatchedCosine(_)
            | Statistic::AdinkraOverlap
            | Statistic::Gadget => Tail::Upper,
            _ => Tail::Lower,
        }
    }

    /// The value that the algebra demands (copying: what its rival does).
    pub fn algebra(self) -> f64 {
        match self {
            Statistic::SymmetryIndex => -1.0,
            _ if self.predicted() == Tail::Upper => 1.0,
            _ => 0.0,
        }
    }

    /// The control that keeps all but what the statistic is about.
    pub fn control(self) -> Null {
        match self {
            Statistic::SymmetryIndex
            | Statistic::QuarterTurn
            | Statistic::Copying
            | Statistic::ComplexDefect
            | Statistic::GardenDefect => Null::Haar,
            _ => Null::Rotated,
        }
    }

    /// Where a planted algebra makes it extreme; none for copying.
    pub fn planting(self) -> Option<Planting> {
        match self {
            Statistic::SymmetryIndex | Statistic::QuarterTurn | Statistic::ComplexDefect => {
                Some(Planting::InOut)
            }
            Statistic::Copying => None,
            Statistic::GardenDefect => Some(Planting::Common),
            Statistic::ClosureResidual | Statistic::Gadget => Some(Planting::Generators),
            Statistic::RangeDistance(_) => Some(Planting::Heads),
            Statistic::MatchedCosine(_)
            | Statistic::SignedDistance(_)
            | Statistic::SignBalance(_)
            | Statistic::AdinkraOverlap => Some(Planting::Blocks),
        }
    }
}

fn mean(values: impl Iterator<Item = Result<f64>>) -> Result<f64> {
    let values = values.collect::<Result<Vec<f64>>>()?;
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |side: &Side| match side {
            Side::Read => "reading",
            Side::Write => "writing",
        };
        let text = match self {
            Statistic::SymmetryIndex => "symmetry index s".to_owned(),
            Statistic::QuarterTurn => "quarter-turn score q".to_owned(),
            Statistic::Copying => "copying score c".to_owned(),
            Statistic::ComplexDefect => "complex-structure defect kappa".to_owned(),
            Statistic::GardenDefect => "garden defect".to_owned(),
            Statistic::ClosureResidual => "closure residual".to_owned(),
            Statistic::RangeDistance(s) => format!("range distance D^2, {}", side(s)),
            Statistic::MatchedCosine(s) => format!("matched cosine m, {}", side(s)),
            Statistic::SignedDistance(s) => format!("signed distance, {}", side(s)),
            Statistic::SignBalance(s) => format!("sign balance, {}", side(s)),
            Statistic::AdinkraOverlap => "adinkra overlap".to_owned(),
            Statistic::Gadget => "gadget".to_owned(),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::analogy::planted_family;
    use crate::susy::chiral;

    #[test]
    fn planted_families_lie_on_the_predicted_side_of_their_controls() {
        use Side::{Read, Write};
        let all = [
            Statistic::SymmetryIndex,
            Statistic::QuarterTurn,
            Statistic::ComplexDefect,
            Statistic::GardenDefect,
            Statistic::ClosureResidual,
            Statistic::RangeDistance(Read),
            Statistic::RangeDistance(Write),
            Statistic::MatchedCosine(Read),
            Statistic::SignedDistance(Write),
            Statistic::SignBalance(Write),
            Statistic::AdinkraOverlap,
        ];
        for statistic in all {
            let place = statistic.planting().unwrap();
            let family = planted_family(place, &chiral(), 1, 12, 0.0, 3).unwrap();
            let observed = statistic.of(&family).unwrap();
            let control = statistic.control().draw(&family, 4).unwrap();
            let by_chance = statistic.of(&control).unwrap();
            match statistic.predicted() {
                Tail::Lower => assert!(observed < by_chance, "{statistic}"),
                Tail::Upper => assert!(observed > by_chance, "{statistic}"),
            }
        }
    }

    #[test]
    fn the_gadget_needs_two_families_and_the_others_one() {
        let f = planted_family(Planting::Generators, &chiral(), 1, 6, 0.0, 3).unwrap();
        assert!(Statistic::Gadget.of(&f).is_err());
        assert!((Statistic::Gadget.of_pair(&f, &f).unwrap() - 1.0).abs() < 1e-12);
        assert!(Statistic::ClosureResidual.of_pair(&f, &f).is_err());
        assert!(Statistic::Copying.planting().is_none());
    }
}
