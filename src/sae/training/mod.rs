//! Training: the buffer of activations, where training starts, one optimiser step, the resampling of
//! dead features, and the loop that calls them for one autoencoder or for several.

mod aux_k;
mod buffer;
mod by_feature;
mod constraint;
mod figures;
mod history;
mod init;
mod learner;
mod pursuit;
mod resample;
mod schedule;
mod selection;
mod state;
mod statistics;
mod step;
mod temporal;
mod trainer;
mod transcoders;
mod update;
mod work;

pub use buffer::ActivationBuffer;
pub use figures::StepFigures;
pub use history::SaeHistory;
pub use init::initial_params;
pub(crate) use init::scale_encoder;
pub use pursuit::{PursuitGrads, PursuitStep};
pub use resample::resample_dead;
pub use step::{DENSE_ABOVE, StandardStep};
pub use trainer::{
    SaeSweep, SweepRow, SweepRun, resume_sae, resume_sae_with, resume_saes, resume_saes_with,
    train_sae, train_sae_with, train_saes, train_saes_with,
};
pub use transcoders::{
    FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams, TranscoderStep,
    train_cross_layer_transcoder, train_cross_layer_transcoder_with, train_crosscoder,
    train_crosscoder_with, train_transcoder, train_transcoder_with, train_transcoders,
    train_transcoders_with,
};
