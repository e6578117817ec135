//! Families of maps: of networks, planted ones that hold the algebra, and controls.

mod family;
mod nulls;
mod places;
mod planted;

pub(super) use family::unit_columns;
pub use family::{Family, Gauge, Side};
pub use nulls::{Null, NullSampler, shuffled_colours};
pub use places::centred_embedding;
pub use planted::{Planting, planted_family};
