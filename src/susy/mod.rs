//! Supersymmetry: signed permutations, the garden algebra, holoraumy, the gadget; doubly even codes
//! and adinkras for up to 16 colours.
//! `L_I R_J + L_J R_I = 2 delta_IJ 1`, everything exact in integers and fractions.
//! Source: Gates et al., arXiv:1701.00304 and its references.

mod adinkra;
mod adinkra_families;
mod adinkra_figure;
pub mod analogy;
mod binary_code;
mod chromotopology;
mod code_classes;
mod code_symmetry;
mod dashing;
mod doubly_even;
pub mod four_d;
mod gadget;
mod gadget_counts;
mod garden;
mod garden_space;
mod generator_sets;
mod gf2;
mod heights;
mod holoraumy;
mod holoraumy_classes;
mod hymn;
mod multiplets;
mod ratio;
mod signed_permutation;

pub use adinkra::{Adinkra, AdinkraEdge, AdinkraNode};
pub use adinkra_families::{AdinkraFamilies, AdinkraFamily, Su2};
pub use binary_code::BinaryCode;
pub use chromotopology::{Chromotopology, smallest_d};
pub use code_classes::{CodeClass, CodeClasses, doubly_even_classes};
pub use dashing::{Dashing, DashingCount};
pub use doubly_even::{
    CodeCounts, doubly_even_codes, doubly_even_counts, doubly_even_counts_by_walk,
};
pub use four_d::{
    FourDMultiplet, FourMomentum, Frequency, HoloraumyCharge, HoloraumyCharges, ReducedMultiplet,
    holoraumy_charges, null_momenta,
};
pub use gadget::{GadgetMatrix, gadget, gadget_matrix};
pub use gadget_counts::{GadgetCount, GadgetCounts, GadgetRow};
pub use garden::{GardenCheck, GardenMultiplet};
pub use garden_space::{GardenSpace, garden_sets, garden_space};
pub use generator_sets::{GeneratorSetCounts, generator_sets};
pub use holoraumy::{Holoraumy, PairCoefficients, Sector, Su2Coefficients, su2_basis};
pub use holoraumy_classes::HoloraumyClasses;
pub use hymn::{Hymn, HymnClass, HymnClasses, HymnValue};
pub use multiplets::{chiral, tensor, vector};
pub use ratio::Ratio;
pub use signed_permutation::SignedPermutation;
