//! User-facing output of a cell: its outcome, and the progress of its loops.

pub mod callers;
pub mod diagnostic;
pub mod outcome;
pub mod progress;
