//! Training of transcoders, crosscoders and cross-layer transcoders on the sparse kernels.
//! One step for all of them: a sparse map from an input to a target, its features in blocks.

mod coder;
mod init;
mod resample;
mod result;
mod run;
mod sites;
mod step;
#[cfg(test)]
mod tests;
mod train_cross_layer;
mod train_crosscoder;
mod train_transcoder;

pub use step::{
    FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams, TranscoderStep,
};
pub use train_cross_layer::{train_cross_layer_transcoder, train_cross_layer_transcoder_with};
pub use train_crosscoder::{train_crosscoder, train_crosscoder_with};
pub use train_transcoder::{
    train_transcoder, train_transcoder_with, train_transcoders, train_transcoders_with,
};
