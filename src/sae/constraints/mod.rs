//! Constraints on a dictionary during training: a penalty on its weights, or a decoder with fewer
//! parameters than entries. Each has its own gradient; none performs a training step.

mod garden_penalty;
mod tied_decoder;

pub use garden_penalty::{
    DictionaryDefect, GardenPairing, GardenPenalty, PenaltyGradients, garden_defect,
};
pub use tied_decoder::{HOLORAUMY_GENERATORS, TiedDecoder, TiedGenerators, TiedGradients};
