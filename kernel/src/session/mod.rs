//! A session: runs cells; events arrive in the order in which they happened, and the outcome
//! says whether the cell succeeded.
//!
//! Each stage of running a cell has its own folder (`read`, `plan`, `compile`, `run`, `report`);
//! this module combines them, and holds the state of the session.

mod analysis;
mod answers;
mod cell;
mod check;
mod commands;
mod crates;
pub mod ending;
pub mod engine;
mod sources;
mod state;
pub mod workspace;

pub use crate::report::outcome::Outcome;
pub use cell::nobody;
pub use check::Failure;
pub use state::Session;
