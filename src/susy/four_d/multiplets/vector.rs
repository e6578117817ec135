//! The vector multiplet VS (A_m; lam): `D_a A_m = (g_m)_a^b lam_b`,
//! `D_a lam_b = -(i/4) ([g^m, g^n])_ab F_mn`; off shell with the auxiliary d.
//! Source: arXiv:1906.02971; the auxiliary from arXiv:0902.3830.

use super::laws::Laws;
use super::{gauge_vector, spinor};
use crate::susy::four_d::lagrangian::Lagrangian;
use crate::susy::four_d::{Complex, FourMomentum, GammaMatrices, MultipletAtMomentum, Orientation};

const ONE: Complex = Complex::ONE;
const I: Complex = Complex::I;

fn laws(n_bosons: usize, k: &FourMomentum, g: &GammaMatrices) -> Laws {
    let mut laws = Laws::new(n_bosons, 4);
    for n in 0..4 {
        laws.boson(n, ONE, &g.lower[n], 0);
        for m in 0..4 {
            // F_mn = d_m A_n - d_n A_m, and the commutator is antisymmetric: twice d_m A_n.
            let factor = I * -0.5 * k.derivative(m);
            laws.fermion(0, factor, &g.lowered(&g.commutator(m, n)), n);
        }
    }
    laws
}

pub(super) fn on_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let bosons = gauge_vector::sector("A", k, orientation);
    let fermions = spinor::sector("lam", k, g);
    MultipletAtMomentum::new(*k, laws(4, k, g), bosons, fermions)
}

/// Adds `(g5)_ab d` to `D_a lam_b`, and `D_a d = i (g5 g^m)_a^b d_m lam_b`.
pub(super) fn off_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let mut laws = laws(5, k, g);
    laws.fermion(0, ONE, &g.lowered(&g.five), 4);
    laws.boson(4, I, &g.five.times(&g.slash(k)), 0);
    let bosons = gauge_vector::sector("A", k, orientation).with_auxiliaries(&["d"]);
    let fermions = spinor::sector("lam", k, g).off_shell();
    MultipletAtMomentum::new(*k, laws, bosons, fermions)
}

/// `-(1/4) F^2 + (i/2) lam g d lam`; the same for the axial vector multiplet.
pub(super) fn lagrangian(k: &FourMomentum, g: &GammaMatrices) -> Lagrangian {
    Lagrangian {
        bosons: gauge_vector::action(k),
        fermions: spinor::action(k, g),
    }
}
