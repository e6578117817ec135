//! The image: the library, built once as a shared object that every session
//! links against.
//!
//! Cargo builds the workspace's libraries in the `dev` profile, whose
//! dependencies the tests share; our binary stands in for rustc on workspace
//! members only (see `wrapper`). Cells are linked to the image; cargo and rust-analyzer see the
//! library's sources (see `facade`).
//! What was built from what is kept in a folder of its own (see `store`).

mod build;
mod call;
mod compile;
pub mod direct;
mod facade;
mod first_build;
mod inputs;
mod manifest;
mod reason;
mod rust_src;
mod shared;
mod slim;
mod stamp;
mod store;
mod toolchain;
mod units;
mod watch;
pub mod wrapper;

pub use build::{News, build, workspace_root, write_if_changed};
pub use facade::standard_library;
pub use shared::Shared;
pub use stamp::METADATA;
pub use store::Image;
pub use toolchain::{cargo, program, rustc_version, source_commit, toolchain};
pub use units::Progress;
pub use watch::Watch;
pub use wrapper::IMAGE_FILE;
