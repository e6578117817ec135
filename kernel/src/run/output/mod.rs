//! Output of cells: from bytes to events.

mod bucket;
mod displays;
pub mod event;
pub mod frame;
pub mod frames;
pub mod limit;
mod room;
pub mod shown;
