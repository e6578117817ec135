//! The fourth step of a cell's life: a process of its own loads and calls it, and what it writes
//! becomes events in the order in which it was written.

pub mod output;
mod pipe;
pub mod process;
