//! This program as a replacement: of rustc, when cargo builds the image or crates that cells
//! request (`rustc`, `arguments`), and of cargo and rustup, when evcxr calls them (`stand_in`).

mod arguments;
pub mod rustc;
pub mod stand_in;
