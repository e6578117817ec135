//! The minimal four-colour adinkras of GR(4, 4), counted by su(2) and `chi_0`.
//! Source: arXiv:1701.00304.

use crate::error::Result;
use crate::show::shows_itself;
use crate::susy::{GardenSpace, Sector, su2_basis};
use std::collections::HashMap;
use std::fmt;

impl GardenSpace {
    /// How many sets each combination of su(2) (of the fermionic holoraumy) and `chi_0` has.
    ///
    /// # Errors
    /// A space other than n = d = 4.
    pub fn families(&self) -> Result<AdinkraFamilies> {
        let chi = self.chi_0()?;
        let classes = self.holoraumy_classes(Sector::Fermionic)?;
        let [alpha, _] = su2_basis();
        let is_alpha: Vec<bool> = classes
            .axes
            .iter()
            .map(|axis| alpha.contains(axis) || alpha.contains(&-*axis))
            .collect();
        let mut counts: HashMap<(Su2, i64), usize> = HashMap::new();
        for (codes, chi) in classes.codes.chunks_exact(6).zip(chi) {
            let along = codes.iter().filter(|&&c| is_alpha[usize::from(c / 2)]);
            let su2 = match along.count() {
                6 => Su2::Alpha,
                0 => Su2::Beta,
                _ => Su2::Both,
            };
            *counts.entry((su2, chi)).or_default() += 1;
        }
        let mut families: Vec<AdinkraFamily> = counts
            .into_iter()
            .map(|((su2, chi_0), adinkras)| AdinkraFamily {
                su2,
                chi_0,
                adinkras,
            })
            .collect();
        families.sort_by_key(|f| (f.su2, -f.chi_0));
        Ok(AdinkraFamilies { families })
    }
}

/// Which su(2) of so(4) = su(2) x su(2) a set's fermionic holoraumy lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Su2 {
    /// Every matrix is plus or minus an alpha.
    Alpha,
    /// Every matrix is plus or minus a beta.
    Beta,
    /// Some of each.
    Both,
}

/// The sets with one su(2) and one `chi_0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdinkraFamily {
    pub su2: Su2,
    /// +1 (cis) or -1 (trans).
    pub chi_0: i64,
    /// How many ordered quartets.
    pub adinkras: usize,
}

/// The minimal four-colour adinkras by su(2) and `chi_0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdinkraFamilies {
    pub families: Vec<AdinkraFamily>,
}

impl fmt::Display for Su2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Su2::Alpha => "alpha",
            Su2::Beta => "beta",
            Su2::Both => "both",
        })
    }
}

impl fmt::Display for AdinkraFamilies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, family) in self.families.iter().enumerate() {
            let (su2, chi_0) = (family.su2, family.chi_0);
            let gap = if i == 0 { "" } else { "; " };
            write!(f, "{gap}({su2}, chi_0 = {chi_0:+}): {}", family.adinkras)?;
        }
        Ok(())
    }
}

shows_itself!(AdinkraFamilies as text);
