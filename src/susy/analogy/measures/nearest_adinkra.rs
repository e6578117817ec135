//! The adinkra nearest to four measured maps of size 4, by trying all of them.
//! `max over K of (1/16) sum_I tr(K_I^T L_I)` over the 36,864 quartets of GR(4, 4); for blocks whose
//! features may be reordered, over the 96 classes of holoraumy. Source: ours; the space: arXiv:1701.00304.

use crate::error::{Error, Result};
use crate::susy::analogy::assignment::permutations;
use crate::susy::analogy::{Family, Gauge, RealMatrix, Side};
use crate::susy::{GardenSpace, HoloraumyClasses, Sector, SignedPermutation, garden_space};
use std::sync::OnceLock;

/// The best of a space of adinkras.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearestAdinkra {
    /// Its index in `garden_space(4, 4)`; for blocks, that of the first adinkra of the class.
    pub index: usize,
    /// Overlap, at most 1; 1 for an exact adinkra.
    pub overlap: f64,
}

/// What is the same for all questions.
struct Space {
    space: GardenSpace,
    group: Vec<SignedPermutation>,
    /// For each quartet, the four indices into `group`.
    quartets: Vec<[u16; 4]>,
}

fn space() -> Result<&'static Space> {
    static SPACE: OnceLock<Space> = OnceLock::new();
    if let Some(known) = SPACE.get() {
        return Ok(known);
    }
    let space = garden_space(4, 4)?;
    let group = SignedPermutation::all(4)?;
    let index: std::collections::HashMap<SignedPermutation, u16> =
        group.iter().copied().zip(0..).collect();
    let quartets = (crate::susy::garden_sets(4, 4)?.iter())
        .map(|set| [0, 1, 2, 3].map(|i| index[&set[i]]))
        .collect();
    Ok(SPACE.get_or_init(|| Space {
        space,
        group,
        quartets,
    }))
}

/// `tr(S^T A)` of every signed permutation S of `group`.
fn traces(group: &[SignedPermutation], a: &RealMatrix) -> Vec<f64> {
    let of = |s: &SignedPermutation| -> f64 {
        (0..4)
            .map(|i| f64::from(s.sign(i)) * a.entry(i, s.column(i)))
            .sum()
    };
    group.iter().map(of).collect()
}

impl Family {
    /// The quartet of GR(4, 4) with the largest `(1/16) sum over I of tr(K_I^T U_I)`, U_I the
    /// nearest isometries; N = d = k = 4. Signs, columns and the order of colours all count.
    ///
    /// Invariance: signed permutations of bosons and of fermions and the order of the colours map the
    /// 36,864 quartets onto themselves, so they leave the maximum. General rotations do not: this is
    /// for maps in a basis that means something, as that of single neurons or features does.
    ///
    /// # Errors
    /// Another gauge than [`Gauge::Common`], N, d or k other than 4, maps without full rank.
    pub fn nearest_adinkra(&self) -> Result<NearestAdinkra> {
        if self.gauge() != Gauge::Common {
            let reason = "needs one basis for all colours";
            return Err(Error::argument(
                "gauge",
                format!("{:?}", self.gauge()),
                reason,
            ));
        }
        self.require_four(Some(4))?;
        let space = space()?;
        let u = self.directions(Side::Read)?;
        let traces: Vec<Vec<f64>> = u.iter().map(|u| traces(&space.group, u)).collect();
        let sum = |set: &[u16; 4]| -> f64 {
            set.iter()
                .zip(&traces)
                .map(|(&s, t)| t[usize::from(s)])
                .sum()
        };
        let mut best = (0, f64::NEG_INFINITY);
        for (index, set) in space.quartets.iter().enumerate() {
            let value = sum(set);
            if value > best.1 {
                best = (index, value);
            }
        }
        Ok(NearestAdinkra {
            index: best.0,
            overlap: best.1 / 16.0,
        })
    }

