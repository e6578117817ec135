//! Supersymmetry: signed permutations, the garden algebra, holoraumy and the gadget.
//! `L_I R_J + L_J R_I = 2 delta_IJ 1`, everything exact in integers and fractions.
//! Source: Gates et al., arXiv:1701.00304 and its references.

pub mod four_d;
mod gadget;
mod garden;
mod holoraumy;
mod multiplets;
mod ratio;
mod signed_permutation;

pub use four_d::{
    FourDMultiplet, FourMomentum, Frequency, HoloraumyCharge, HoloraumyCharges, ReducedMultiplet,
    holoraumy_charges, null_momenta,
};
pub use gadget::{GadgetMatrix, gadget, gadget_matrix};
pub use garden::{GardenCheck, GardenMultiplet, garden_sets};
pub use holoraumy::{Holoraumy, PairCoefficients, Sector, Su2Coefficients, su2_basis};
pub use multiplets::{chiral, tensor, vector};
pub use ratio::Ratio;
pub use signed_permutation::SignedPermutation;
