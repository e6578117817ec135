//! Does a trained network hold a garden algebra? Families of its maps, quantities that no change of
//! basis alters, controls, and a test of the instrument itself on planted algebras.
//! Source: ours; the algebra is that of arXiv:1701.00304.

mod assignment;
mod blocks;
mod complex_structure;
mod decompositions;
mod eigenvalues;
mod family;
mod generators;
mod matrix;
mod nearest_adinkra;
mod ranges;
mod spectrum;

pub use assignment::best_assignment;
pub use blocks::{BlockOverlap, block_overlap};
pub use complex_structure::{GardenDefect, complex_structure_defect};
pub use decompositions::SingularValues;
pub use family::{Family, Gauge, Side};
pub use generators::{aligned_generators, closure_residual, generator_gadget};
pub use matrix::RealMatrix;
pub use nearest_adinkra::NearestAdinkra;
pub use ranges::{radon_hurwitz, range_distance_sqr};
pub use spectrum::{MapSpectrum, map_spectrum, symmetry_index};
