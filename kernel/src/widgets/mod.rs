//! Widgets in the kernel: the messages between models and their views, and the states that
//! frontends request and notebooks store.
//!
//! The models themselves live in the user's process (the library's `src/widgets`).
//! Source: ipywidgets 8.1, `packages/schema/messages.md`.

mod message;
mod models;

pub use message::{CommEvent, CommFrame, CommKind, CommMessage, Request};
pub use models::Models;

/// The comm target of widgets' models.
pub const TARGET: &str = "jupyter.widget";
/// The comm target by which a frontend requests all states at once.
pub const CONTROL_TARGET: &str = "jupyter.widget.control";
/// The key of the states in a notebook's metadata.
pub const STATE_MIME: &str = "application/vnd.jupyter.widget-state+json";
