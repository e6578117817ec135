//! A session as an engine of the Jupyter wire.

use super::event::MimeBundle;
use super::interrupt::{Handle, Interrupted, Interrupter};
use super::{Outcome, Session};
use crate::jupyter::engine::{
    self, CellIo, Completion, Engine, ExecuteRequest, InputRequest, Match, Remote,
};
use evcxr::CommandContext;
use serde_json::Value;
use std::cell::RefCell;
use std::sync::Arc;

/// Runs a notebook's cells in a [`Session`].
pub struct EvcxrEngine {
    session: Session,
    interrupter: Arc<Interrupter>,
}

impl EvcxrEngine {
    pub fn new(session: Session) -> Self {
        let interrupter = Arc::new(Interrupter::new(session.runner()));
        Self {
            session,
            interrupter,
        }
    }

    /// The name in a cell `?name` or `name?`. The latter is Rust, too: a variable
    /// with a `?` behind it is not a question.
    fn asked_about(&mut self, code: &str) -> Option<String> {
        let code = code.trim();
        let path = |c: char| c.is_alphanumeric() || "_:<>.!&".contains(c);
        let name = code.trim_matches('?');
        if name == code || name.is_empty() || !name.chars().all(path) {
            return None;
        }
        let is_variable = |n: &str| self.session.variables().iter().any(|v| v == n);
        (code.starts_with('?') || !is_variable(name)).then(|| name.to_owned())
    }

    /// What is known of a name, as a page beside the notebook.
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

    fn context(&mut self) -> &mut CommandContext {
        self.session.context_mut()
    }
}

impl Engine for EvcxrEngine {
    fn warm(&mut self) {
        self.session.warm();
    }

    fn execute(&mut self, request: &ExecuteRequest, io: &mut CellIo<'_>) -> engine::Outcome {
        if let Some(name) = self.asked_about(&request.code) {
            return self.page(&name);
        }
        self.interrupter.begin(self.session.relay());
        let input = RefCell::new(&mut io.input);
        let ask = |prompt: &str, password: bool| {
            let question = InputRequest {
                prompt: prompt.to_owned(),
                password,
            };
            (input.borrow_mut())(&question).unwrap_or_default()
        };
        let outcome = self.session.execute(&request.code, io.events, &ask);
        let error = match (outcome, self.interrupter.end()) {
            (Outcome::Ok, _) => return engine::Outcome::Done { pages: Vec::new() },
            (Outcome::Failed(error), Interrupted::Compiling) => error.interrupted(true),
            (Outcome::Failed(error), Interrupted::Running) if error.ename == "died" => {
                error.interrupted(false)
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
        match self.context().completions(code, cursor) {
            Ok(found) => Completion {
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
            // Completion of broken code is a wish, not a duty.
            Err(_) => Completion {
                matches: Vec::new(),
                replaces: cursor..cursor,
            },
        }
    }

    fn inspect(&mut self, code: &str, cursor: usize, _detail: u8) -> Option<MimeBundle> {
        let (plain, markdown) = self.context().hover_at(code, cursor).ok()?;
        if plain.trim().is_empty() || plain == "No documentation found" {
            return None;
        }
        Some(MimeBundle::from_iter([
            ("text/plain".to_owned(), Value::String(plain)),
            ("text/markdown".to_owned(), Value::String(markdown)),
        ]))
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(Handle(Arc::clone(&self.interrupter)))
    }

    fn shutdown(&mut self, _restart: bool) {
        // evcxr waits for the relay when it goes.
        self.interrupter.end_process(self.session.relay());
    }
}
