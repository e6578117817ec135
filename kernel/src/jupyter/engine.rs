//! The language behind the wire: what a kernel requires of an engine that runs its cells.
//!
//! The wire does not depend on Rust or evcxr, and an engine does not depend on sockets; cursors are byte offsets.
//! Source: Jupyter protocol 5.4, stripped of its transport.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::run::output::event::{Event, MimeBundle};

/// Runs cells and answers questions about code; lives on a separate thread.
pub trait Engine: Send {
    /// Called when the engine is up and there has been no request yet: prepares what the first cells need.
    fn warm(&mut self) {}

    /// Runs a cell. Its output goes to `io.events` as it happens, including an [`Event::Error`].
    fn execute(&mut self, request: &ExecuteRequest, io: &mut CellIo<'_>) -> Outcome;

    /// What could stand at `cursor` (a byte offset in `code`).
    fn complete(&mut self, code: &str, cursor: usize) -> Completion;

    /// What is at `cursor` (a byte offset in `code`); `detail` is 0 for a summary, 1 for more.
    fn inspect(&mut self, code: &str, cursor: usize, detail: u8) -> Option<MimeBundle>;

    /// A handle that reaches the engine while a cell runs.
    fn remote(&self) -> Arc<dyn Remote>;

    /// Ends the session, including all its processes and files.
    fn shutdown(&mut self, restart: bool);
}

/// Reaches an engine from other threads while it runs a cell; none of these may block for long.
pub trait Remote: Send + Sync {
    /// Requests the running cell to stop. Without a running cell it has no effect, now or later.
    fn interrupt(&self);

    /// Requests the callbacks of widgets that run between cells to stop.
    fn interrupt_callbacks(&self);

    /// Ends the running cell at once, whatever the cost: the kernel is about to exit.
    fn kill(&self);

    /// Passes a frontend's message on to a widget. It may block while the process does not read.
    fn comm(&self, message: String);
}

/// Output and input of a running cell.
pub struct CellIo<'a> {
    /// Receives the cell's output, in order; may be called from another thread than `input`.
    pub events: &'a mut (dyn FnMut(Event) + Send),
    /// Asks the user for a line; `None` if the user cannot be prompted or the question was cancelled.
    pub input: &'a mut (dyn FnMut(&InputRequest) -> Option<String> + Send),
}

/// Receives output while no cell runs, from any thread; it joins the outputs of the last cell.
pub type Background = Arc<dyn Fn(Event) + Send + Sync>;

/// A cell to run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
pub struct ExecuteRequest {
    pub code: String,
    /// Show nothing and do not count the cell.
    pub silent: bool,
    pub store_history: bool,
    pub user_expressions: BTreeMap<String, String>,
    /// Whether the client can answer input requests.
    pub allow_stdin: bool,
    /// Whether cells queued behind this one are aborted when it fails.
    pub stop_on_error: bool,
}

impl Default for ExecuteRequest {
    fn default() -> Self {
        Self {
            code: String::new(),
            silent: false,
            store_history: true,
            user_expressions: BTreeMap::new(),
            // A client that does not set it may be unable to answer.
            allow_stdin: false,
            stop_on_error: true,
        }
    }
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran; `pages` are documents that the frontend opens next to the notebook.
    Done { pages: Vec<MimeBundle> },
    /// It failed; shown unless the cell already showed an [`Event::Error`].
    Failed {
        ename: String,
        evalue: String,
        traceback: Vec<String>,
    },
}

/// A prompt for the user.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InputRequest {
    pub prompt: String,
    /// Whether the answer is hidden while it is typed.
    pub password: bool,
}

/// What could replace a part of the code.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    pub matches: Vec<Match>,
    /// The bytes of the code that a match replaces.
    pub replaces: Range<usize>,
}

/// One completion.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Match {
    pub text: String,
    /// "function", "struct", "method", ...; empty when unknown.
    pub kind: String,
    /// For example a function's arguments and type; empty when unknown.
    pub signature: String,
}

/// Whether code can be run as it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Completeness {
    Complete,
    /// Another line is needed, starting with `indent`.
    Incomplete {
        indent: String,
    },
    /// No further line makes it valid.
    Invalid,
    Unknown,
}

/// What clients get without waiting for the engine, which may be starting or running a cell.
pub struct Language {
    pub info: KernelInfo,
    /// Whether code can be run or needs another line; consoles wait for the answer at every Enter.
    pub is_complete: fn(&str) -> Completeness,
}

/// A kernel's description of itself; the same before and after its engine is up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelInfo {
    pub implementation: String,
    pub implementation_version: String,
    /// Shown by consoles when they start.
    pub banner: String,
    pub language_info: LanguageInfo,
    pub help_links: Vec<HelpLink>,
}

/// The language of a kernel, as notebooks record it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LanguageInfo {
    pub name: String,
    pub version: String,
    pub mimetype: String,
    pub file_extension: String,
    pub pygments_lexer: String,
    pub codemirror_mode: String,
}

/// An entry of a frontend's help menu.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HelpLink {
    pub text: String,
    pub url: String,
}

impl LanguageInfo {
    /// Rust, under the names that Jupyter's tools use.
    pub fn rust(version: &str) -> LanguageInfo {
        LanguageInfo {
            name: "rust".to_owned(),
            version: version.to_owned(),
            mimetype: "text/rust".to_owned(),
            file_extension: ".rs".to_owned(),
            pygments_lexer: "rust".to_owned(),
            codemirror_mode: "rust".to_owned(),
        }
    }
}
