//! Interpretability of small language models, made for notebooks.
//!
//! Text becomes tokens, batches, activations, features, frames and figures, in
//! that order, one module a stage: [`data`], [`model`], [`train`], [`sae`],
//! [`interp`], [`susy`], [`show`]. `use holoscope::prelude::*;` brings all of it.

pub mod config;
pub mod data;
pub mod error;
mod file;
pub mod host;
pub mod interp;
pub mod model;
pub mod prelude;
pub mod progress;
pub mod sae;
pub mod show;
pub mod susy;
pub mod train;

pub use candle_core as candle;
pub use error::{Error, Result};
pub use polars;
