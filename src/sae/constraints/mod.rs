//! What a dictionary may be held to while it is trained: a penalty on its weights, or a decoder of
//! fewer numbers than entries. Each has its own gradient; none takes a training step.

pub(super) mod garden_penalty;
pub(super) mod tied_decoder;
