//! How a cell ended, in words a person can act on.

use super::shown::Death;
use evcxr::CompilationError;
use serde_json::Value;

/// Why a cell failed.
#[derive(Debug, Clone, PartialEq)]
pub struct CellError {
    /// Its kind: "compile error", "dependency", "panic", "error" (`Err` through `?`), "died", "interrupted".
    pub ename: String,
    /// One line: what went wrong.
    pub evalue: String,
    /// The whole story, line by line; ANSI colours allowed.
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

    /// What evcxr's refusal means for the user.
    pub fn from_evcxr(error: &evcxr::Error, code: &str) -> Self {
        match error {
            evcxr::Error::CompilationErrors(errors) => Self::compilation(errors, code),
            other => {
                let text = other.to_string();
                let first = text.lines().next().unwrap_or("").to_owned();
                Self::new("error", first, text)
            }
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
        // Two lines of the runtime's; either tells.
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
                format!("{how}: ended from outside, perhaps for want of memory")
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

    /// The user interrupted the cell, and this is what it came to.
    pub fn interrupted(self, while_compiling: bool) -> Self {
        let evalue = match while_compiling {
            true => "interrupted while it was compiled; nothing of it ran, every variable is kept",
            false => "interrupted; the cell did not stop by itself and was ended",
        };
        let mut traceback = vec![evalue.to_owned()];
        if self.ename == "died" {
            // The fate of the variables, not the manner of the death.
            traceback.extend(
                self.traceback
                    .into_iter()
                    .skip(1)
                    .filter(|l| !l.starts_with("Its last")),
            );
        }
        Self {
            ename: "interrupted".to_owned(),
            evalue: evalue.to_owned(),
            traceback,
        }
    }

    /// A panic, from the library's notice of it; `users_line` finds the user's
    /// line behind a file and line.
    pub fn panicked(
        panic: &Value,
        users_line: impl Fn(&str, u64) -> Option<(usize, String)>,
    ) -> Self {
        let message = panic["message"].as_str().unwrap_or("(no message)");
        let mut detail = format!("panic: {message}\n");
        if let (Some(file), Some(line)) = (panic["file"].as_str(), panic["line"].as_u64()) {
            match users_line(file, line) {
                Some((number, text)) => {
                    detail.push_str(&format!("  at line {number} of this cell: {text}\n"));
                }
                None if file == "src/lib.rs" => detail.push_str("  in code of an earlier cell\n"),
                None => detail.push_str(&format!("  at {file}:{line}\n")),
            }
        }
        let frames = panic["frames"].as_array().map_or(&[][..], Vec::as_slice);
        for frame in frames.iter().filter_map(Value::as_str) {
            detail.push_str(&format!("  called in {frame}\n"));
        }
        Self::new("panic", message, detail)
    }

    /// Adds what became of the variables that were there before a cell which failed in a process
    /// that lives: evcxr hands to a cell what the cell moves, and cannot take it back.
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

    fn compilation(errors: &[CompilationError], code: &str) -> Self {
        let first = errors
            .first()
            .map_or_else(String::new, CompilationError::message);
        let more = match errors.len() {
            0 | 1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let mut detail = String::new();
        for error in errors {
            describe(error, code, &mut detail);
        }
        Self::new("compile error", format!("{first}{more}"), detail)
    }
}

/// What became of the variables.
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

/// One compile error: message, the user's line with carets, help.
fn describe(error: &CompilationError, code: &str, out: &mut String) {
    let label = error.code().map_or(String::new(), |c| format!("[{c}]"));
    out.push_str(&format!("error{label}: {}\n", error.message()));
    let lines: Vec<&str> = code.lines().collect();
    for spanned in error.spanned_messages() {
        let Some(span) = spanned.span else { continue };
        let number = span.start_line;
        let Some(line) = number.checked_sub(1).and_then(|n| lines.get(n)) else {
            continue;
        };
        let end = if span.end_line == span.start_line {
            span.end_column
        } else {
            line.chars().count() + 1
        };
        let width = end.saturating_sub(span.start_column).max(1);
        let gutter = number.to_string().len();
        let carets = "^".repeat(width);
        out.push_str(&format!(
            "{:gutter$} |\n{number} | {line}\n{:gutter$} | {:pad$}{carets} {}\n",
            "",
            "",
            "",
            spanned.label,
            pad = span.start_column.saturating_sub(1),
        ));
    }
    for help in error.help() {
        out.push_str(&format!("help: {help}\n"));
    }
    if let Some(hint) = error.evcxr_extra_hint() {
        out.push_str(&format!("note: {hint}\n"));
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
        assert!(error.evalue.contains("want of memory"), "{error:?}");
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
        let error = died.interrupted(false);
        assert_eq!(error.ename, "interrupted");
        assert!(error.traceback.join("\n").contains("Lost variables: a."));
        assert!(!error.traceback.join("\n").contains("memory"));
    }

    #[test]
    fn a_panic_shows_the_users_line_and_functions() {
        let panic = serde_json::json!({
            "message": "no", "file": "src/lib.rs", "line": 9, "frames": ["inner", "outer"]
        });
        let error = CellError::panicked(&panic, |_, _| Some((2, "inner();".to_owned())));
        let story = error.traceback.join("\n");
        assert!(
            story.contains("at line 2 of this cell: inner();"),
            "{story}"
        );
        assert!(
            story.contains("called in inner\n  called in outer"),
            "{story}"
        );
    }
}
