//! Training: the buffer of activations, initialisation, the optimiser step, the resampling of
//! dead features, and the loop that calls them for one autoencoder or for several.

mod activations;
mod dictionary;
mod pursuit;
mod record;
mod selection;
mod step;
mod temporal;
mod trainer;
mod transcoders;

pub use activations::ActivationBuffer;
pub(crate) use dictionary::scale_encoder;
pub use dictionary::{initial_params, resample_dead};
pub use pursuit::{PursuitGrads, PursuitStep};
pub use record::{SaeHistory, StepFigures};
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
