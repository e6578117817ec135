//! Dictionaries that read at one place of the model and write at another, or read and write at several: transcoders,
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
