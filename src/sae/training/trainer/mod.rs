//! The training loop: `train`, the calls; `pass`, one pass over the activations for one autoencoder or several;
//! `run`, one autoencoder's part of it; `checkpoint`, from which a run goes on; `sweep`, what a pass of several gives.

mod checkpoint;
mod pass;
mod run;
mod score;
mod sweep;
mod sweep_view;
mod train;

pub use sweep::{SaeSweep, SweepRow, SweepRun};
pub use train::{
    resume_sae, resume_sae_with, resume_saes, resume_saes_with, train_sae, train_sae_with,
    train_saes, train_saes_with,
};
