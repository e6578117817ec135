//! The tensor multiplet TS (phi, B_mn; chi): `D_a phi = chi_a`, `D_a B_mn = -(1/4) ([g_m, g_n])_a^b chi_b`,
//! `D_a chi_b = i (g^m)_ab d_m phi - (g5 g^m)_ab H_m` with `H_m = eps_m^rst d_r B_st`.
//! Source: arXiv:1906.02971; it closes off shell as it stands.

use super::laws::Laws;
use super::spinor;
use crate::susy::four_d::algebra::{PAIRS, curl, gradient, metric};
use crate::susy::four_d::lagrangian::Lagrangian;
use crate::susy::four_d::{
    Complex, ComplexMatrix, FieldSector, FourMomentum, GammaMatrices, MultipletAtMomentum,
    Orientation,
};

const ONE: Complex = Complex::ONE;
const I: Complex = Complex::I;

fn laws(k: &FourMomentum, g: &GammaMatrices, orientation: Orientation) -> Laws {
    let mut laws = Laws::new(7, 4);
    laws.boson(0, ONE, &ComplexMatrix::identity(4), 0);
    laws.fermion(0, I, &g.lowered(&g.slash(k)), 0);
    let dual = orientation.dual_field_strength(k); // [4, 6]
    for (pair, &(m, n)) in PAIRS.iter().enumerate() {
        laws.boson(1 + pair, (-0.25).into(), &g.lower_commutator(m, n), 0);
        for r in 0..4 {
            let product = g.lowered(&g.five.times(&g.upper[r]));
            laws.fermion(0, -dual.entry(r, pair), &product, 1 + pair);
        }
    }
    laws
}

/// phi and the six B_mn: `box phi = 0`, `d_m H_n - d_n H_m = 0`, B up to `d_m x_n - d_n x_m`.
fn scalar_and_two_form(k: &FourMomentum, orientation: Orientation) -> FieldSector {
    let dual = orientation.dual_field_strength(k); // [4, 6]
    let wave = ComplexMatrix::identity(1).scaled(-k.square());
    let one = ComplexMatrix::identity(4);
    let mut rotation = ComplexMatrix::zeros(8, 8);
    rotation.add_block(0, 4, &one.scaled(-1.0));
    rotation.add_block(4, 0, &one);
    let two_form = PAIRS.iter().map(|(m, n)| format!("B_{m}{n}"));
    FieldSector {
        components: std::iter::once("phi".to_owned()).chain(two_form).collect(),
        equations: wave.beside(&curl(k).times(&dual)),
        gauge: ComplexMatrix::zeros(1, 0).beside(&curl(k)),
        strength_name: "(d_m phi, H_m)",
        strength: gradient(k).beside(&dual),
        rotation_name: "(-H_m, d_m phi)",
        rotation,
    }
}

pub(super) fn on_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let bosons = scalar_and_two_form(k, orientation);
    let fermions = spinor::sector("chi", k, g);
    MultipletAtMomentum::new(*k, laws(k, g, orientation), bosons, fermions)
}

pub(super) fn off_shell(
    k: &FourMomentum,
    g: &GammaMatrices,
    orientation: Orientation,
) -> MultipletAtMomentum {
    let bosons = scalar_and_two_form(k, orientation).off_shell();
    let fermions = spinor::sector("chi", k, g).off_shell();
    MultipletAtMomentum::new(*k, laws(k, g, orientation), bosons, fermions)
}

/// `-(1/2) (d phi)^2 - (1/3) H_amn H^amn + (i/2) chi g d chi` with
/// `H_amn = d_a B_mn + d_m B_na + d_n B_am`: the second term is `+(1/2) H_m H^m`.
pub(super) fn lagrangian(k: &FourMomentum, g: &GammaMatrices) -> Lagrangian {
    // Quadratic in eps, so that its sign does not enter.
    let [dual, reversed] = [*k, k.reversed()].map(|k| Orientation::Plus.dual_field_strength(&k));
    let form = reversed.transpose().times(&metric().times(&dual)); // [6, 6]
    Lagrangian {
        bosons: ComplexMatrix::identity(1).scaled(-k.square()).beside(&form),
        fermions: spinor::action(k, g),
    }
}
