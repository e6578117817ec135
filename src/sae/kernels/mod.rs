//! The arithmetic of encoding and training, compiled for each SIMD level of the CPU.
//!
//! It works on slices of `f32`, without tensors or autoencoders.

mod adam;
mod encode;
mod gated_rows;
mod input_encoder;
mod lists;
mod nan;
mod product;
mod pursuit;
mod rows;
mod screen;
mod tile;

pub(super) use adam::{AdamStep, Moments};
pub(super) use encode::{PackedEncoder, pack_panel};
pub(super) use gated_rows::{GateGradient, GatedFeature, GatedRows, combine_pair, gated_gradient};
pub(super) use input_encoder::InputEncoder;
pub(super) use lists::{ActiveLists, RowList};
pub(super) use nan::{above, finite_or_nan};
pub(super) use product::{Matrix, Place, product};
pub use pursuit::PursuitRules;
pub(super) use pursuit::{Picks, PursuitScratch};
pub(super) use rows::{
    BatchRows, adam, add_scaled, combine, dot, feature_gradient, normalise, project, residual,
};
pub(super) use screen::{Screen, ScreenScratch};
pub(super) use tile::panel::{CHUNK, PANEL};
