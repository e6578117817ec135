//! Training of matching pursuit: optimiser step, backward pass, and learner.

mod backward;
mod learner;
mod step;

pub use backward::PursuitGrads;
pub(super) use learner::PursuitLearner;
pub use step::PursuitStep;
