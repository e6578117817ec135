//! The training loop: `train`, the calls; `pass`, one pass over the activations for one autoencoder or several; `feed`,
//! what they read; `run`, one autoencoder's part of it, and `learner`, what learns in it; `checkpoint`, from which a run
//! goes on; `sweep`, what a pass of several gives.

mod checkpoint;
mod feed;
mod learner;
mod pass;
mod run;
mod schedule;
mod score;
mod sweep;
mod sweep_view;
mod train;

pub(super) use learner::{Learner, Rates};
pub(super) use schedule::{learning_rate, resamples_at, sparsity_weight};
pub use sweep::{SaeSweep, SweepRow, SweepRun};
pub use train::{
    resume_sae, resume_sae_with, resume_saes, resume_saes_with, train_sae, train_sae_with,
    train_saes, train_saes_with,
};
