//! The processes that run cells, and how they are reached.

pub mod interrupt;
mod ordered;
mod processes;
mod relay;
mod runner;
pub mod runtime;
mod snapshot;
