//! What the formats share: Python's idea of text, and the languages that jupytext knows.

pub mod languages;
pub mod literal;
pub mod magics;
pub mod python;
pub mod quotes;
