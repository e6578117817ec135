//! The whole space GR(d, n): every ordered set of n signed permutations that closes, n, d <= 4.
//! b may follow a exactly when `a^T b` is antisymmetric; GR(4, 4) has 36,864 sets, 384 x 48 x 2.
//! Source: arXiv:1701.00304, and its references on the minimal four-colour adinkras.

use super::{GardenMultiplet, SignedPermutation};
use crate::error::{Error, Result};
use crate::show::shows_itself;
use std::collections::HashMap;
use std::fmt;

/// Every ordered set of signed permutations that satisfies GR(d, n), in a fixed order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GardenSpace {
    n: usize,
    d: usize,
    pub(super) group: Vec<SignedPermutation>,
    /// `n` indices into `group` a set, one set after the other.
    pub(super) members: Vec<u16>,
}

/// All of GR(d, n), colour by colour: a set is extended by what anticommutes with all of it.
///
/// ```
/// use holoscope::susy::garden_space;
/// assert_eq!(garden_space(4, 4)?.len(), 36_864);
/// assert_eq!(garden_space(2, 2)?.len(), 16);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// `d` outside 1..=4 or `n` outside 1..=4: beyond, the sets no longer fit in memory.
pub fn garden_space(n: usize, d: usize) -> Result<GardenSpace> {
    if !(1..=4).contains(&n) || !(1..=4).contains(&d) {
        return Err(Error::argument(
            "(n, d)",
            format!("({n}, {d})"),
            "both must be 1 to 4",
        ));
    }
    let group = SignedPermutation::all(d)?;
    let neighbours = neighbours(&group);
    let mut members: Vec<u16> = (0..group.len() as u16).collect();
    for size in 1..n {
        let mut longer = Vec::with_capacity(members.len() * 4);
        for set in members.chunks_exact(size) {
            let of = |a: &u16| &neighbours[usize::from(*a)];
            for b in of(&set[0]) {
                if set[1..].iter().all(|a| of(a).binary_search(b).is_ok()) {
                    longer.extend_from_slice(set);
                    longer.push(*b);
                }
            }
        }
        members = longer;
    }
    Ok(GardenSpace {
        n,
        d,
        group,
        members,
    })
}

/// Every ordered set of `n` signed permutations of size `d` that satisfies GR(d, n), as matrices.
///
/// # Errors
/// As [`garden_space`].
pub fn garden_sets(n: usize, d: usize) -> Result<Vec<Vec<SignedPermutation>>> {
    let space = garden_space(n, d)?;
    Ok(space
        .members
        .chunks_exact(n)
        .map(|set| set.iter().map(|&a| space.group[usize::from(a)]).collect())
        .collect())
}

/// For each element a of the group, in increasing order: the b with `a^T b` antisymmetric.
///
/// Antisymmetry of `a^T b` is `R_a L_b + R_b L_a = 0`; conjugating with the orthogonal a gives
/// `L_a R_b + L_b R_a = 0`, so the one condition is both garden relations.
fn neighbours(group: &[SignedPermutation]) -> Vec<Vec<u16>> {
    let index: HashMap<SignedPermutation, u16> = group.iter().copied().zip(0..).collect();
    let complex: Vec<&SignedPermutation> = group.iter().filter(|s| s.transpose() == -**s).collect();
    let of = |a: &SignedPermutation| -> Vec<u16> {
        let mut row: Vec<u16> = complex.iter().map(|s| index[&a.times(s)]).collect();
        row.sort_unstable();
        row
    };
    group.iter().map(of).collect()
}

impl GardenSpace {
    /// Number of sets.
    pub fn len(&self) -> usize {
        self.members.len() / self.n
    }

    /// True when no set closes, as for d = 3.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Number of colours.
    pub fn n_colours(&self) -> usize {
        self.n
    }

    /// Number of bosons.
    pub fn d(&self) -> usize {
        self.d
    }

    /// The set of an index as a multiplet, named by its index.
    ///
    /// # Errors
    /// An index beyond the last set.
    pub fn multiplet(&self, index: usize) -> Result<GardenMultiplet> {
        let Some(set) = self.members.chunks_exact(self.n).nth(index) else {
            let reason = format!("the space has {} sets", self.len());
            return Err(Error::argument("index", index, reason));
        };
        let l = set.iter().map(|&a| self.group[usize::from(a)]).collect();
        GardenMultiplet::new(&format!("#{index}"), l)
    }

    /// `chi_0 = Tr(L_1 R_2 L_3 R_4)/4` of every set, +1 or -1.
    ///
    /// # Errors
    /// A space other than n = d = 4.
    pub fn chi_0(&self) -> Result<Vec<i64>> {
        self.require_minimal()?;
        let l = |a: u16| &self.group[usize::from(a)];
        let chi = |set: &[u16]| {
            let left = l(set[0]).times(&l(set[1]).transpose());
            let right = l(set[2]).times(&l(set[3]).transpose());
            left.times(&right).trace() / 4
        };
        Ok(self.members.chunks_exact(4).map(chi).collect())
    }

    fn require_minimal(&self) -> Result<()> {
        if (self.n, self.d) == (4, 4) {
            return Ok(());
        }
        Err(Error::argument(
            "(n, d)",
            format!("({}, {})", self.n, self.d),
            "chi_0 and the su(2) families need n = d = 4",
        ))
    }
}

impl fmt::Display for GardenSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d) = (self.n, self.d);
        write!(f, "GR({d}, {n}): {} ordered sets of L matrices", self.len())
    }
}

shows_itself!(GardenSpace as text);
