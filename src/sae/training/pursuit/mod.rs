//! Training of matching pursuit: one optimiser step, its backward pass, and what learns in a run.

mod backward;
mod learner;
mod step;

pub use backward::PursuitGrads;
pub(super) use learner::PursuitLearner;
pub use step::PursuitStep;
