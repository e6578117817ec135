//! The one error type of the library.
//!
//! A message says what was wrong, with what value, and what to do about it.

use std::path::PathBuf;

/// The return type of every fallible function of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Every error of the library.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A configuration whose fields contradict each other or are out of range.
    #[error("invalid {config}: {field} = {value}: {reason}")]
    Config {
        config: &'static str,
        field: &'static str,
        value: String,
        reason: String,
    },

    /// A tensor of an unexpected shape.
    #[error("{tensor} has shape {found}, expected {expected}")]
    Shape {
        tensor: String,
        expected: String,
        found: String,
    },

    /// A hook name that the model does not have.
    #[error("unknown hook point {name:?}; did you mean {}?", .nearest.join(", "))]
    UnknownHook { name: String, nearest: Vec<String> },

    /// A named thing (parameter, column, feature, profile, ...) that does not exist.
    #[error("no {kind} named {name:?}; there are: {}", .known.join(", "))]
    NotFound {
        kind: &'static str,
        name: String,
        known: Vec<String>,
    },

    /// An argument out of its range.
    #[error("{what} = {value}: {reason}")]
    Argument {
        what: &'static str,
        value: String,
        reason: String,
    },

    /// A file that could not be read, written or renamed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// A file that was read but does not hold what it should.
    #[error("{}: not a valid {format}: {reason}", .path.display())]
    Format {
        path: PathBuf,
        format: &'static str,
        reason: String,
    },

    /// A download that failed.
    #[error("cannot download {url}: {reason}")]
    Download { url: String, reason: String },

    /// Data whose digest is not the expected one.
    #[error("{}: sha256 is {found}, expected {expected}; delete the file to download it again", .path.display())]
    Digest {
        path: PathBuf,
        expected: String,
        found: String,
    },

    /// Training met a loss or gradient that is not finite.
    #[error("{what} is {value} at step {step}; lower the learning rate or check the data")]
    NotFinite {
        what: String,
        value: f64,
        step: usize,
    },

    /// An activation, a parameter or a score that is NaN or infinite, and where it is.
    #[error("{what} is {value} at {place}")]
    NotFiniteAt {
        what: String,
        value: f64,
        place: String,
    },

    /// The user's interrupt stopped a loop without a usable partial result.
    #[error("interrupted: {what} was stopped before its end and gives no result")]
    Interrupted { what: &'static str },

    #[error(transparent)]
    Candle(#[from] candle_core::Error),

    #[cfg(feature = "notebook")]
    #[error(transparent)]
    Polars(#[from] polars::error::PolarsError),

    #[error(transparent)]
    Json(#[from] serde_json::Error),

    /// A figure that could not be drawn.
    #[error("cannot draw {figure}: {reason}")]
    Draw { figure: String, reason: String },

    /// The tokenizer refused its input.
    #[error("cannot tokenise: {0}")]
    Tokenise(String),
}

impl Error {
    /// An [`Error::Io`] with its path: `std::fs::read(p).map_err(Error::io("read", p))`.
    pub fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io {
            action,
            path,
            source,
        }
    }

    /// An [`Error::Argument`].
    pub fn argument(
        what: &'static str,
        value: impl std::fmt::Display,
        reason: impl Into<String>,
    ) -> Error {
        Error::Argument {
            what,
            value: value.to_string(),
            reason: reason.into(),
        }
    }

    /// An [`Error::Shape`].
    pub fn shape(
        tensor: impl Into<String>,
        expected: impl std::fmt::Debug,
        found: impl std::fmt::Debug,
    ) -> Error {
        Error::Shape {
            tensor: tensor.into(),
            expected: format!("{expected:?}"),
            found: format!("{found:?}"),
        }
    }

    /// An [`Error::Format`].
    pub fn format(
        path: impl Into<PathBuf>,
        format: &'static str,
        reason: impl std::fmt::Display,
    ) -> Error {
        Error::Format {
            path: path.into(),
            format,
            reason: reason.to_string(),
        }
    }
}
