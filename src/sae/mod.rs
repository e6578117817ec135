//! Sparse autoencoders: activations become sparse features and back.
//!
//! `acts = relu((x - b_dec) W_enc + b_enc)`, `x_hat = acts W_dec + b_dec`; one file a variant
//! behind [`SparseAutoencoder`]; a dictionary may be held to the garden algebra while it is trained.
//! Sources: Bricken et al. 2023, Gao et al. 2024, Rajamanoharan et al. 2024, Bussmann et al. 2024 and
//! 2025, 1L-Sparse-Autoencoder, SAELens.

mod active;
mod autoencoder;
mod constraints;
mod format;
mod kernels;
mod params;
mod training;
mod variants;

pub use active::{ActiveFeatures, FeatureActivity};
pub use autoencoder::{ActivityCounter, SparseAutoencoder};
pub use constraints::{
    DictionaryDefect, GardenPairing, GardenPenalty, HOLORAUMY_GENERATORS, PenaltyGradients,
    TiedDecoder, TiedGenerators, TiedGradients, garden_defect,
};
pub use params::{StandardGrads, StandardParams};
pub(crate) use training::scale_encoder;
pub use training::{
    ActivationBuffer, DENSE_ABOVE, SaeHistory, StandardStep, StepFigures, initial_params,
    resample_dead, train_sae, train_sae_with,
};
pub use training::{
    FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams, TranscoderStep,
    train_cross_layer_transcoder, train_cross_layer_transcoder_with, train_crosscoder,
    train_crosscoder_with, train_transcoder, train_transcoder_with, train_transcoders,
    train_transcoders_with,
};
pub use variants::{CrossLayerTranscoder, Crosscoder};
pub use variants::{
    GatedSae, JumpReLUSae, Sae, StandardSae, TopKSae, Transcoder, TranscoderActivation,
};
