//! Sparse autoencoders: activations become sparse features and back.
//!
//! `acts = relu((x - b_dec) W_enc + b_enc)`, `x_hat = acts W_dec + b_dec`; one file per variant
//! behind [`SparseAutoencoder`]; a dictionary may be constrained to the garden algebra during training.
//! Sources: Bricken et al. 2023, Gao et al. 2024, Rajamanoharan et al. 2024, Bussmann et al. 2024 and
//! 2025, 1L-Sparse-Autoencoder, SAELens.

mod active;
mod autoencoder;
mod constraints;
mod format;
mod kernels;
mod params;
#[cfg(feature = "notebook")]
mod state_dict;
#[cfg(feature = "notebook")]
mod training;
mod variants;

pub use active::{ActiveFeatures, FeatureActivity};
pub use autoencoder::{ActivityCounter, SparseAutoencoder};
pub use constraints::{
    DictionaryDefect, GardenPairing, GardenPenalty, HOLORAUMY_GENERATORS, PenaltyGradients,
    TiedDecoder, TiedGenerators, TiedGradients, garden_defect,
};
pub use kernels::PursuitRules;
pub use params::{StandardGrads, StandardParams};
#[cfg(feature = "notebook")]
pub(crate) use training::scale_encoder;
#[cfg(feature = "notebook")]
pub use training::{
    ActivationBuffer, DENSE_ABOVE, PursuitGrads, PursuitStep, SaeHistory, SaeSweep, StandardStep,
    StepFigures, SweepRow, SweepRun, initial_params, resample_dead, resume_sae, resume_sae_with,
    resume_saes, resume_saes_with, train_sae, train_sae_with, train_saes, train_saes_with,
};
#[cfg(feature = "notebook")]
pub use training::{
    FeatureBlock, FeatureBlockGrads, TranscoderGrads, TranscoderParams, TranscoderStep,
    train_cross_layer_transcoder, train_cross_layer_transcoder_with, train_crosscoder,
    train_crosscoder_with, train_transcoder, train_transcoder_with, train_transcoders,
    train_transcoders_with,
};
pub use variants::{
    AbsTopKSae, GatedSae, JumpReLUSae, MatchingPursuitSae, Sae, StandardSae, TemporalAttention,
    TemporalCodes, TemporalSae, TopKSae, Transcoder, TranscoderActivation,
};
pub use variants::{CrossLayerTranscoder, Crosscoder};
