//! Four-dimensional supersymmetry: every statement of arXiv:1906.02971 about its six multiplets,
//! and the reduction to the one-dimensional multiplets of arXiv:1701.00304.

mod gamma;
mod interface;
mod lagrangian;
mod off_shell;
mod on_shell;
mod one_dimension;

use holoscope::susy::Sector;
use holoscope::susy::four_d::{
    Complex, ComplexMatrix, FourDMultiplet, FourMomentum, Frequency, GammaMatrices, null_momenta,
};

pub const SECTORS: [Sector; 2] = [Sector::Bosonic, Sector::Fermionic];
pub const I: Complex = Complex::I;
/// What "machine precision" means here, relative.
pub const ROUNDING: f64 = 1e-14;

/// Several random directions, both frequencies.
pub fn null() -> Vec<FourMomentum> {
    null_momenta(6, 1906).unwrap()
}

/// Momenta off the light cone: timelike, spacelike, and one with no special direction.
pub fn generic() -> Vec<FourMomentum> {
    [
        [1.3, 0.2, -0.4, 0.1],
        [0.3, -0.7, 1.1, 0.2],
        [-2.0, 1.5, 0.8, -1.9],
    ]
    .map(|k| FourMomentum::new(k).unwrap())
    .to_vec()
}

/// (-3; 1, 2, 2): null, with integer polarisations (2, -2, 1) and (2, 1, -2).
pub fn integer_null() -> FourMomentum {
    FourMomentum::null([1.0, 2.0, 2.0], Frequency::Positive).unwrap()
}

pub fn times(factors: &[&ComplexMatrix]) -> ComplexMatrix {
    let (first, rest) = factors.split_first().unwrap();
    rest.iter()
        .fold((*first).clone(), |p, m| p.product(m).unwrap())
}

/// The size of a product that should vanish, relative to its factors.
pub fn remainder(factors: &[&ComplexMatrix]) -> f64 {
    let norm = |m: &ComplexMatrix| m.norm_sqr().sqrt();
    let sizes: f64 = factors.iter().map(|m| norm(m)).product();
    let size = norm(&times(factors));
    if size == 0.0 { 0.0 } else { size / sizes }
}

/// `|a - b|` over `|b|`, or over 1 where b is 0.
pub fn gap(a: &ComplexMatrix, b: &ComplexMatrix) -> f64 {
    let size = b.norm_sqr().sqrt();
    let difference = a.difference(b).unwrap().norm_sqr().sqrt();
    difference / if size == 0.0 { 1.0 } else { size }
}

/// `M_ab = M_a^c C_cb`.
pub fn lowered(m: &ComplexMatrix) -> ComplexMatrix {
    times(&[m, &GammaMatrices::majorana().charge_conjugation])
}

pub fn commutator(a: &ComplexMatrix, b: &ComplexMatrix) -> ComplexMatrix {
    times(&[a, b]).difference(&times(&[b, a])).unwrap()
}

/// The multiplets whose auxiliary fields are known.
pub const OFF_SHELL: [FourDMultiplet; 4] = [
    FourDMultiplet::Chiral,
    FourDMultiplet::Vector,
    FourDMultiplet::AxialVector,
    FourDMultiplet::Tensor,
];
