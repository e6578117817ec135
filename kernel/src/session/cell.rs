//! Running cells.

use super::state::{Io, Ready, Session, Stop};
use crate::compile::{Call, Kind};
use crate::error::{Error, Result};
use crate::image;
use crate::plan::Variable;
use crate::plan::body::{Manner, revived};
use crate::read::bindings::Binding;
use crate::read::{Cell, CellText, commands};
use crate::report::callers::users_functions;
use crate::report::outcome::{CellError, Outcome};
use crate::run::output::event::{Event, StreamName};
use crate::run::output::frame::Frame;
use crate::run::output::frames::Runner;
use crate::run::output::limit::Limiter;
use crate::run::output::shown::{Death, End, Shown};
use crate::run::process::interrupt::Compilers;
use crate::run::process::runtime::Instruction;
use crate::run::process::session::{Mailbox, Processes};
use crate::trace;
use crossbeam_channel::unbounded;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A session keeps the library that it began with.
const STALE: &str = "note: the library's source has changed since this session began; \
                     restart the kernel to use it\n";

impl Session {
    /// Starts the analysis of code while the user is still reading.
    pub fn warm(&mut self) {
        self.analysis.warm();
    }

    /// Whether code can be analysed on this machine.
    pub fn try_analysis(&mut self) -> Result<()> {
        self.analysis.execute("").map(drop).map_err(Error::evcxr)
    }

    /// Starts a compiler that waits for the next cell.
    pub(super) fn stand_by(&mut self) {
        let text = Arc::new(CellText {
            number: 0,
            text: String::new(),
        });
        let cell = crate::read::cell(text, "", &|_| None);
        let body = self
            .definitions
            .body(&cell, self.run + 1, &Manner::default());
        let call = Call {
            line: self.sources.next_line(),
            ..self.body_call(&body, &self.definitions, Kind::Body)
        };
        self.compiler.prepare(&call);
    }

    /// Runs a cell; events arrive while it runs, in order. `ask(prompt, password)` answers the
    /// cell's questions to the user. `number` is the cell's, as counted for its user.
    pub fn execute(
        &mut self,
        code: &str,
        number: u64,
        on_event: &mut (dyn FnMut(Event) + Send),
        ask: &dyn Fn(&str, bool) -> Option<String>,
    ) -> Outcome {
        trace::mark_with("cell", || serde_json::json!({ "code": code }));
        self.run += 1;
        self.number = number;
        // A request for values after a cell has the cell's number, but is not the cell.
        self.cells.entry(number).or_insert_with(|| code.to_owned());
        let mut io = Io {
            events: on_event,
            ask,
        };
        let outcome = self.execute_parts(code, &mut io);
        if self.watch.changed() {
            (io.events)(Event::Stream {
                name: StreamName::Stderr,
                text: STALE.to_owned(),
            });
        }
        trace::mark("done");
        outcome
    }

    fn execute_parts(&mut self, code: &str, io: &mut Io<'_>) -> Outcome {
        let (commands, rust) = commands::split(code, &|name| self.knows(name));
        for command in &commands {
            match self.command(command, io) {
                Ok(()) => {}
                Err(Stop::Error(error)) => return Outcome::Failed(error),
                Err(Stop::Interrupted) => {
                    return Outcome::Failed(CellError::interrupted_compiling());
                }
            }
        }
        let text = Arc::new(CellText {
            number: self.number,
            text: crate::notebook::as_rust(code).into_owned(),
        });
        let mut cell = crate::read::cell(text, &rust, &|name| self.definitions.makes_items(name));
        if self.only_statements {
            cell.items.clear();
        }
        if cell.items.is_empty() && cell.statements.is_empty() && cell.attributes.is_empty() {
            return Outcome::Ok;
        }
        for (name, mutable) in revived(&self.definitions, &cell) {
            cell.bindings.push(Binding { name, mutable });
        }
        match self.compile_and_run(&cell, io) {
            Ok(outcome) => outcome,
            Err(Stop::Error(error)) => Outcome::Failed(error),
            Err(Stop::Interrupted) => Outcome::Failed(CellError::interrupted_compiling()),
        }
    }

    /// Whether a name is defined in Rust in this session.
    pub fn knows(&self, name: &str) -> bool {
        let plain = name.trim_start_matches("r#");
        self.definitions.variables.contains_key(plain)
            || !self.definitions.scope.entries(name).is_empty()
    }

