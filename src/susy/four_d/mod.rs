//! Supersymmetry in four dimensions: `D_a` on the six on-shell multiplets in momentum space.
//! `{D_a, D_b} = 2i (g^m)_ab d_m` and `[D_a, D_b] W = 2 Q (g5 g^m)_ab d_m (J W)`, with `d_m -> i k_m`.
//! Source: arXiv:1906.02971; metric diag(-1, 1, 1, 1), real Majorana gammas, `eps_0123 = +1`.

mod algebra;
mod charge;
mod closure;
mod field_equation_terms;
mod field_sector;
mod invariance;
mod lagrangian;
mod multiplet_at_momentum;
mod multiplets;
mod reduction;

pub use algebra::*;
pub use charge::{HoloraumyCharge, HoloraumyCharges, holoraumy_charges, holoraumy_charges_with};
pub use field_equation_terms::FieldEquationTerms;
pub use field_sector::FieldSector;
pub use lagrangian::Lagrangian;
pub use multiplet_at_momentum::MultipletAtMomentum;
pub use multiplets::FourDMultiplet;
pub use reduction::ReducedMultiplet;