    /// The class of fermionic holoraumy nearest to four blocks of four features: the largest
    /// `(1/24) sum over I < J of tr(V~_IJ^T P_I^T C_IJ P_J)` over the 96 classes and the orders P_I of each
    /// block's features, `C_IJ = U_I^T U_J` of unit columns.
    ///
    /// Invariance: the maximum is over the whole gauge group; O and scales are gone from C_IJ. A common
    /// order of all blocks permutes the classes, so P_1 = 1 is enough: 13,824 orders.
    ///
    /// # Errors
    /// Another gauge than [`Gauge::Features`], N or k other than 4, a feature of length 0.
    pub fn nearest_holoraumy_class(&self, side: Side) -> Result<NearestAdinkra> {
        if self.gauge() != Gauge::Features {
            let reason = "needs blocks of features";
            return Err(Error::argument(
                "gauge",
                format!("{:?}", self.gauge()),
                reason,
            ));
        }
        self.require_four(None)?;
        let u = self.directions(side)?;
        let (axes, classes) = holoraumy_codes()?;
        let orders = permutations(4);
        let tables = PAIRS.map(|(i, j)| pair_tables(&u[i].transpose().times(&u[j]), axes, &orders));
        let mut best = (0, f64::NEG_INFINITY);
        for (index, signs) in classes {
            // By order of the first and of the second colour of each pair.
            let of: [&PairTable; 6] = [0, 1, 2, 3, 4, 5].map(|c| {
                let (axis, sign) = signs[c];
                &tables[c][2 * axis + usize::from(sign < 0.0)]
            });
            let value = best_orders(of);
            if value > best.1 {
                best = (*index, value);
            }
        }
        Ok(NearestAdinkra {
            index: best.0,
            overlap: best.1 / 24.0,
        })
    }

    fn require_four(&self, d: Option<usize>) -> Result<()> {
        let found = (self.n_colours(), self.d(), self.k());
        let expected = (4, d.unwrap_or(self.d()), 4);
        if found == expected {
            return Ok(());
        }
        Err(Error::shape("family (N, d, k)", expected, found))
    }
}

/// Orders of four features.
const ORDERS: usize = 24;

const PAIRS: [(usize, usize); 6] = [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)];

/// A class: its first adinkra, and for each pair of colours the axis and the sign.
type Class = (usize, [(usize, f64); 6]);

/// The six axes, and the 96 classes along them.
fn holoraumy_codes() -> Result<&'static (Vec<SignedPermutation>, Vec<Class>)> {
    static CODES: OnceLock<(Vec<SignedPermutation>, Vec<Class>)> = OnceLock::new();
    if let Some(known) = CODES.get() {
        return Ok(known);
    }
    let all: HoloraumyClasses = space()?.space.holoraumy_classes(Sector::Fermionic)?;
    let axes = all.axes();
    let mut classes: Vec<Class> = Vec::new();
    let mut seen = vec![false; all.len()];
    for (index, class) in all.class_of().into_iter().enumerate() {
        if std::mem::replace(&mut seen[class as usize], true) {
            continue;
        }
        let mut signs = [(0, 0.0); 6];
        for (slot, matrix) in signs.iter_mut().zip(&all.holoraumy(index)?.matrices) {
            for (a, axis) in axes.iter().enumerate() {
                if axis == matrix {
                    *slot = (a, 1.0);
                } else if -*axis == *matrix {
                    *slot = (a, -1.0);
                }
            }
        }
        classes.push((index, signs));
    }
    Ok(CODES.get_or_init(|| (axes, classes)))
}

/// `sign tr(axis^T P^T C P')` of one pair of colours, by the order P and the order P'.
type PairTable = [[f64; ORDERS]; ORDERS];

/// For each axis the table with the sign plus, then that with the sign minus.
fn pair_tables(
    c: &RealMatrix,
    axes: &[SignedPermutation],
    orders: &[Vec<usize>],
) -> Vec<PairTable> {
    let mut tables = vec![[[0.0; ORDERS]; ORDERS]; 2 * axes.len()];
    for (a, p) in orders.iter().enumerate() {
        for (b, q) in orders.iter().enumerate() {
            let turned = RealMatrix::from_entries(4, 4, |i, j| c.entry(p[i], q[j]));
            for (axis, value) in traces(axes, &turned).into_iter().enumerate() {
                tables[2 * axis][a][b] = value;
                tables[2 * axis + 1][a][b] = -value;
            }
        }
    }
    tables
}

