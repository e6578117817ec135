//! The processes that run cells, and how they are reached.

pub mod entry;
pub mod interrupt;
mod library;
mod memory;
mod ordered;
mod park;
pub mod processes;
mod relay;
mod runner;
pub mod runtime;
pub mod session;
mod snapshot;
mod stdin;
