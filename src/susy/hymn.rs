//! HYMNs, height-yielding matrix numbers: what lifting bosons leaves of the matrices as an invariant.
//! `D = diag(r^lift)`, `B_L = D L_4 R_3 D L_2 R_1`, `B_R = R_4 D L_3 R_2 D L_1`, both diagonal for
//! GR(4, 4); their spectra are signed powers of r.
//! Source: arXiv:1904.01738.

use super::{GardenMultiplet, GardenSpace, SignedPermutation};
use crate::error::{Error, Result};
use crate::show::{MimeBundle, Show, Table, shows_itself};
use polars::prelude::df;
use std::collections::BTreeMap;
use std::fmt;

/// An eigenvalue `sign r^power`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HymnValue {
    pub power: u32,
    /// +1 or -1.
    pub sign: i8,
}

/// The spectra of `B_L` and `B_R` of one multiplet with some of its bosons lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hymn {
    /// The multiplet's name.
    pub name: String,
    /// Bit i - 1: boson i is lifted.
    pub word: u32,
    /// Eigenvalues of `B_L`, on the bosons, by increasing power.
    pub left: Vec<HymnValue>,
    /// Eigenvalues of `B_R`, on the fermions.
    pub right: Vec<HymnValue>,
}

/// How many adinkras of a space share the powers of r, signs left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HymnClass {
    pub left: Vec<u32>,
    pub right: Vec<u32>,
    pub adinkras: usize,
}

/// A space with some bosons lifted, by the powers of r.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HymnClasses {
    /// Bit i - 1: boson i is lifted.
    pub word: u32,
    /// In increasing order of their powers.
    pub classes: Vec<HymnClass>,
}

