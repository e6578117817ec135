//! Binary codes: doubly even ones, listed, counted and put into classes. Source: Doran et al., arXiv:0806.0050.

mod binary_code;
mod code_classes;
mod code_symmetry;
mod doubly_even;
mod gf2;

pub use binary_code::BinaryCode;
pub use code_classes::{CodeClass, CodeClasses, doubly_even_classes};
pub use doubly_even::{
    CodeCounts, doubly_even_codes, doubly_even_counts, doubly_even_counts_by_walk,
};
pub(super) use gf2::LinearSystem;
