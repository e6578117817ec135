//! The training of a dictionary apart from the optimiser's steps: initialisation, constraints, and the
//! resampling of dead features; and the learner that combines them in a run.

mod constraint;
mod init;
mod learner;
mod resample;

pub use init::initial_params;
pub(crate) use init::scale_encoder;
pub(super) use learner::DictionaryLearner;
pub use resample::resample_dead;
