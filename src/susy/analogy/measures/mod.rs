//! What no change of basis alters: how far a family, or one map, is from the garden algebra.

mod complex_structure;
mod generators;
mod nearest_adinkra;
mod ranges;
mod spectrum;
mod statistic;

pub use complex_structure::{GardenDefect, complex_structure_defect};
pub use generators::{aligned_generators, closure_residual, generator_gadget};
pub use nearest_adinkra::NearestAdinkra;
pub use ranges::{radon_hurwitz, range_distance_sqr};
pub use spectrum::{MapSpectrum, map_spectrum, symmetry_index};
pub use statistic::Statistic;
