//! Training of matching pursuit: one optimiser step, its backward pass, and the run that calls them.

mod backward;
mod step;
mod train;

pub use backward::PursuitGrads;
pub use step::PursuitStep;
pub(super) use train::train_pursuit;
