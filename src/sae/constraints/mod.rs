//! What a dictionary may be held to while it is trained: a penalty on its weights, or a decoder of
//! fewer numbers than entries. Each has its own gradient; none takes a training step.

mod garden_penalty;
mod tied_decoder;

pub use garden_penalty::{
    DictionaryDefect, GardenPairing, GardenPenalty, PenaltyGradients, garden_defect,
};
pub use tied_decoder::{HOLORAUMY_GENERATORS, TiedDecoder, TiedGenerators, TiedGradients};
