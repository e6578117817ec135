//! The image: the library, built once as a shared object that every session
//! links against.
//!
//! Cargo builds the workspace's libraries in the `dev` profile, whose
//! dependencies the tests share; our binary stands in for rustc on workspace
//! members only (see `wrapper`). A cell sees the library's sources through
//! cargo and rust-analyzer (see `facade`), and the image through rustc.
//! What was built from what is kept in a folder of its own (see `store`).

mod build;
mod call;
mod compile;
pub mod direct;
mod facade;
mod first_build;
mod guess;
mod inputs;
mod kept;
mod manifest;
mod moves;
mod ready;
mod reason;
mod rust_src;
mod shared;
mod slim;
mod stamp;
pub mod standby;
mod store;
mod toolchain;
mod units;
mod unmentioned;
mod watch;
pub mod wrapper;

pub use build::{News, build, workspace_root, write_if_changed};
pub use facade::standard_library;
pub use guess::{Guesses, forget};
pub use shared::Shared;
pub use store::Image;
pub use toolchain::{cargo, program, rustc_version, source_commit, toolchain};
pub use units::Progress;
pub use watch::Watch;