/// The largest sum of the six pairs' entries over the orders of three colours; the first colour keeps
/// its own. The innermost loop runs over the last colour's orders, side by side in memory.
fn best_orders([t01, t02, t03, t12, t13, t23]: [&PairTable; 6]) -> f64 {
    let mut best = [f64::NEG_INFINITY; ORDERS];
    for p in 0..ORDERS {
        for q in 0..ORDERS {
            let known = t01[0][p] + t02[0][q] + t12[p][q];
            let rows = t03[0].iter().zip(&t13[p]).zip(&t23[q]);
            for (best, ((a, b), c)) in best.iter_mut().zip(rows) {
                let value = known + a + b + c;
                *best = if value > *best { value } else { *best };
            }
        }
    }
    best.into_iter().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::susy::{chiral, tensor, vector};
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn noisy(noise: f64, gauge: Gauge, d: usize, seed: u64) -> Family {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let e = RealMatrix::haar(d, 4, &mut rng);
        let l = chiral().l;
        let l = l.iter().map(|s| {
            let k = RealMatrix::from_signed_permutation(s);
            let k = if gauge == Gauge::Common {
                k
            } else {
                e.times(&k)
            };
            k.plus(noise, &RealMatrix::gaussian(k.n_rows(), 4, &mut rng))
        });
        Family::with_transposes("noisy", l.collect(), gauge).unwrap()
    }

    #[test]
    fn exact_adinkras_are_found() {
        let space = garden_space(4, 4).unwrap();
        for multiplet in [chiral(), vector(), tensor()] {
            let family = Family::from_multiplet(&multiplet, 1, Gauge::Common).unwrap();
            let found = family.nearest_adinkra().unwrap();
            assert!((found.overlap - 1.0).abs() < 1e-12);
            assert_eq!(space.multiplet(found.index).unwrap().l, multiplet.l);

            let blocks = Family::from_multiplet(&multiplet, 1, Gauge::Features).unwrap();
            let found = blocks
                .in_random_gauge(3)
                .nearest_holoraumy_class(Side::Read)
                .unwrap();
            assert!((found.overlap - 1.0).abs() < 1e-12);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(6))]

        /// Signed permutations of both bases and the order of colours.
        #[test]
        fn symmetries_of_the_space_keep_the_overlap(
            seed in 0u64..1000, a in 0usize..384, b in 0usize..384, order in 0usize..24
        ) {
            let group = SignedPermutation::all(4).unwrap();
            let [a, b] = [a, b].map(|i| RealMatrix::from_signed_permutation(&group[i]));
            let family = noisy(0.4, Gauge::Common, 4, seed);
            let orders = permutations(4);
            let turned = orders[order].iter().map(|&i| a.times(&family.l()[i]).times(&b));
            let turned = Family::with_transposes("turned", turned.collect(), Gauge::Common).unwrap();
            let [x, y] = [&family, &turned].map(|f| f.nearest_adinkra().unwrap().overlap);
            prop_assert!((x - y).abs() < 1e-9);
        }

        #[test]
        fn no_gauge_changes_the_class(seed in 0u64..1000) {
            let family = noisy(0.4, Gauge::Features, 6, seed);
            let other = family.in_random_gauge(seed + 1);
            let of = |f: &Family| f.nearest_holoraumy_class(Side::Read).unwrap().overlap;
            prop_assert!((of(&family) - of(&other)).abs() < 1e-9);
        }
    }

    #[test]
    fn other_shapes_and_gauges_are_refused() {
        let eight = Family::from_multiplet(&chiral(), 2, Gauge::Common).unwrap();
        assert!(eight.nearest_adinkra().is_err());
        let family = Family::from_multiplet(&chiral(), 1, Gauge::PerColour).unwrap();
        assert!(family.nearest_adinkra().is_err());
        assert!(family.nearest_holoraumy_class(Side::Read).is_err());
    }
}
