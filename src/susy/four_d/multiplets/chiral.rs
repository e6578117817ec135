//! The chiral multiplet CS (A, B; psi): `D_a A = psi_a`, `D_a B = i (g5)_a^b psi_b`,
//! `D_a psi_b = i (g^m)_ab d_m A - (g5 g^m)_ab d_m B`; off shell with the auxiliaries F and G.
//! Source: arXiv:1906.02971; the auxiliaries from arXiv:0902.3830.

use super::laws::Laws;
use super::spinor;
use crate::susy::four_d::lagrangian::Lagrangian;
use crate::susy::four_d::{
    Complex, ComplexMatrix, FieldSector, FourMomentum, GammaMatrices, MultipletAtMomentum,
};

const ONE: Complex = Complex::ONE;
const I: Complex = Complex::I;

fn laws(n_bosons: usize, k: &FourMomentum, g: &GammaMatrices) -> Laws {
    let slash = g.slash(k);
    let mut laws = Laws::new(n_bosons, 4);
    laws.boson(0, ONE, &ComplexMatrix::identity(4), 0);
    laws.boson(1, I, &g.five, 0);
    laws.fermion(0, I, &g.lowered(&slash), 0);
    laws.fermion(0, -ONE, &g.lowered(&g.five.times(&slash)), 1);
    laws
}

/// A and B; `J (A, B) = (-B, A)`.
fn scalars(k: &FourMomentum) -> FieldSector {
    let mut rotation = ComplexMatrix::zeros(2, 2);
    rotation.add_to(0, 1, -ONE);
    rotation.add_to(1, 0, ONE);
    FieldSector {
        components: vec!["A".to_owned(), "B".to_owned()],
        equations: ComplexMatrix::identity(2).scaled(-k.square()),
        gauge: ComplexMatrix::zeros(2, 0),
        strength_name: "(A, B)",
        strength: ComplexMatrix::identity(2),
        rotation_name: "(-B, A)",
        rotation,
    }
}

pub(super) fn on_shell(k: &FourMomentum, g: &GammaMatrices) -> MultipletAtMomentum {
    let fermions = spinor::sector("psi", k, g);
    MultipletAtMomentum::new(*k, laws(2, k, g), scalars(k), fermions)
}

/// Adds `-i C_ab F + (g5)_ab G` to `D_a psi_b`, and
/// `D_a F = (g^m)_a^b d_m psi_b`, `D_a G = i (g5 g^m)_a^b d_m psi_b`.
pub(super) fn off_shell(k: &FourMomentum, g: &GammaMatrices) -> MultipletAtMomentum {
    let slash = g.slash(k);
    let mut laws = laws(4, k, g);
    laws.fermion(0, -I, &g.charge_conjugation, 2);
    laws.fermion(0, ONE, &g.lowered(&g.five), 3);
    laws.boson(2, ONE, &slash, 0);
    laws.boson(3, I, &g.five.times(&slash), 0);
    let bosons = scalars(k).with_auxiliaries(&["F", "G"]);
    let fermions = spinor::sector("psi", k, g).off_shell();
    MultipletAtMomentum::new(*k, laws, bosons, fermions)
}

/// `(1/2) A box A + (1/2) B box B + (i/2) psi g d psi`.
pub(super) fn lagrangian(k: &FourMomentum, g: &GammaMatrices) -> Lagrangian {
    Lagrangian {
        bosons: ComplexMatrix::identity(2).scaled(-k.square()),
        fermions: spinor::action(k, g),
    }
}
