//! The last step of a cell's life: how it ended, in words that a person can act on.

pub mod diagnostic;
pub mod outcome;
