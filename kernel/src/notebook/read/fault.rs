//! Why a file is not a notebook.

/// Why a text is not a notebook, and in which line (0: no particular line).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub reason: String,
}

impl Fault {
    pub fn new(line: usize, reason: impl Into<String>) -> Fault {
        Fault {
            line,
            reason: reason.into(),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        use serde_json::error::Category;
        let (line, column) = (error.line(), error.column());
        // serde_json ends its message with the position, which we report
        // ourselves.
        let message = error.to_string();
        let what = message
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&message);
        let reason = match error.classify() {
            Category::Eof => "the file ends too early: it was cut short".to_owned(),
            _ => format!("not JSON: {what} (column {column})"),
        };
        Fault::new(line, reason)
    }
}
