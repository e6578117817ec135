//! Training of the language model: next-token cross-entropy, AdamW, warm-up and cosine.
//!
//! [`train`] runs from the first step, [`resume`] goes on from a run folder with the same bits
//! as a run that was never stopped, [`evaluate`] gives the mean loss on a split.

mod adamw;
mod checkpoint;
mod clip;
mod evaluate;
mod history;
mod metrics;
mod schedule;
mod tensorboard;
mod trainer;

pub use adamw::{AdamW, AdamWConfig, AdamWState};
pub use checkpoint::Checkpoint;
pub use clip::{clip_scale, global_norm};
pub use evaluate::{evaluate, evaluate_with};
pub use history::TrainingHistory;
pub use metrics::{Metric, RunFolder};
pub use schedule::Schedule;
pub use tensorboard::EventWriter;
pub use trainer::observe::train_observed;
pub use trainer::{resume, resume_with, train, train_with};
