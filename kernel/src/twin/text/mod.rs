//! Code shared by the formats: Python's text functions, and the languages that jupytext
//! supports.

pub mod languages;
pub mod literal;
pub mod magics;
pub mod python;
pub mod quotes;
