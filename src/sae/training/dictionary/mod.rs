//! What happens to a dictionary beside the optimiser's steps: where it starts, what it is held to, and the
//! resampling of dead features.

mod constraint;
mod init;
mod resample;

pub(super) use constraint::Constraint;
pub use init::initial_params;
pub(super) use init::own_parameters;
pub(crate) use init::scale_encoder;
pub use resample::resample_dead;
