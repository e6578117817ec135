//! The image: the library, built once as a shared object that every session
//! links against.
//!
//! Cargo builds the workspace's libraries in the `dev` profile, whose
//! dependencies the tests share; our binary stands in for rustc on workspace
//! members only (see `wrapper`). A cell sees the library's sources through
//! cargo and rust-analyzer (see `facade`), and the image through rustc.

mod build;
mod facade;
mod fresh;
mod rust_src;
mod slim;
pub mod wrapper;

pub use facade::standard_library;

pub use build::{
    Image, build, cargo, rustc_version, source_commit, toolchain, workspace_root, write_if_changed,
};
