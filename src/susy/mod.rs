//! Supersymmetry: signed permutations, the garden algebra, holoraumy, the gadget; doubly even codes
//! and adinkras for up to 16 colours.
//! `L_I R_J + L_J R_I = 2 delta_IJ 1`, everything exact in integers and fractions.
//! Source: Gates et al., arXiv:1701.00304 and its references.

mod adinkras;
pub mod analogy;
mod codes;
pub mod four_d;
mod gadgets;
mod garden;
mod garden_space;
mod hymn;
mod multiplets;
mod ratio;
mod signed_permutation;

pub use adinkras::*;
pub use codes::*;
pub use four_d::{
    FourDMultiplet, FourMomentum, Frequency, HoloraumyCharge, HoloraumyCharges, ReducedMultiplet,
    holoraumy_charges, null_momenta,
};
pub use gadgets::*;
pub use garden::{GardenCheck, GardenMultiplet};
pub use garden_space::{GardenSpace, garden_sets, garden_space};
pub use hymn::{Hymn, HymnClass, HymnClasses, HymnValue};
pub use multiplets::{chiral, tensor, vector};
pub use ratio::Ratio;
pub use signed_permutation::SignedPermutation;
