//! Training: the buffer of activations, where training starts, one optimiser step, the resampling of
//! dead features, and the loop that calls them.

pub(super) mod buffer;
mod constraint;
pub(super) mod history;
pub(super) mod init;
pub(super) mod resample;
mod schedule;
mod statistics;
pub(super) mod step;
pub(super) mod trainer;
mod update;
mod work;
