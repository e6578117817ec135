//! The parts of a block, each with its hook points: attention with its rotary positions, the MLP, and
//! normalisation. Source: Radford et al. 2019; Black et al. 2022.

mod attention;
mod functions;
mod layer_norm;
mod mlp;
mod rotary;

pub(super) use attention::Attention;
pub(super) use functions::{linear, softmax, sum};
pub(super) use layer_norm::{LayerNorm, Norm};
pub(crate) use mlp::relu;
pub(super) use mlp::{Mlp, activate};
pub(super) use rotary::Rotary;
