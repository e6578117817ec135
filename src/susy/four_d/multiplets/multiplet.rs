//! The six on-shell multiplets of N = 1 supersymmetry in four dimensions, by name.
//! Source: arXiv:1906.02971, section 3.

use super::{axial_vector, chiral, matter_gravitino, supergravity, tensor, vector};
use crate::error::{Error, Result};
use crate::susy::four_d::{
    FourMomentum, GammaMatrices, Lagrangian, MultipletAtMomentum, Orientation,
};
use std::fmt;

/// A multiplet of arXiv:1906.02971.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FourDMultiplet {
    /// CS: scalars A, B; spinor psi.
    Chiral,
    /// VS: vector A_m; spinor lam.
    Vector,
    /// AVS: axial vector U_m; spinor lam~.
    AxialVector,
    /// TS: scalar phi, two-form B_mn; spinor chi.
    Tensor,
    /// MGM: vector B_m; gravitino psi_ma.
    MatterGravitino,
    /// SG: graviton h_mn; gravitino psi_ma.
    Supergravity,
}

impl FourDMultiplet {
    /// All six, in the paper's order.
    pub const ALL: [FourDMultiplet; 6] = [
        Self::Chiral,
        Self::Vector,
        Self::AxialVector,
        Self::Tensor,
        Self::MatterGravitino,
        Self::Supergravity,
    ];

    /// The paper's abbreviation, for example "CS".
    pub fn name(self) -> &'static str {
        match self {
            Self::Chiral => "CS",
            Self::Vector => "VS",
            Self::AxialVector => "AVS",
            Self::Tensor => "TS",
            Self::MatterGravitino => "MGM",
            Self::Supergravity => "SG",
        }
    }

    /// The multiplet at a momentum, with the fields of the table and their field equations.
    ///
    /// ```
    /// use holoscope::susy::Sector;
    /// use holoscope::susy::four_d::{FourDMultiplet, FourMomentum, Frequency};
    /// let k = FourMomentum::null([1.0, 2.0, 2.0], Frequency::Positive)?;
    /// let vs = FourDMultiplet::Vector.at(&k);
    /// assert!(vs.closure(Sector::Bosonic)? < 1e-14);
    /// assert_eq!(vs.bosons.n_states(), 2);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    pub fn at(self, k: &FourMomentum) -> MultipletAtMomentum {
        self.at_with(k, Orientation::Plus)
    }

    /// As [`Self::at`], for a sign of `eps_0123`.
    pub fn at_with(self, k: &FourMomentum, orientation: Orientation) -> MultipletAtMomentum {
        let g = GammaMatrices::majorana();
        match self {
            Self::Chiral => chiral::on_shell(k, &g),
            Self::Vector => vector::on_shell(k, &g, orientation),
            Self::AxialVector => axial_vector::on_shell(k, &g, orientation),
            Self::Tensor => tensor::on_shell(k, &g, orientation),
            Self::MatterGravitino => matter_gravitino::on_shell(k, &g, orientation),
            Self::Supergravity => supergravity::on_shell(k, &g, orientation),
        }
    }

    /// The multiplet off shell: no field equations; CS with F and G, VS with d, AVS with d~, TS as
    /// it stands.
    ///
    /// # Errors
    /// MGM and SG, whose auxiliary fields are not part of the library.
    pub fn off_shell_at(self, k: &FourMomentum) -> Result<MultipletAtMomentum> {
        self.off_shell_with(k, Orientation::Plus)
    }

    /// As [`Self::off_shell_at`], for a sign of `eps_0123`; errors as there.
    pub fn off_shell_with(
        self,
        k: &FourMomentum,
        orientation: Orientation,
    ) -> Result<MultipletAtMomentum> {
        let g = GammaMatrices::majorana();
        match self {
            Self::Chiral => Ok(chiral::off_shell(k, &g)),
            Self::Vector => Ok(vector::off_shell(k, &g, orientation)),
            Self::AxialVector => Ok(axial_vector::off_shell(k, &g, orientation)),
            Self::Tensor => Ok(tensor::off_shell(k, &g, orientation)),
            Self::MatterGravitino | Self::Supergravity => Err(Error::argument(
                "multiplet",
                self,
                "its auxiliary fields are not known here; CS, VS, AVS and TS close off shell",
            )),
        }
    }

    /// The invariant Lagrangian of the on-shell multiplet at a momentum, null or not.
    pub fn lagrangian(self, k: &FourMomentum) -> Lagrangian {
        let g = GammaMatrices::majorana();
        match self {
            Self::Chiral => chiral::lagrangian(k, &g),
            Self::Vector | Self::AxialVector => vector::lagrangian(k, &g),
            Self::Tensor => tensor::lagrangian(k, &g),
            Self::MatterGravitino => matter_gravitino::lagrangian(k, &g),
            Self::Supergravity => supergravity::lagrangian(k, &g),
        }
    }
}

impl fmt::Display for FourDMultiplet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
