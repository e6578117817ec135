//! Training: the buffer of activations, where training starts, one optimiser step, the resampling of
//! dead features, and the loop that calls them.

mod buffer;
mod by_feature;
mod constraint;
mod figures;
mod history;
mod init;
mod resample;
mod schedule;
mod selection;
mod state;
mod statistics;
mod step;
mod trainer;
mod transcoders;
mod update;
mod work;

pub use buffer::ActivationBuffer;
pub use figures::StepFigures;
pub use history::SaeHistory;
pub use init::initial_params;
pub(crate) use init::scale_encoder;
pub use resample::resample_dead;
pub use step::{DENSE_ABOVE, StandardStep};
pub use trainer::{train_sae, train_sae_with};
pub use transcoders::{
    FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams, TranscoderStep,
    train_cross_layer_transcoder, train_cross_layer_transcoder_with, train_crosscoder,
    train_crosscoder_with, train_transcoder, train_transcoder_with, train_transcoders,
    train_transcoders_with,
};
