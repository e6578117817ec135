//! Notebooks as documents: the nbformat 4.5 model, the outputs of running a
//! cell, and the parameters that a run may replace. Nothing here executes code.
//! Source: nbformat.readthedocs.io, "The Notebook file format".

mod fault;
mod file;
pub mod inline;
mod json;
pub mod model;
pub mod options;
pub mod outputs;
mod pairing;
pub mod parameters;
mod read;
pub mod terminal;
mod write;

pub use fault::TextFault;
pub use file::{check_replaceable, is_regular, replace};
pub(crate) use json::{python_float, split_lines};
pub use model::{Cell, CellKind, MimeBundle, Notebook, Output, OutputKind};
pub use options::CellOptions;
pub use options::marks::{as_rust, option_mark};
pub use options::mirror::mirror_options;
pub use outputs::{OutputEvent, Outputs};
pub use pairing::pairs;
pub use parameters::{Parameters, Types, in_effect, parse_parameter};
pub use write::NotebookText;

#[cfg(test)]
pub(crate) mod tests;
