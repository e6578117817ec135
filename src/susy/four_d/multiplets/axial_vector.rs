//! The axial vector multiplet AVS (U_m; lam~): `D_a U_m = i (g5 g_m)_a^b lam~_b`,
//! `D_a lam~_b = (1/2) (g5 [g^m, g^n])_ab d_m U_n`; off shell with an auxiliary d~.
//! Source: arXiv:1906.02971; VS after the rotation `lam = -i g5 lam~`, `d = -d~`.

use super::laws::Laws;
use super::{gauge_vector, spinor};
use crate::susy::four_d::{Complex, FourMomentum, GammaMatrices, MultipletAtMomentum, Orientation};

const ONE: Complex = Complex::ONE;
const I: Complex = Complex::I;

fn laws(n_bosons: usize, k: &FourMomentum, g: &GammaMatrices) -> Laws {
    let mut laws = Laws::new(n_bosons, 4);
    for n in 0..4 {
        laws.boson(n, I, &g.five.times(&g.lower[n]), 0);
        for m in 0..4 {
            let product = g.five.times(&g.commutator(m, n));
            laws.fermion(0, k.derivative(m) * 0.5, &g.lowered(&product), n);
        }
    }
    laws
}

pub(super) fn on_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let bosons = gauge_vector::sector("U", k, orientation);
    let fermions = spinor::sector("lam~", k, g);
    MultipletAtMomentum::new(*k, laws(4, k, g), bosons, fermions)
}

/// Adds `-i C_ab d~` to `D_a lam~_b`, and `D_a d~ = (g^m)_a^b d_m lam~_b`.
pub(super) fn off_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let mut laws = laws(5, k, g);
    laws.fermion(0, -I, &g.charge_conjugation, 4);
    laws.boson(4, ONE, &g.slash(k), 0);
    let bosons = gauge_vector::sector("U", k, orientation).with_auxiliaries(&["d~"]);
    let fermions = spinor::sector("lam~", k, g).off_shell();
    MultipletAtMomentum::new(*k, laws, bosons, fermions)
}
