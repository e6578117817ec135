//! The autoencoders that there are, for inference: one file a variant.

mod standard;
mod top_k;
mod transcoder;

pub use standard::StandardSae;
pub use top_k::TopKSae;
pub use transcoder::{Transcoder, TranscoderActivation};
