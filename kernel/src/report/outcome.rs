//! The outcome of a cell, in terms a user can act on.

use crate::run::output::shown::Death;
use serde_json::Value;

const COMPILING: &str =
    "interrupted while it was compiled; nothing of it ran, every variable is kept";

/// Why a cell failed.
#[derive(Debug, Clone, PartialEq)]
pub struct CellError {
    /// Its kind: "compile error", "dependency", "panic", "error" (`Err` through `?`), "died", "interrupted".
    pub ename: String,
    /// One line: what went wrong.
    pub evalue: String,
    /// The full text, line by line; ANSI colours allowed.
    pub traceback: Vec<String>,
}

/// How a cell ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Ok,
    Failed(CellError),
}

impl CellError {
    pub fn new(ename: &str, evalue: impl Into<String>, detail: impl Into<String>) -> Self {
        let evalue = evalue.into();
        let detail = detail.into();
        let mut traceback: Vec<String> = detail.trim_end().lines().map(str::to_owned).collect();
        if traceback.is_empty() {
            traceback.push(evalue.clone());
        }
        Self {
            ename: ename.to_owned(),
            evalue,
            traceback,
        }
    }

    /// A `:dep` that the image cannot satisfy; nothing was compiled.
    pub fn dependency(error: &crate::error::Error) -> Self {
        let text = error.to_string();
        Self::new("dependency", text.clone(), text)
    }

    /// The process that ran the cell ended. `variables` are those from before the cell.
    pub fn died(death: &Death, variables: &[String]) -> Self {
        let said = death.said.trim();
        // Two lines of the Rust runtime; either is sufficient.
        let overflow = [
            "has overflowed its stack",
            "fatal runtime error: stack overflow",
        ]
        .iter()
        .any(|words| said.contains(words));
        let reason = match death.how.as_str() {
            _ if overflow => "stack overflow: recursion without an end?".to_owned(),
            how if how.starts_with("exit code") => format!("{how}: a cell called exit"),
            how if how.contains("SIGKILL") => {
                format!("{how}: killed from outside, possibly by the out-of-memory killer")
            }
            how => how.to_owned(),
        };
        let evalue = format!("the process that runs cells ended: {reason}");
        let mut detail = format!("{evalue}\n");
        if !said.is_empty() && !overflow {
            detail.push_str(&format!("Its last words: {said}\n"));
        }
        detail.push_str(&fate(death.restored, variables));
        Self::new("died", evalue, detail)
    }

    /// The user interrupted the cell, which did not respond; `self` is its death.
    pub fn interrupted(self) -> Self {
        let evalue = "interrupted; the cell did not stop by itself and was ended";
        let mut traceback = vec![evalue.to_owned()];
        // Keep what happened to the variables, not how the process died.
        let fate = self.traceback.into_iter().skip(1);
        traceback.extend(fate.filter(|line| !line.starts_with("Its last")));
        Self {
            ename: "interrupted".to_owned(),
            evalue: evalue.to_owned(),
            traceback,
        }
    }

    /// A panic, from the library's notice of it. `functions` are the user's functions that led to
    /// it, innermost first; `users_line` maps a position in a crate to the user's line: its
    /// place and its text.
    pub fn panicked(
        panic: &Value,
        functions: &[String],
        users_line: impl Fn(&str, usize, usize) -> Option<(String, String)>,
    ) -> Self {
        let message = panic["message"].as_str().unwrap_or("(no message)");
        let mut detail = format!("panic: {message}\n");
        let number = |key: &str| panic[key].as_u64().and_then(|n| usize::try_from(n).ok());
        if let (Some(file), Some(line)) = (panic["file"].as_str(), number("line")) {
            match users_line(file, line, number("column").unwrap_or(1)) {
                Some((place, text)) => detail.push_str(&format!("  at {place}: {text}\n")),
                None => detail.push_str(&format!("  at {file}:{line}\n")),
            }
        }
        for function in functions {
            detail.push_str(&format!("  called in {function}\n"));
        }
        Self::new("panic", message, detail)
    }

    /// A loop of the cell noticed an interrupt.
    pub fn stopped() -> Self {
        let evalue = "interrupted";
        Self::new("interrupted", evalue, evalue)
    }

    /// The cell's compiler was killed.
    pub fn interrupted_compiling() -> Self {
        Self::new("interrupted", COMPILING, COMPILING)
    }

    /// Adds what happened to the variables from before a cell that failed in a process
    /// that lives: what the cell has moved is lost.
    pub fn with_taken(mut self, taken: &[String]) -> Self {
        let fate = match taken {
            [] => "Every variable from before this cell is kept.".to_owned(),
            names => format!(
                "Taken by this cell, and lost with it: {}. Every other variable is kept.",
                names.join(", ")
            ),
        };
        self.traceback.push(fate);
        self
    }
}

/// What happened to the variables.
fn fate(restored: bool, variables: &[String]) -> String {
    match (restored, variables) {
        (_, []) => {
            "There were no variables to lose. The next cell runs in a new process.".to_owned()
        }
        (true, _) => "Every variable is as it was before this cell.".to_owned(),
        (false, names) => format!(
            "Lost variables: {}. The next cell runs in a new process: run again the cells that define them.",
            names.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(how: &str, said: &str, restored: bool) -> Death {
        Death {
            how: how.to_owned(),
            said: said.to_owned(),
            restored,
        }
    }

    #[test]
    fn a_death_names_its_cause_and_what_was_lost() {
        let names = ["a".to_owned(), "model".to_owned()];
        let error = CellError::died(&death("signal 9 (SIGKILL)", "", false), &names);
        assert!(
            error
                .evalue
                .contains("possibly by the out-of-memory killer"),
            "{error:?}"
        );
        assert!(
            error
                .traceback
                .join("\n")
                .contains("Lost variables: a, model.")
        );
        let said = "thread 'main' (7) has overflowed its stack\nfatal runtime error";
        let error = CellError::died(&death("signal 6 (SIGABRT, abort)", said, true), &names);
        assert!(
            error
                .evalue
                .ends_with("stack overflow: recursion without an end?")
        );
        assert!(
            error
                .traceback
                .join("\n")
                .contains("as it was before this cell")
        );
    }

    #[test]
    fn an_interrupt_says_what_became_of_the_variables() {
        let died = CellError::died(&death("signal 9 (SIGKILL)", "x", false), &["a".to_owned()]);
        let error = died.interrupted();
        assert_eq!(error.ename, "interrupted");
        assert!(error.traceback.join("\n").contains("Lost variables: a."));
        assert!(!error.traceback.join("\n").contains("memory"));
    }

    #[test]
    fn a_panic_shows_the_users_line_and_functions() {
        let panic = serde_json::json!({
            "message": "no", "file": "cell.rs", "line": 9, "column": 5
        });
        let place = |_: &str, line: usize, column: usize| {
            Some((
                format!("line {} of this cell", line - 7),
                format!("inner({column});"),
            ))
        };
        let functions = ["inner".to_owned(), "outer".to_owned()];
        let error = CellError::panicked(&panic, &functions, place);
        let story = error.traceback.join("\n");
        assert!(
            story.contains("at line 2 of this cell: inner(5);"),
            "{story}"
        );
        assert!(
            story.contains("called in inner\n  called in outer"),
            "{story}"
        );
    }
}
