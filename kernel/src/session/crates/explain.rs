//! Translates rustc's errors about a cell's crates into terms of the cell.

use crate::compile::Call;
use crate::plan::source::Mark;
use crate::read::Cell;
use crate::report::diagnostic::{Diagnostic, Origins, render_all};
use crate::report::outcome::CellError;
use crate::session::sources::{View, users_words};
use crate::session::state::Session;

impl Session {
    /// The view of a call's crate, for finding the user's text in it: `file` is the call's.
    pub(in crate::session) fn view<'a>(
        &'a self,
        call: &'a Call,
        file: &'a str,
        cell: &Cell,
    ) -> View<'a> {
        View::new(
            &self.sources,
            file,
            &call.source,
            call.line,
            cell.text.number,
        )
    }

    /// rustc's messages about a crate, in terms of the user's cells.
    pub(in crate::session) fn explained(
        &mut self,
        call: &Call,
        messages: &str,
        cell: &Cell,
    ) -> CellError {
        let diagnostics = Diagnostic::parse_all(messages);
        let code = diagnostics
            .iter()
            .find(|error| error.is_error())
            .and_then(Diagnostic::code);
        self.last_code = code.map(str::to_owned);
        let file = call.file();
        let view = self.view(call, &file, cell);
        if let Some(error) = self.of_generated(&view, &diagnostics) {
            return error;
        }
        let (mut headline, mut detail) = render_all(&diagnostics, &view, &users_words);
        if headline.is_empty() {
            let lines: Vec<&str> = messages
                .lines()
                .filter(|line| !line.starts_with('{'))
                .collect();
            let last = lines.iter().rev().find(|line| !line.trim().is_empty());
            headline = format!(
                "the compiler failed: {}",
                last.unwrap_or(&"it said nothing")
            );
            detail = lines[lines.len().saturating_sub(20)..].join("\n");
        }
        for (name, (number, _)) in &self.definitions.moved {
            if detail.contains(&format!("cannot find value `{name}`")) {
                detail.push_str(&format!("\nnote: `{name}` was moved by cell {number}\n"));
            }
        }
        CellError::new("compile error", headline, detail)
    }

    /// The meaning of an error in the generated text around the statements.
    fn of_generated(&self, view: &View<'_>, errors: &[Diagnostic]) -> Option<CellError> {
        let errors: Vec<&Diagnostic> = errors.iter().filter(|error| error.is_error()).collect();
        let in_text = |error: &&Diagnostic| {
            let spans = error.spans().iter().filter(|span| span.is_primary());
            spans.into_iter().any(|span| {
                view.origin(span.file(), span.bytes().start).is_some()
                    && view.mark(span.file(), span.bytes().start).is_none()
            })
        };
        for error in &errors {
            let marks: Vec<&Mark> = error
                .spans()
                .iter()
                .filter_map(|span| view.mark(span.file(), span.bytes().start))
                .collect();
            let lifetime = matches!(
                error.code(),
                Some(
                    "E0597"
                        | "E0505"
                        | "E0521"
                        | "E0716"
                        | "E0373"
                        | "E0499"
                        | "E0502"
                        | "E0506"
                        | "E0713"
                        | "E0515"
                        | "E0310"
                )
            );
            let put = marks.iter().find_map(|mark| match mark {
                Mark::Put(name) => Some(name.trim_start_matches("new ").to_owned()),
                _ => None,
            });
            if let Some(name) = put.filter(|_| lifetime) {
                return Some(not_static(&name, error, errors.as_slice(), view));
            }
            if marks.iter().any(|mark| matches!(mark, Mark::Show))
                && matches!(error.code(), Some("E0599" | "E0277" | "E0282" | "E0283"))
            {
                return Some(not_shown(error));
            }
            if let Some(Mark::Take(name)) = marks.first()
                && !in_text(error)
            {
                let message = format!(
                    "the variable `{name}` cannot be used any more: {}",
                    users_words(error.message())
                );
                return Some(CellError::new("compile error", message.clone(), message));
            }
        }
        None
    }
}

/// The error for a variable whose type has no name.
pub(in crate::session) fn not_kept(name: &str, ty: &str, what: &str) -> CellError {
    let message = format!(
        "the variable `{name}` is {what}, which cannot be persisted",
        what = match ty.starts_with('{') || what == "a function" {
            true => what.to_owned(),
            false => format!("made with {what}"),
        }
    );
    let way = match what {
        "a function" => {
            format!("write its type as a function pointer: let {name}: fn(..) -> .. = ..")
        }
        "a closure" if ty.starts_with('{') => {
            format!("box it: let {name}: Box<dyn Fn(..) -> ..> = Box::new(..);")
        }
        what if what.starts_with("a future") => {
            format!(
                "await it in the cell that makes it, or spawn it: let {name} = tokio::spawn(..);"
            )
        }
        _ => format!(
            "box it (let {name}: Box<dyn Iterator<Item = ..>> = Box::new(..);), or collect it into a Vec"
        ),
    };
    let detail = format!(
        "{message}: its type has no name by which another cell could take it.\n\
         You can {way}\n\
         or keep it within one cell, or within braces: {{ .. }}"
    );
    CellError::new("compile error", message, detail)
}

/// The error for a variable that borrows from another.
fn not_static(name: &str, error: &Diagnostic, all: &[&Diagnostic], view: &View<'_>) -> CellError {
    let message =
        format!("the variable `{name}` holds a reference, which cannot be kept for other cells");
    let errors: Vec<Diagnostic> = all.iter().map(|error| (*error).clone()).collect();
    let (_, detail) = render_all(&errors, view, &users_words);
    let said = if detail.trim().is_empty() {
        users_words(error.message())
    } else {
        detail
    };
    let detail = format!(
        "{message}\n{said}\n\
         A variable outlives its cell, and the value that it borrows from may have been moved.\n\
         Clone the value, or use the reference within one scope: {{ let {name} = ..; .. }}"
    );
    CellError::new("compile error", message, detail)
}

/// The error for a value that cannot be shown.
fn not_shown(error: &Diagnostic) -> CellError {
    let text = users_words(error.message());
    let ty = text.split('`').find(|part| {
        !part.is_empty() && !part.contains("evcxr_display") && !part.contains(' ')
            || part.contains('<')
    });
    let labels = error.spans().iter().filter_map(|span| span.label());
    let of_label = labels
        .filter_map(|label| label.split('`').nth(1))
        .find(|part| !part.contains("evcxr_display"));
    let named = text
        .rsplit_once("for ")
        .and_then(|(_, behind)| behind.split('`').nth(1))
        .or(of_label)
        .or(ty)
        .unwrap_or("this type");
    let message = format!(
        "the value cannot be shown: `{}` does not implement `Debug`",
        users_words(named)
    );
    let detail = format!(
        "{message}\n\
         Put #[derive(Debug)] before the type, or end the line with a semicolon to drop the value"
    );
    CellError::new("compile error", message, detail)
}
