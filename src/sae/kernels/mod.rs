//! The arithmetic of encoding and training, compiled for each SIMD level of the CPU.
//!
//! It works on slices of `f32` and knows neither tensors nor autoencoders.

pub(super) mod adam;
pub(super) mod encode;
mod rows;
pub(super) mod tile;

pub(super) use rows::{
    BatchRows, adam, add_scaled, combine, dot, feature_gradient, normalise, project, residual,
};
