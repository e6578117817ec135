//! One session: an evcxr context, the image it links against, and the process
//! that runs its cells.
//!
//! Code goes in, events come out in the order in which they happened, and the
//! outcome says whether the cell succeeded.

mod bucket;
pub mod completeness;
mod dependencies;
mod displays;
pub mod engine;
mod evaluate;
pub mod event;
mod frame;
mod frames;
mod interrupt;
mod limit;
mod ordered;
mod outcome;
mod processes;
mod prompt;
mod relay;
mod runner;
pub mod runtime;
mod shown;
mod snapshot;
pub mod workspace;

pub use evaluate::{Session, nobody};
pub use outcome::{CellError, Outcome};
