//! The autoencoders that there are, for inference: one file a variant.

pub(super) mod standard;
pub(super) mod top_k;
