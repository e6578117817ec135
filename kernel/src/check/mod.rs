//! Compares two notebooks cell by cell, a stored and a new one. Nothing here executes code.
//!
//! Texts are compared exactly, numbers within tolerances, figures by their data, tables by column;
//! parts that naturally vary between runs are masked. See `docs/checking.md` for details.
//! Source of the tags and of the sanitising files: nbval 0.11.0.

mod align;
mod bundle;
mod cells;
mod difference;
mod figure;
mod html;
mod output;
pub mod report;
pub mod rules;
mod table;
mod text;

pub use cells::compare;
pub use output::has_error;
pub use report::Report;
pub use rules::Rules;
pub use rules::cell::{MAY_FAIL, SKIPS};
pub use text::mask::Masks;

#[cfg(test)]
mod tests;
