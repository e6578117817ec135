//! This program in the place of others: of rustc, when cargo builds the image or what cells ask for
//! (`rustc`, `arguments`), and of cargo and rustup, when evcxr calls them (`stand_in`).

mod arguments;
pub mod rustc;
pub mod stand_in;