    fn compile_and_run(&mut self, cell: &Cell, io: &mut Io<'_>) -> Result<Outcome, Stop> {
        if cell.awaits && !self.compiler.has_crate("tokio") {
            self.bring_tokio(io)?;
        }
        if cell.broken {
            self.check_broken(cell)?;
        }
        let mut next = Arc::clone(&self.definitions);
        let (replaced, only_imports) = match cell.items.is_empty() && cell.attributes.is_empty() {
            true => (Vec::new(), false),
            false => self.compile_items(cell, Arc::make_mut(&mut next))?,
        };
        let ready = match cell.statements.is_empty() {
            true => None,
            false => Some(self.compile_body(cell, &next)?),
        };
        if ready.is_none() && only_imports {
            self.check_imports(cell, &next)?;
        }
        let former = next.former(&replaced);
        self.definitions = next;
        if !cell.items.is_empty() {
            self.compiler.sweep_objects(self.definitions.objects());
        }
        self.analysis.note(cell);
        for (name, definition) in former {
            (io.events)(Event::Stream {
                name: StreamName::Stderr,
                text: format!("note: `{name}` keeps the former `{definition}`\n"),
            });
        }
        let outcome = match ready {
            Some(ready) => self.run_body(cell, ready, io),
            None => Outcome::Ok,
        };
        self.stand_by();
        Ok(outcome)
    }

    fn run_body(&mut self, cell: &Cell, ready: Ready, io: &mut Io<'_>) -> Outcome {
        let before: Vec<String> = self.variables();
        lock(&self.limiter).begin();
        let instruction = Instruction::Run {
            object: ready.made.object.clone(),
            function: ready.function.clone(),
        };
        let shown = self.follow(&instruction, io);
        // A loaded object stays loaded without its file.
        let _ = std::fs::remove_file(&ready.made.object);
        let outcome = self.outcome_of(&shown, &before);
        self.note_variables(cell, &ready, &shown);
        if shown.death.as_ref().is_some_and(|death| !death.restored)
            && let Err(error) = self.restart_processes()
        {
            return Outcome::Failed(CellError::new(
                "error",
                error.to_string(),
                error.to_string(),
            ));
        }
        outcome
    }

    /// Makes the runner execute an instruction, and waits for its end.
    fn follow(&mut self, instruction: &Instruction, io: &mut Io<'_>) -> Shown {
        let mut shown = Shown::new(self.limiter.clone());
        let (ended, ends) = unbounded::<Option<(String, bool)>>();
        let (frames, processes, ask) = (&self.frames, &self.processes, io.ask);
        let events = &mut *io.events;
        let shown_ref = &mut shown;
        let mut gone = false;
        frames.during(
            &mut |frame| {
                let signal = match &frame {
                    Frame::Complete | Frame::Died { .. } => Some(None),
                    Frame::Ask { prompt, password } => Some(Some((prompt.clone(), *password))),
                    _ => None,
                };
                shown_ref.take(frame, events);
                if let Some(signal) = signal {
                    let _ = ended.send(signal);
                }
            },
            || {
                if processes.tell(instruction).is_err() {
                    gone = true;
                    // The relay reports the death, if it can.
                    let _ = ends.recv_timeout(std::time::Duration::from_secs(5));
                    return;
                }
                while let Ok(Some((prompt, password))) = ends.recv() {
                    // Output before the question precedes it.
                    frames.sync();
                    let line = ask(&prompt, password).map(|line| line.replace(['\r', '\n'], " "));
                    if processes.tell(&Instruction::Answer { line }).is_err() {
                        return;
                    }
                }
            },
        );
        shown.finish(io.events);
        if gone && shown.death.is_none() {
            shown.death = Some(Death {
                how: "between two cells".to_owned(),
                said: String::new(),
                restored: false,
            });
        }
        shown
    }

    fn outcome_of(&self, shown: &Shown, before: &[String]) -> Outcome {
        if let Some(death) = &shown.death {
            return Outcome::Failed(CellError::died(death, before));
        }
        let Some(end) = shown.end else {
            return Outcome::Ok;
        };
        let now = shown.variables.clone().unwrap_or_default();
        let gone: Vec<String> = before
            .iter()
            .filter(|name| !now.contains(name))
            .cloned()
            .collect();
        let error = match end {
            End::Failed => {
                let message = shown.error.clone().unwrap_or_default();
                let first = message.lines().find(|line| !line.trim().is_empty());
                let first = first.unwrap_or("an error without a text").to_owned();
                CellError::new("error", first, message)
            }
            End::Panicked => match &shown.panic {
                Some(panic) => {
                    let functions = users_functions(&panic["callers"], &self.workspace.objects());
                    CellError::panicked(panic, &functions, |file, line, column| {
                        self.users_line(file, line, column)
                    })
                }
                None => CellError::new("panic", "the cell panicked", "the cell panicked"),
            },
            End::Interrupted => CellError::stopped(),
        };
        Outcome::Failed(error.with_taken(&gone))
    }

