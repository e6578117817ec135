//! Does a trained network hold a garden algebra? Families of its maps, quantities that no change of
//! basis alters, controls, and a test of the instrument itself on planted algebras.
//! Source: ours; the algebra is that of arXiv:1701.00304.

mod assignment;
mod families;
mod features;
mod measures;
mod verdicts;

pub use crate::linear_algebra::{RealMatrix, SingularValues};
pub use assignment::best_assignment;
pub use families::*;
pub use features::*;
pub use measures::*;
pub use verdicts::*;
