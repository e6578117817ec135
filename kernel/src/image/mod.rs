//! The image: the library, built once as a shared object that every session
//! links against.
//!
//! Cargo builds the workspace's libraries in the `dev` profile, whose
//! dependencies the tests share; our binary replaces rustc for workspace
//! members only (see `crate::cargo`). Each combination of inputs has its own
//! image folder (see `store`).

mod build;
mod compile;
mod first_build;
mod inputs;
pub mod layout;
mod news;
mod reason;
mod stamp;
mod store;
mod units;
mod watch;

pub use build::build;
pub use news::News;
pub use store::Image;
pub use units::Progress;
pub use watch::Watch;
