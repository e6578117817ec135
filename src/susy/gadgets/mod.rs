//! Holoraumy, and the gadget, the inner product of multiplets that it gives; both also of a whole space.
//! Source: Gates et al., arXiv:1701.00304.

mod gadget;
mod gadget_counts;
mod holoraumy;
mod holoraumy_classes;

pub use gadget::{GadgetMatrix, gadget, gadget_matrix};
pub use gadget_counts::{GadgetCount, GadgetCounts, GadgetRow};
pub use holoraumy::{Holoraumy, PairCoefficients, Sector, Su2Coefficients, su2_basis};
pub use holoraumy_classes::HoloraumyClasses;
