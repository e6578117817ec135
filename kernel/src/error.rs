//! The one error type of the kernel and command line.
//!
//! A message says what was wrong, where, and what to do about it.

use std::path::PathBuf;

/// What every fallible function of the kernel returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can fail between a notebook's file and its page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file that could not be read, written or renamed.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },

    /// A file that is no notebook, or a broken one; `line` is 0 when the fault has no line.
    #[error("{}: {reason}", place(.path, *.line))]
    Notebook {
        path: PathBuf,
        line: usize,
        reason: String,
    },

    /// A notebook that is no article: unresolved references, for example.
    #[error("{} cannot be exported:\n{}", .path.display(), lines(.faults))]
    Article {
        path: PathBuf,
        faults: Vec<crate::notebook::TextFault>,
    },

    /// A lesson whose exercises are incomplete.
    #[error("{}: the lesson cannot be used:\n{}", .path.display(), lines(.faults))]
    Lesson {
        path: PathBuf,
        faults: Vec<crate::notebook::TextFault>,
    },

    /// A notebook none of whose cells could be run.
    #[error("{}: {reason}", .path.display())]
    Run { path: PathBuf, reason: String },

    /// A page that no browser could print.
    #[error("cannot print the page: {reason}")]
    Print { reason: String },

    /// A value given with `-p` that the notebook's parameters cell does not accept.
    #[error("parameter {name}: {reason}")]
    Parameter { name: String, reason: String },

    /// A destination of a result that is already used for something else.
    #[error("{}: {reason}", .path.display())]
    Destination { path: PathBuf, reason: String },

    /// A command-line option whose value cannot be used.
    #[error("{name}: {reason}")]
    Option { name: &'static str, reason: String },

    /// A sanitising file with a line that cannot be used.
    #[error("{}: {reason}", place(.path, *.line))]
    Sanitise {
        path: PathBuf,
        line: usize,
        reason: String,
    },

    /// The library's sources are not at the expected place.
    #[error("{} does not hold Holoscope's sources; set HOLOSCOPE_SOURCE to a checkout", .dir.display())]
    NoSource { dir: PathBuf },

    /// The image could not be built.
    #[error("cannot build the library: {reason}")]
    ImageBuild { reason: String },

    /// A crate that a cell requests, and with which the library is linked in another way.
    #[error(":dep {name}: {reason}")]
    Dependency { name: String, reason: String },

    /// evcxr or the process that runs cells could not be started.
    #[error("cannot start a session: {0}")]
    Session(String),

    /// A connection file or a kernelspec that cannot be used.
    #[error(transparent)]
    Jupyter(#[from] crate::jupyter::Error),

    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// `path:line`, as compilers write it; the path alone where the line is unknown.
fn place(path: &std::path::Path, line: usize) -> String {
    match line {
        0 => path.display().to_string(),
        line => format!("{}:{line}", path.display()),
    }
}

/// Faults, one per line.
fn lines(faults: &[crate::notebook::TextFault]) -> String {
    let lines: Vec<_> = faults.iter().map(|fault| format!("  {fault}")).collect();
    lines.join("\n")
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

    /// An [`Error::Session`] from an error of evcxr.
    pub fn evcxr(error: impl std::fmt::Display) -> Error {
        Error::Session(error.to_string())
    }

    /// An [`Error::Parameter`].
    pub fn parameter(name: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::Parameter {
            name: name.into(),
            reason: reason.into(),
        }
    }
}
