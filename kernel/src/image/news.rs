//! What is told while an image is built.

use super::units::Progress;

/// What happens while an image is built.
#[derive(Debug)]
pub enum News {
    /// Why there is something to wait for; one line.
    Note(String),
    /// A line of cargo's or rustc's.
    Said(String),
    Progress(Progress),
}
