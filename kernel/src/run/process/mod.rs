//! The processes that run cells, and communication with them.

pub mod entry;
pub mod interrupt;
mod ordered;
pub mod processes;
mod relay;
mod runner;
pub mod runtime;
pub mod session;
