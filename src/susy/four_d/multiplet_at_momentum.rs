//! A multiplet at a momentum: `D_a boson = L_a fermion`, `D_a fermion = R_a boson`, `d_m -> i k_m`.
//! Source: arXiv:1906.02971, section 3.

use super::multiplets::Laws;
use super::{ComplexMatrix, FieldSector, FourMomentum};
use crate::error::{Error, Result};
use crate::susy::Sector;

/// A multiplet at one momentum: `D_a` as matrices on its component fields.
#[derive(Debug, Clone, PartialEq)]
pub struct MultipletAtMomentum {
    /// The momentum of the plane wave.
    pub momentum: FourMomentum,
    /// `D_a boson_i = (L_a)_ij fermion_j`: four of `[n_bosons, n_fermions]`.
    pub l: [ComplexMatrix; 4],
    /// `D_a fermion_j = (R_a)_ji boson_i`: four of `[n_fermions, n_bosons]`.
    pub r: [ComplexMatrix; 4],
    pub bosons: FieldSector,
    pub fermions: FieldSector,
}

impl MultipletAtMomentum {
    pub(super) fn new(
        momentum: FourMomentum,
        laws: Laws,
        bosons: FieldSector,
        fermions: FieldSector,
    ) -> Self {
        Self {
            momentum,
            l: laws.l,
            r: laws.r,
            bosons,
            fermions,
        }
    }

    /// The bosons or the fermions.
    pub fn sector(&self, sector: Sector) -> &FieldSector {
        match sector {
            Sector::Bosonic => &self.bosons,
            Sector::Fermionic => &self.fermions,
        }
    }

    /// `D_a D_b` on the component fields of a sector, that is `D_a` of the components of `D_b f`;
    /// spinor indices from 1 to 4.
    ///
    /// # Errors
    /// A spinor index outside 1 to 4.
    pub fn second(&self, sector: Sector, a: usize, b: usize) -> Result<ComplexMatrix> {
        for index in [a, b] {
            if !(1..=4).contains(&index) {
                return Err(Error::argument("spinor index", index, "must be 1 to 4"));
            }
        }
        Ok(self.d_d(sector, a - 1, b - 1))
    }

    /// `{D_a, D_b}`; indices and errors as for [`Self::second`].
    pub fn anticommutator(&self, sector: Sector, a: usize, b: usize) -> Result<ComplexMatrix> {
        let (ab, ba) = (self.second(sector, a, b)?, self.second(sector, b, a)?);
        Ok(ab.plus(&ba))
    }

    /// `[D_a, D_b]`; indices and errors as for [`Self::second`].
    pub fn commutator(&self, sector: Sector, a: usize, b: usize) -> Result<ComplexMatrix> {
        let (ab, ba) = (self.second(sector, a, b)?, self.second(sector, b, a)?);
        Ok(ab.minus(&ba))
    }

    /// [`Self::second`] with indices 0 to 3.
    pub(super) fn d_d(&self, sector: Sector, a: usize, b: usize) -> ComplexMatrix {
        match sector {
            Sector::Bosonic => self.l[b].times(&self.r[a]),
            Sector::Fermionic => self.r[b].times(&self.l[a]),
        }
    }

    /// The solutions of the field equations of a sector: `[n, n_solutions]`.
    ///
    /// # Errors
    /// Field equations at a momentum that is not null, where massless fields vanish up to gauge.
    pub(super) fn solutions(&self, sector: Sector) -> Result<ComplexMatrix> {
        let fields = self.sector(sector);
        if fields.equations.n_rows() > 0 {
            self.momentum.require_null()?;
        }
        Ok(fields.solutions())
    }
}
