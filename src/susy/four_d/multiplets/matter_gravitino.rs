//! The matter gravitino multiplet MGM (B_m; psi_ma), spins 1 and 3/2: `D_a B_m = psi_ma`,
//! `D_a psi_mb = -(i/2) (g_m)_a^c ([g^x, g^y])_cb d_x B_y`.
//! Source: arXiv:1906.02971.

use super::laws::Laws;
use super::{gauge_vector, gravitino};
use crate::susy::four_d::lagrangian::Lagrangian;
use crate::susy::four_d::{
    Complex, ComplexMatrix, FourMomentum, GammaMatrices, MultipletAtMomentum, Orientation,
};

fn laws(k: &FourMomentum, g: &GammaMatrices) -> Laws {
    let mut laws = Laws::new(4, 16);
    for m in 0..4 {
        laws.boson(m, Complex::ONE, &ComplexMatrix::identity(4), m);
        for x in 0..4 {
            for y in (0..4).filter(|&y| y != x) {
                let product = g.lower[m].times(&g.commutator(x, y));
                let factor = Complex::I * -0.5 * k.derivative(x);
                laws.fermion(m, factor, &g.lowered(&product), y);
            }
        }
    }
    laws
}

pub(super) fn on_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let mut bosons = gauge_vector::sector("B", k, orientation);
    bosons.strength_name = "d_[m B_n]";
    MultipletAtMomentum::new(*k, laws(k, g), bosons, gravitino::sector(k, g))
}

/// `-(1/2) F^2 + (i/2) psi_m g^mns d_n psi_s`: `D_a B_m = psi_ma` has no gamma matrix, which fixes
/// the ratio of the terms.
pub(super) fn lagrangian(k: &FourMomentum, g: &GammaMatrices) -> Lagrangian {
    Lagrangian {
        bosons: gauge_vector::action(k).scaled(2.0),
        fermions: gravitino::action(k, g),
    }
}
