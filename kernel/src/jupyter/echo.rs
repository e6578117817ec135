//! An engine that follows the instructions in its cells' lines, for tests of the wire.
//!
//! `out TEXT`, `err TEXT`, `show TEXT`, `show ID=TEXT`, `update ID=TEXT`, `clear`, `value TEXT`, `fail TEXT`,
//! `panic`, `sleep MS`, `loop` (until interrupted), `ask PROMPT`, `password PROMPT`, `page TEXT`, `progress N`,
//! `flood N`, `thread TEXT` (shown from a thread after the cell).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::jupyter::engine::{
    Background, CellIo, Completeness, Completion, Engine, ExecuteRequest, InputRequest, Match,
    Outcome, Remote,
};
use crate::run::output::event::{Event, MimeBundle, Progress, StreamName};

/// The engine; see the module for its language.
pub struct Echo {
    background: Background,
    stop: Arc<Stop>,
}

/// Set when the running cell is to stop.
#[derive(Default)]
struct Stop(AtomicBool);

impl Remote for Stop {
    fn interrupt(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn interrupt_callbacks(&self) {}

    fn kill(&self) {
        self.interrupt();
    }

    fn comm(&self, _: String) {}
}

impl Echo {
    pub fn new(background: Background) -> Echo {
        Echo {
            background,
            stop: Arc::default(),
        }
    }

    fn run_line(&self, line: &str, io: &mut CellIo<'_>) -> Result<Option<MimeBundle>, String> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "out" => (io.events)(stream(StreamName::Stdout, rest)),
            "err" => (io.events)(stream(StreamName::Stderr, rest)),
            "clear" => (io.events)(Event::ClearOutput { wait: true }),
            "show" => (io.events)(match rest.split_once('=') {
                Some((id, text)) => display(text, Some(id.to_owned())),
                None => display(rest, None),
            }),
            "update" => {
                let (id, text) = rest.split_once('=').unwrap_or((rest, ""));
                (io.events)(Event::UpdateDisplay {
                    data: plain(text),
                    metadata: MimeBundle::new(),
                    display_id: id.to_owned(),
                });
            }
            "value" => (io.events)(Event::ExecuteResult {
                data: plain(rest),
                metadata: MimeBundle::new(),
            }),
            "fail" => return Err(rest.to_owned()),
            "panic" => panic!("{rest}"),
            "sleep" => self.sleep(rest.parse().unwrap_or(0))?,
            "loop" => self.sleep(u64::MAX)?,
            "ask" | "password" => {
                let question = InputRequest {
                    prompt: rest.to_owned(),
                    password: verb == "password",
                };
                let answer = (io.input)(&question).ok_or("no answer")?;
                (io.events)(stream(StreamName::Stdout, &answer));
            }
            "page" => return Ok(Some(plain(rest))),
            "progress" => self.progress(rest.parse().unwrap_or(0), io),
            "flood" => {
                for i in 0..rest.parse().unwrap_or(0) {
                    (io.events)(stream(StreamName::Stdout, &i.to_string()));
                }
            }
            "thread" => {
                let (background, text) = (self.background.clone(), rest.to_owned());
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(50));
                    background(stream(StreamName::Stdout, &text));
                });
            }
            _ => {}
        }
        Ok(None)
    }

    fn sleep(&self, ms: u64) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed().as_millis() < u128::from(ms) {
            if self.stop.0.swap(false, Ordering::SeqCst) {
                return Err("interrupted".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn progress(&self, n: u64, io: &mut CellIo<'_>) {
        for done in 0..=n {
            (io.events)(Event::Progress(Progress {
                label: "echo".to_owned(),
                done,
                total: n,
                unit: "step".to_owned(),
                finished: done == n,
                ..Progress::default()
            }));
        }
    }
}

impl Engine for Echo {
    fn execute(&mut self, request: &ExecuteRequest, io: &mut CellIo<'_>) -> Outcome {
        self.stop.0.store(false, Ordering::SeqCst);
        let mut pages = Vec::new();
        for line in request.code.lines() {
            match self.run_line(line, io) {
                Ok(page) => pages.extend(page),
                Err(evalue) => {
                    return Outcome::Failed {
                        ename: "Echo".to_owned(),
                        traceback: vec![format!("Echo: {evalue}")],
                        evalue,
                    };
                }
            }
        }
        Outcome::Done { pages }
    }

    fn complete(&mut self, code: &str, cursor: usize) -> Completion {
        let start = code[..cursor].rfind(' ').map_or(0, |at| at + 1);
        let matches = ["show", "sleep", "stop"]
            .iter()
            .filter(|verb| verb.starts_with(&code[start..cursor]))
            .map(|verb| Match {
                text: (*verb).to_owned(),
                ..Match::default()
            })
            .collect();
        Completion {
            matches,
            replaces: start..cursor,
        }
    }

    fn inspect(&mut self, code: &str, _: usize, _: u8) -> Option<MimeBundle> {
        code.starts_with("show").then(|| plain("shows a text"))
    }

    fn remote(&self) -> Arc<dyn Remote> {
        self.stop.clone()
    }

    fn shutdown(&mut self, _: bool) {}
}

/// Whether an echo's cell is complete, determined by its last and first characters.
pub fn is_complete(code: &str) -> Completeness {
    match code {
        _ if code.ends_with('{') => Completeness::Incomplete {
            indent: "    ".to_owned(),
        },
        _ if code.starts_with('}') => Completeness::Invalid,
        _ => Completeness::Complete,
    }
}

fn stream(name: StreamName, text: &str) -> Event {
    Event::Stream {
        name,
        text: format!("{text}\n"),
    }
}

fn display(text: &str, display_id: Option<String>) -> Event {
    Event::Display {
        data: plain(text),
        metadata: MimeBundle::new(),
        display_id,
    }
}

fn plain(text: &str) -> MimeBundle {
    match json!({ "text/plain": text }) {
        Value::Object(bundle) => bundle,
        _ => MimeBundle::new(),
    }
}