    /// The user's line for a position in a crate: `line 3 of this cell`, and the line.
    fn users_line(&self, file: &str, line: usize, column: usize) -> Option<(String, String)> {
        let (cell, number, text) = self.sources.line(file, line, column)?;
        let place = match cell.number == self.number {
            true => format!("line {number} of this cell"),
            false => format!("line {number} of cell {}", cell.number),
        };
        Some((place, text))
    }

    /// Updates the variables after a cell has run.
    fn note_variables(&mut self, cell: &Cell, ready: &Ready, shown: &Shown) {
        if let Some(death) = &shown.death {
            if !death.restored {
                Arc::make_mut(&mut self.definitions).variables.clear();
            }
            return;
        }
        let Some(names) = &shown.variables else {
            return;
        };
        let definitions = Arc::make_mut(&mut self.definitions);
        let now: HashSet<&str> = names.iter().map(String::as_str).collect();
        for name in &ready.taken {
            if !now.contains(name.as_str())
                && let Some(variable) = definitions.variables.remove(name)
            {
                let moved = (self.number, variable.mutable);
                definitions.moved.insert(name.clone(), moved);
            }
        }
        if shown.end.is_some() {
            return;
        }
        for binding in &cell.bindings {
            let name = binding.plain();
            match ready.made.types.get(name) {
                Some(ty) if now.contains(name) => {
                    let variable = Variable {
                        ty: ty.clone(),
                        mutable: binding.mutable,
                        cell: self.number,
                        written: binding.name.clone(),
                    };
                    definitions.moved.remove(name);
                    definitions.variables.insert(name.to_owned(), variable);
                }
                _ => {
                    let moved = (self.number, binding.mutable);
                    definitions.variables.remove(name);
                    definitions.moved.insert(name.to_owned(), moved);
                }
            }
        }
        self.analysis.note_variables(&self.definitions);
    }

    /// Starts a new process, without variables.
    pub(super) fn restart_processes(&mut self) -> Result<()> {
        self.processes.end();
        let library = self.image.folder.join(image::layout::IMAGE_FILE);
        let workspace = &self.workspace;
        let mailbox = self.processes.mailbox();
        self.processes = Processes::start(&self.frames, mailbox, &library, &|command| {
            workspace.give_back_environment(command);
        })?;
        let definitions = Arc::make_mut(&mut self.definitions);
        definitions.variables.clear();
        definitions.moved.clear();
        Ok(())
    }

    /// Drops all variables and clears all definitions.
    pub(super) fn clear(&mut self, io: &mut Io<'_>) {
        let names = self.definitions.variables.keys().cloned().collect();
        lock(&self.limiter).begin();
        self.follow(&Instruction::Drop { names }, io);
        self.definitions = Arc::new(self.definitions.cleared());
        self.analysis.clear();
        self.stand_by();
    }

    /// The names of the variables, sorted.
    pub fn variables(&self) -> Vec<String> {
        self.definitions.variables.keys().cloned().collect()
    }

    /// The process that runs cells; signal it to interrupt.
    pub fn runner(&self) -> Arc<Runner> {
        self.frames.runner()
    }

    /// The compilers, for interrupts.
    pub fn compilers(&self) -> Compilers {
        Compilers {
            running: self.compiler.running(),
            idle: self.compiler.idle(),
            cargo: self.analysis.building(),
        }
    }

    /// The pipe to the process that runs cells, for messages that may be sent at any time.
    pub fn mailbox(&self) -> Mailbox {
        self.processes.mailbox()
    }

    /// Our child, the parent of the process that runs cells.
    pub fn relay(&self) -> u32 {
        self.processes.relay()
    }

    pub(super) fn analysis_mut(&mut self) -> &mut super::analysis::Analysis {
        &mut self.analysis
    }
}

/// Answers a question when there is no user.
pub fn nobody(_prompt: &str, _password: bool) -> Option<String> {
    None
}

fn lock(limiter: &Mutex<Limiter>) -> std::sync::MutexGuard<'_, Limiter> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}
