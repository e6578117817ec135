//! Interpretability of small language models, made for notebooks.
//!
//! Text becomes tokens, batches, activations, features, frames and figures, in
//! that order, one module per stage: [`data`], [`model`], [`train`], [`sae`],
//! [`interp`], [`susy`], [`show`]. `use holoscope::prelude::*;` imports all of it.
//!
//! # Devices and precision
//!
//! Everything runs on the CPU, in f32, bf16 or f16 (`TransformerConfig`'s `dtype`): the operations of
//! a model are fused there, and half precision is widened to f32 and rounded once per operation.
//!
//! With the feature `cuda`, a model can live on an NVIDIA GPU (`device`). Building requires `nvcc` of
//! a CUDA toolkit in `PATH` (up to 13.4) and, where no GPU can be queried for it,
//! `CUDA_COMPUTE_CAP` (`80` for an A100); running requires the driver. With `metal`, a model can live
//! on an Apple GPU. On a GPU every operation is composed of candle's. Autoencoders are trained on the
//! CPU, on activations copied from the model's device.

#![cfg_attr(
    not(feature = "notebook"),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        reason = "a page needs a part of what the modules that it needs have"
    )
)]

#[cfg(feature = "notebook")]
mod archive;
pub mod config;
pub mod data;
pub mod error;
#[cfg(feature = "notebook")]
mod file;
#[cfg(feature = "notebook")]
pub mod host;
pub mod interp;
mod known_fields;
#[cfg(feature = "notebook")]
pub mod lesson;
#[cfg(feature = "notebook")]
mod linear_algebra;
pub mod model;
#[cfg(feature = "notebook")]
pub mod prelude;
pub mod progress;
#[cfg(feature = "notebook")]
pub mod rasp;
pub mod sae;
pub mod show;
#[cfg(feature = "notebook")]
pub mod susy;
#[cfg(feature = "notebook")]
pub mod train;
#[cfg(feature = "notebook")]
pub mod widgets;

pub use candle_core as candle;
pub use error::{Error, Result};
#[cfg(feature = "notebook")]
pub use polars;
