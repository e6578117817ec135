//! What reads at one place of the model and writes at another, or reads and writes at several: transcoders,
//! crosscoders, cross-layer transcoders.

mod cross_layer_transcoder;
mod crosscoder;
mod neurons;
mod rows;
mod transcoder;
mod transcoder_activation;

pub use cross_layer_transcoder::CrossLayerTranscoder;
pub use crosscoder::Crosscoder;
pub use transcoder::Transcoder;
pub use transcoder_activation::TranscoderActivation;
