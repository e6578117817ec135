//! A session: cells go in, events come out in the order in which they happened, and the outcome
//! says whether the cell succeeded.
//!
//! Each step of a cell's life has a folder of its own (`read`, `plan`, `compile`, `run`, `report`);
//! here they are put together, with what lives as long as the session.

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
