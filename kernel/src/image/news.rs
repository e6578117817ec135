//! Events during the build of an image.

use super::units::Progress;

/// An event during the build of an image.
#[derive(Debug)]
pub enum News {
    /// The reason for the wait; one line.
    Note(String),
    /// A line of output of cargo or rustc.
    Said(String),
    Progress(Progress),
}