impl GardenMultiplet {
    /// The HYMNs with the bosons of `word` lifted (bit i - 1: boson i).
    ///
    /// ```
    /// use holoscope::susy::chiral;
    /// // Both auxiliary fields lifted.
    /// let hymn = chiral().hymn(0b1100)?;
    /// assert_eq!(hymn.to_string(), "CM, 0011: B_L = {r, r, r, r}, B_R = {-1, -1, -r^2, -r^2}");
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Other than four colours, a bit beyond the last boson, a product that is not diagonal (as
    /// outside the minimal GR(4, 4)).
    pub fn hymn(&self, word: u32) -> Result<Hymn> {
        let multiplet = GardenMultiplet::new(&self.name, self.l.clone())?;
        let d = multiplet.d();
        if word >> d != 0 {
            let reason = format!("has a bit beyond the last of {d} bosons");
            return Err(Error::argument("word", format!("{word:b}"), reason));
        }
        let [l1, l2, l3, l4] = multiplet.l.as_slice() else {
            return Err(Error::argument("N", self.n_colours(), "HYMNs need N = 4"));
        };
        let r = |l: &SignedPermutation| l.transpose();
        let lift = |boson: usize| word >> boson & 1;
        // B_L = D (L4 R3) D (L2 R1): row i meets D at i and at the column of L4 R3.
        let (outer, inner) = (l4.times(&r(l3)), l2.times(&r(l1)));
        let left = spectrum("B_L", &outer.times(&inner), |i| {
            lift(i) + lift(outer.column(i))
        })?;
        // B_R = R4 D (L3 R2) D L1: row i meets D at the column of R4 and at that of R4 L3 R2.
        let (first, second) = (r(l4), r(l4).times(l3).times(&r(l2)));
        let right = spectrum("B_R", &second.times(l1), |i| {
            lift(first.column(i)) + lift(second.column(i))
        })?;
        Ok(Hymn {
            name: multiplet.name,
            word,
            left,
            right,
        })
    }
}

/// The entries of a diagonal signed permutation with a power of r in each row, sorted.
fn spectrum(
    name: &'static str,
    matrix: &SignedPermutation,
    power: impl Fn(usize) -> u32,
) -> Result<Vec<HymnValue>> {
    if (0..matrix.d()).any(|i| matrix.column(i) != i) {
        let reason = "is not diagonal: HYMNs are defined for the minimal GR(4, 4)";
        return Err(Error::argument(name, matrix, reason));
    }
    let mut values: Vec<HymnValue> = (0..matrix.d())
        .map(|i| HymnValue {
            power: power(i),
            sign: matrix.sign(i),
        })
        .collect();
    values.sort_unstable();
    Ok(values)
}

impl Hymn {
    /// The powers of r in `B_L` and in `B_R`, each increasing, without signs.
    pub fn powers(&self) -> [Vec<u32>; 2] {
        [&self.left, &self.right].map(|values| values.iter().map(|v| v.power).collect())
    }
}

impl GardenSpace {
    /// Sorts all adinkras of GR(4, 4) by their HYMNs with the bosons of `word` lifted.
    ///
    /// ```
    /// use holoscope::susy::garden_space;
    /// let classes = garden_space(4, 4)?.hymn_classes(0b0011)?.classes;
    /// assert_eq!(classes.iter().map(|c| c.adinkras).collect::<Vec<_>>(), [12_288; 3]);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`GardenMultiplet::hymn`].
    pub fn hymn_classes(&self, word: u32) -> Result<HymnClasses> {
        let mut counts: BTreeMap<[Vec<u32>; 2], usize> = BTreeMap::new();
        for set in self.members.chunks_exact(self.n_colours()) {
            let l = set.iter().map(|&a| self.group[usize::from(a)]).collect();
            let hymn = GardenMultiplet::new("", l)?.hymn(word)?;
            *counts.entry(hymn.powers()).or_default() += 1;
        }
        let class = |([left, right], adinkras): ([Vec<u32>; 2], usize)| HymnClass {
            left,
            right,
            adinkras,
        };
        Ok(HymnClasses {
            word,
            classes: counts.into_iter().map(class).collect(),
        })
    }
}

/// The lifted bosons of d, boson 1 first.
fn spelled(word: u32, d: usize) -> String {
    let bit = |i| if word >> i & 1 == 1 { '1' } else { '0' };
    (0..d).map(bit).collect()
}

/// `{1, 1, r, r^2}` from signs and powers.
fn braced(values: impl Iterator<Item = (i8, u32)>) -> String {
    let one = |(sign, power)| {
        let sign = if sign < 0 { "-" } else { "" };
        match power {
            0 => format!("{sign}1"),
            1 => format!("{sign}r"),
            _ => format!("{sign}r^{power}"),
        }
    };
    format!("{{{}}}", values.map(one).collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Hymn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |values: &[HymnValue]| braced(values.iter().map(|v| (v.sign, v.power)));
        let (word, name) = (spelled(self.word, self.left.len()), &self.name);
        write!(
            f,
            "{name}, {word}: B_L = {}, B_R = {}",
            of(&self.left),
            of(&self.right)
        )
    }
}

impl HymnClass {
    fn spectra(&self) -> [String; 2] {
        [&self.left, &self.right].map(|p| braced(p.iter().map(|&p| (1, p))))
    }
}

impl fmt::Display for HymnClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = self.classes.first().map_or(0, |c| c.left.len());
        write!(f, "lifted {}:", spelled(self.word, d))?;
        for class in &self.classes {
            let [left, right] = class.spectra();
            write!(f, " B_L {left}, B_R {right}: {};", class.adinkras)?;
        }
        Ok(())
    }
}

shows_itself!(Hymn as text);

shows_itself!(HymnClasses);

impl Show for HymnClasses {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let spectra: Vec<[String; 2]> = self.classes.iter().map(HymnClass::spectra).collect();
        let side = |k: usize| -> Vec<String> { spectra.iter().map(|s| s[k].clone()).collect() };
        let counts: Vec<u64> = self.classes.iter().map(|c| c.adinkras as u64).collect();
        let frame = df!["B_L" => side(0), "B_R" => side(1), "adinkras" => counts]?;
        let d = self.classes.first().map_or(0, |c| c.left.len());
        Ok(Table::new(frame)
            .caption(format!(
                "HYMNs up to sign, bosons lifted: {}",
                spelled(self.word, d)
            ))
            .mime_bundle()?
            .with("text/plain", self.to_string()))
    }
}
