//! The training loop: `train`, the public calls; `pass`, one pass over the activations for one autoencoder or several;
//! `feed`, the input; `run`, one autoencoder's part, and `learner`, what is trained in it; `checkpoint`, for resuming;
//! `sweep`, the result of a pass of several.

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
