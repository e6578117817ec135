//! What rustc makes of a crate.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What became of a crate.
#[derive(Debug)]
pub enum Outcome {
    Made(Made),
    /// rustc has found errors: [`Compiler::messages`], or in a person's words [`Compiler::explain`].
    Refused,
    /// Somebody has ended rustc.
    Stopped,
}

/// What rustc has made.
#[derive(Debug)]
pub struct Made {
    pub object: PathBuf,
    /// Of a body: the types of the variables that it puts into the store.
    pub types: BTreeMap<String, String>,
    /// Files that were read beside the source.
    pub reads: Vec<PathBuf>,
}

/// How rustc ended, and what it said.
pub(super) struct Ran {
    pub code: Option<i32>,
    pub messages: String,
}

impl Ran {
    /// Who is interrupted is killed; a compiler that dies by itself has refused its crate.
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
