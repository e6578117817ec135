//! Errors of the wire: each message names the file or channel and what to do.

use std::path::PathBuf;

/// What every fallible function of the wire returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that prevents a kernel from serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The connection file could not be read or written.
    #[error("cannot {action} connection file {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// The connection file was read but cannot be served.
    #[error("{}: not a usable connection file: {reason}", .path.display())]
    ConnectionFile { path: PathBuf, reason: String },

    /// A channel's address could not be bound.
    #[error("cannot listen for {channel} on {endpoint}: {reason}")]
    Bind {
        channel: &'static str,
        endpoint: String,
        reason: String,
    },

    /// The system refused to create a thread.
    #[error("cannot start {what}: {source}")]
    Thread {
        what: &'static str,
        source: std::io::Error,
    },
}
