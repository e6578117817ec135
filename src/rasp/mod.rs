//! Programs in RASP, and transformers into which they are compiled: models whose circuit is known.
//! Expressions, their interpreter, a compiler to [`crate::model::Transformer`], a dozen programs.
//! Source: Weiss et al. 2021, arXiv:2106.06981; Lindner et al. 2023 (Tracr), arXiv:2301.05062.

mod attention_weights;
mod compile;
mod compiled;
mod domains;
mod expression;
mod interpreter;
mod lookup;
mod lower;
mod plan;
mod programs;
mod value;

pub use compile::{CompileOptions, compile};
pub use compiled::{CircuitEdge, CompiledProgram, ResidualSpace};
pub use expression::{
    Selector, Sequence, aggregate, indices, select, select_all, select_keys, selector_width, tokens,
};
pub use interpreter::interpret;
pub use programs::{Program, program, programs};
pub use value::Value;

#[cfg(test)]
mod tests;
