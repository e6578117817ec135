//! One optimiser step of a sparse map: parameters, forward pass, gradients, update.

pub(super) mod gauge;
mod params;
mod state;
mod transcoder_step;
mod update;
mod work;

pub use params::{FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams};
pub use transcoder_step::TranscoderStep;
