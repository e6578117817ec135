//! A session as an engine of the Jupyter wire.

use super::{Outcome, Session};
use crate::jupyter::engine::{
    self, CellIo, Completion, Engine, ExecuteRequest, InputRequest, Match, Remote,
};
use crate::read::commands;
use crate::run::output::event::MimeBundle;
use crate::run::process::interrupt::{Handle, Interrupted, Interrupter};
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// Runs a notebook's cells in a [`Session`].
pub struct SessionEngine {
    session: Session,
    /// The number of the last cell, as Jupyter counts.
    number: u64,
    interrupter: Arc<Interrupter>,
}

impl SessionEngine {
    pub fn new(session: Session) -> Self {
        let interrupter = Arc::new(Interrupter::new(session.runner(), session.compilers()));
        Self {
            session,
            number: 0,
            interrupter,
        }
    }

    /// The description of a name, as a page next to the notebook.
    fn page(&mut self, name: &str) -> engine::Outcome {
        match self.inspect(name, name.len(), 1) {
            Some(page) => engine::Outcome::Done { pages: vec![page] },
            None => {
                let evalue = format!("nothing is known of `{name}`");
                engine::Outcome::Failed {
                    ename: "NotFound".to_owned(),
                    traceback: vec![
                        evalue.clone(),
                        "Is it in scope? A path works too: ?std::fs::File".to_owned(),
                    ],
                    evalue,
                }
            }
        }
    }
}

impl Engine for SessionEngine {
    fn warm(&mut self) {
        self.session.warm();
    }

    fn execute(&mut self, request: &ExecuteRequest, io: &mut CellIo<'_>) -> engine::Outcome {
        let known = |name: &str| self.session.knows(name);
        if let Some(name) = commands::asked_about(&request.code, &known) {
            return self.page(&name);
        }
        self.interrupter.begin(self.session.relay());
        let input = RefCell::new(&mut io.input);
        let ask = |prompt: &str, password: bool| {
            let question = InputRequest {
                prompt: prompt.to_owned(),
                password,
            };
            (input.borrow_mut())(&question)
        };
        // Messages that name cells use the frontend's numbers.
        self.number += u64::from(!request.silent && request.store_history);
        let outcome = self
            .session
            .execute(&request.code, self.number, io.events, &ask);
        let error = match (outcome, self.interrupter.end()) {
            (Outcome::Ok, _) => return engine::Outcome::Done { pages: Vec::new() },
            (Outcome::Failed(error), Interrupted::Running) if error.ename == "died" => {
                error.interrupted()
            }
            (Outcome::Failed(error), _) => error,
        };
        engine::Outcome::Failed {
            ename: error.ename,
            evalue: error.evalue,
            traceback: error.traceback,
        }
    }

    fn complete(&mut self, code: &str, cursor: usize) -> Completion {
        let code = &*crate::notebook::as_rust(code);
        match self.session.analysis_mut().complete(code, cursor) {
            Some(found) => Completion {
                replaces: found.start_offset..found.end_offset,
                matches: found
                    .completions
                    .into_iter()
                    .map(|c| Match {
                        text: c.code,
                        kind: c.kind.to_owned(),
                        signature: c.label,
                    })
                    .collect(),
            },
            None => Completion {
                matches: Vec::new(),
                replaces: cursor..cursor,
            },
        }
    }

    fn inspect(&mut self, code: &str, cursor: usize, _detail: u8) -> Option<MimeBundle> {
        let code = &*crate::notebook::as_rust(code);
        let end = name_at(code, cursor);
        // Markdown may contain HTML.
        let (plain, html) = self.session.analysis_mut().inspect(code, end)?;
        if plain.trim().is_empty() || plain == "No documentation found" {
            return None;
        }
        Some(MimeBundle::from_iter([
            ("text/plain".to_owned(), Value::String(plain)),
            ("text/html".to_owned(), Value::String(html.clone())),
            ("text/markdown".to_owned(), Value::String(html)),
        ]))
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(Handle {
            interrupter: Arc::clone(&self.interrupter),
            mailbox: self.session.mailbox(),
        })
    }

    fn shutdown(&mut self, _restart: bool) {
        // Dropping the session waits for the relay.
        self.interrupter.end_process(self.session.relay());
    }
}

/// The end of the name at the cursor (a byte offset): the name that contains or precedes the
/// cursor, or else the function whose parentheses contain it. evcxr inspects the end of the code
/// that it is given.
fn name_at(code: &str, cursor: usize) -> usize {
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let (before, after) = code.split_at(cursor);
    let rest = after.find(|c| !in_name(c)).unwrap_or(after.len());
    if rest > 0 || before.ends_with(in_name) {
        return cursor + rest;
    }
    let mut closed = 0;
    for (at, c) in before.char_indices().rev() {
        match c {
            ')' => closed += 1,
            '(' if closed > 0 => closed -= 1,
            '(' => return before[..at].trim_end().trim_end_matches('!').len(),
            _ => {}
        }
    }
    cursor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_asked_about_is_the_one_at_the_cursor_or_the_function_around_it() {
        // `|` is the cursor; the inspected name ends where the second text ends.
        for (asked, looked_at) in [
            ("let n = look|ed_at.len();", "let n = looked_at"),
            ("|größe + 1", "größe"),
            ("größe| + 1", "größe"),
            ("v.len|()", "v.len"),
            ("train(&model, |)", "train"),
            ("train(f(x), |", "train"),
            ("println!(|\"x\")", "println"),
            ("a + | b", "a + "),
            ("|", ""),
        ] {
            let cursor = asked.find('|').unwrap();
            let code = asked.replacen('|', "", 1);
            assert_eq!(&code[..name_at(&code, cursor)], looked_at, "{asked}");
        }
    }
}
