//! A gravitino: `g^m (d_m psi_n - d_n psi_m) = 0`, which in four dimensions is the Rarita-Schwinger
//! equation; W = d_[m psi_n], J = i g5. Lagrangian `(i/2) psi_ma (g^mns)^ab d_n psi_sb`.
//! Source: arXiv:1906.02971; component `psi_ma` is number `4 m + a - 1`.

use crate::susy::four_d::algebra::{curl, gradient};
use crate::susy::four_d::{ComplexMatrix, FieldSector, FourMomentum, GammaMatrices};

/// The gravitino, 16 components.
pub(super) fn sector(k: &FourMomentum, g: &GammaMatrices) -> FieldSector {
    let mut equations = ComplexMatrix::zeros(16, 16);
    for n in 0..4 {
        equations.add_block(4 * n, 4 * n, &g.slash(k));
        for m in 0..4 {
            let trace = g.upper[m].scaled(-k.derivative(n));
            equations.add_block(4 * n, 4 * m, &trace);
        }
    }
    let one = ComplexMatrix::identity(4);
    FieldSector {
        components: (0..4)
            .flat_map(|m| (1..=4).map(move |a| format!("psi_{m}{a}")))
            .collect(),
        equations,
        gauge: gradient(k).kronecker(&one),
        strength_name: "d_[m psi_n]",
        strength: curl(k).kronecker(&one),
        rotation_name: "i g5",
        rotation: ComplexMatrix::identity(6).kronecker(&g.i_five()),
    }
}

/// `(g^mns)^ab d_n`, antisymmetrised with weight one, `[16, 16]`.
pub(super) fn action(k: &FourMomentum, g: &GammaMatrices) -> ComplexMatrix {
    let mut out = ComplexMatrix::zeros(16, 16);
    for m in 0..4 {
        for s in (0..4).filter(|&s| s != m) {
            for n in (0..4).filter(|&n| n != m && n != s) {
                // Different gammas anticommute: their product is antisymmetric already.
                let product = g.upper[m].times(&g.upper[n]).times(&g.upper[s]);
                let term = g.raised(&product).scaled(k.derivative(n));
                out.add_block(4 * m, 4 * s, &term);
            }
        }
    }
    out
}
