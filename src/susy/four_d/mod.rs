//! Supersymmetry in four dimensions: `D_a` on the six on-shell multiplets in momentum space.
//! `{D_a, D_b} = 2i (g^m)_ab d_m` and `[D_a, D_b] W = 2 Q (g5 g^m)_ab d_m (J W)`, with `d_m -> i k_m`.
//! Source: arXiv:1906.02971; metric diag(-1, 1, 1, 1), real Majorana gammas, `eps_0123 = +1`.

mod axial_vector;
mod charge;
mod chiral;
mod closure;
mod complex;
mod field_equation_terms;
mod field_sector;
mod gamma;
mod gauge_vector;
mod gravitino;
mod invariance;
mod lagrangian;
mod laws;
mod matrix;
mod matter_gravitino;
mod momentum;
mod multiplet;
mod multiplet_at_momentum;
mod reduction;
mod spinor;
mod supergravity;
mod tensor;
mod two_form;
mod vector;

pub use charge::{HoloraumyCharge, HoloraumyCharges, holoraumy_charges, holoraumy_charges_with};
pub use complex::Complex;
pub use field_equation_terms::FieldEquationTerms;
pub use field_sector::FieldSector;
pub use gamma::GammaMatrices;
pub use lagrangian::Lagrangian;
pub use matrix::ComplexMatrix;
pub use momentum::{FourMomentum, Frequency, METRIC, null_momenta};
pub use multiplet::FourDMultiplet;
pub use multiplet_at_momentum::MultipletAtMomentum;
pub use reduction::ReducedMultiplet;
pub use two_form::{Orientation, PAIRS};
