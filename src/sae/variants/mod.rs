//! The autoencoders that there are, for inference: one file a variant.

mod any;
mod cross_layer_transcoder;
mod crosscoder;
mod gated;
mod jump_relu;
mod neurons;
mod rows;
mod standard;
mod top_k;
mod transcoder;
mod transcoder_activation;

pub use any::Sae;
pub use cross_layer_transcoder::CrossLayerTranscoder;
pub use crosscoder::Crosscoder;
pub use gated::GatedSae;
pub use jump_relu::JumpReLUSae;
pub use standard::StandardSae;
pub use top_k::TopKSae;
pub use transcoder::Transcoder;
pub use transcoder_activation::TranscoderActivation;
