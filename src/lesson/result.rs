//! The result of a check, and its display.

use crate::error::Result;
use crate::show::{MimeBundle, Show, escape, shows_itself};
use serde_json::json;
use std::fmt;

/// The MIME type of [`ExerciseResult`] for programs: `holoscope grade` reads it.
const MIME: &str = "application/vnd.holoscope.exercise+json";

/// The state of an exercise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExerciseState {
    Passed,
    Failed,
    /// The student's code still says `todo!()`.
    NotStarted,
}

impl ExerciseState {
    fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::NotStarted => "not started",
        }
    }
}

/// The result of one [`check`](super::check); shows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExerciseResult {
    /// The name of the exercise.
    pub exercise: String,
    pub state: ExerciseState,
    /// What was wrong; empty unless it failed.
    pub message: String,
    /// Shown from the second failure in a row on.
    pub hint: Option<String>,
    /// Failures in a row in this session.
    pub failures: usize,
}

impl fmt::Display for ExerciseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            ExerciseState::Passed => write!(f, "{}: passed", self.exercise),
            ExerciseState::NotStarted => {
                write!(
                    f,
                    "{}: not started (there is still a `todo!()`)",
                    self.exercise
                )
            }
            ExerciseState::Failed => {
                write!(f, "{}: not yet right. {}", self.exercise, self.message)?;
                match &self.hint {
                    Some(hint) => write!(f, "\nHint: {hint}"),
                    None => Ok(()),
                }
            }
        }
    }
}

shows_itself!(ExerciseResult);

impl Show for ExerciseResult {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let json = json!({
            "exercise": self.exercise,
            "state": self.state.name(),
            "message": self.message,
            "hint": self.hint,
            "failures": self.failures,
        });
        Ok(MimeBundle::html(self.html(), self.to_string()).with(MIME, json.to_string()))
    }
}

impl ExerciseResult {
    /// A box with a coloured edge, whose first word states what its colour means. Text has the page's own colours,
    /// light or dark.
    fn html(&self) -> String {
        let (edge, word) = match self.state {
            ExerciseState::Passed => ("#0072b2", "\u{2713} Passed"),
            ExerciseState::Failed => ("#d55e00", "\u{2717} Not yet right"),
            ExerciseState::NotStarted => ("#8c8c8c", "\u{25cb} Not started"),
        };
        let mut body = format!("<strong>{word}</strong> \u{b7} {}", escape(&self.exercise));
        if self.state == ExerciseState::NotStarted {
            body += "<div>There is still a <code>todo!()</code> in the code.</div>";
        }
        if !self.message.is_empty() {
            body += &format!(
                "<div style=\"white-space:pre-wrap\">{}</div>",
                escape(&self.message)
            );
        }
        if let Some(hint) = &self.hint {
            body += &format!(
                "<div style=\"margin-top:6px\"><em>Hint.</em> {}</div>",
                escape(hint)
            );
        }
        format!(
            "<div style=\"border-left:4px solid {edge};padding:4px 12px;margin:4px 0;max-width:44em;\
             font-family:system-ui,-apple-system,sans-serif;line-height:1.5\">{body}</div>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> ExerciseResult {
        ExerciseResult {
            exercise: "1.1 a < b".to_owned(),
            state: ExerciseState::Failed,
            message: "found <NaN>".to_owned(),
            hint: Some("divide by n".to_owned()),
            failures: 2,
        }
    }

    #[test]
    fn a_result_is_text_html_and_json() {
        let bundle = failed().mime_bundle().unwrap();
        insta::assert_snapshot!(format!(
            "{}\n\n{}\n\n{}",
            bundle.get("text/plain").unwrap(),
            bundle.get("text/html").unwrap(),
            bundle.get(MIME).unwrap()
        ));
    }

    #[test]
    fn each_state_has_its_own_words() {
        let of = |state| {
            let result = ExerciseResult {
                state,
                message: String::new(),
                hint: None,
                ..failed()
            };
            (result.to_string(), result.html())
        };
        let (text, html) = of(ExerciseState::Passed);
        assert_eq!(text, "1.1 a < b: passed");
        assert!(
            html.contains("Passed</strong> \u{b7} 1.1 a &lt; b"),
            "{html}"
        );
        let (text, html) = of(ExerciseState::NotStarted);
        assert!(text.contains("not started"), "{text}");
        assert!(html.contains("<code>todo!()</code>"), "{html}");
    }
}
