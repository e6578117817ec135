//! The six multiplets, one file each, of the fields that they have: spinors, gravitini, gauge vectors.
//! Source: arXiv:1906.02971.

mod axial_vector;
mod chiral;
mod gauge_vector;
mod gravitino;
mod laws;
mod matter_gravitino;
mod multiplet;
mod spinor;
mod supergravity;
mod tensor;
mod vector;

pub(super) use laws::Laws;
pub use multiplet::FourDMultiplet;
