//! A Majorana spinor: the Dirac equation `g^m d_m psi = 0`; W = psi, J = i g5.
//! Lagrangian `(i/2) psi_a (g^m)^ab d_m psi_b`.
//! Source: arXiv:1906.02971.

use crate::susy::four_d::{ComplexMatrix, FieldSector, FourMomentum, GammaMatrices};

/// The spinor `name`, components 1 to 4.
pub(super) fn sector(name: &str, k: &FourMomentum, g: &GammaMatrices) -> FieldSector {
    FieldSector {
        components: (1..=4).map(|b| format!("{name}_{b}")).collect(),
        equations: g.slash(k),
        gauge: ComplexMatrix::zeros(4, 0),
        strength_name: "spinor",
        strength: ComplexMatrix::identity(4),
        rotation_name: "i g5",
        rotation: g.i_five(),
    }
}

/// `(g^m)^ab d_m`, `[4, 4]`.
pub(super) fn action(k: &FourMomentum, g: &GammaMatrices) -> ComplexMatrix {
    g.raised(&g.slash(k))
}
