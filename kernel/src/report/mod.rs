//! What a person reads of a cell: how it ended, and how far its loops are.

pub mod callers;
pub mod diagnostic;
pub mod outcome;
pub mod progress;
