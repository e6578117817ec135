//! Does a trained network hold a garden algebra? Families of its maps, quantities that no change of
//! basis alters, controls, and a test of the instrument itself on planted algebras.
//! Source: ours; the algebra is that of arXiv:1701.00304.

mod families;
mod features;
mod linear_algebra;
mod measures;
mod verdicts;

pub use families::*;
pub use features::*;
pub use linear_algebra::*;
pub use measures::*;
pub use verdicts::*;
