//! Adinkras: a cube divided by a code, with signs and heights, and the families and sets of them.
//! Each file names its source.

mod adinkra;
mod adinkra_families;
mod adinkra_figure;
mod chromotopology;
mod dashing;
mod generator_sets;
mod heights;

pub use adinkra::{Adinkra, AdinkraEdge, AdinkraNode};
pub use adinkra_families::{AdinkraFamilies, AdinkraFamily, Su2};
pub use chromotopology::{Chromotopology, smallest_d};
pub use dashing::{Dashing, DashingCount};
pub use generator_sets::{GeneratorSetCounts, generator_sets};
