//! The output of rustc for a crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The result of compiling a crate.
#[derive(Debug)]
pub enum Outcome {
    Made(Made),
    /// rustc found errors: [`Compiler::messages`], or in readable form [`Compiler::explain`].
    Refused,
    /// rustc was killed.
    Stopped,
}

/// What rustc has made.
#[derive(Debug)]
pub struct Made {
    pub object: PathBuf,
    /// For a body: the types of the variables that it puts into the store.
    pub types: BTreeMap<String, String>,
    /// Files that were read in addition to the source.
    pub reads: Vec<PathBuf>,
}

/// The exit code of rustc, and its messages.
pub(super) struct Ran {
    pub code: Option<i32>,
    pub messages: String,
}

impl Ran {
    /// An interrupt kills rustc; one that dies of another signal counts as having refused its crate.
    pub fn new(output: &std::process::Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let mut messages = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = match (output.status.code(), output.status.signal()) {
            (None, Some(signal)) if signal != libc::SIGKILL => {
                messages.push_str(&format!("\nrustc was ended by signal {signal}\n"));
                Some(101)
            }
            (code, _) => code,
        };
        Self { code, messages }
    }
}
