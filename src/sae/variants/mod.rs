//! The autoencoders that there are, for inference: one file a variant.

mod any;
mod gated;
mod jump_relu;
mod neurons;
mod standard;
mod top_k;
mod transcoder;

pub use any::Sae;
pub use gated::GatedSae;
pub use jump_relu::JumpReLUSae;
pub use standard::StandardSae;
pub use top_k::TopKSae;
pub use transcoder::{Transcoder, TranscoderActivation};
