//! The library under another name, as a `dylib`: a cell that asks for
//! `holoscope` is given this (see `kernel/src/image/`).

pub use holoscope::*;
