//! The fourth stage of running a cell: a separate process loads and calls it, and its output
//! becomes events in the order in which it was written.

pub mod output;
mod pipe;
pub mod process;
