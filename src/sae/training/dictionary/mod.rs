//! What happens to a dictionary beside the optimiser's steps: where it starts, what it is held to, and the
//! resampling of dead features; and the whole of it as what learns in a run.

mod constraint;
mod init;
mod learner;
mod resample;

pub use init::initial_params;
pub(crate) use init::scale_encoder;
pub(super) use learner::DictionaryLearner;
pub use resample::resample_dead;
