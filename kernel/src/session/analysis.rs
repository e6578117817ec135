//! Answers questions about code with evcxr, which contains rust-analyzer.
//!
//! evcxr does not run cells here. It resolves the crates that cells request (with cargo), implements
//! the commands, and computes completions and descriptions of names. For that it receives the cells'
//! definitions in the background: on a separate thread, when there is time.

use super::workspace::Workspace;
use crate::error::{Error, Result};
use crate::image::{Image, layout};
use crate::plan::{Definitions, Variable};
use crate::read::Cell;
use crate::read::items::Kind;
use crate::trace;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use evcxr::{CommandContext, Completions, EvalContext, EvalOutputs};
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Definitions of cells are passed on when none has arrived for this long.
const PAUSE: Duration = Duration::from_millis(250);
/// evcxr needs nothing but this to resolve the library's names.
const ABOUT: &str = "use holoscope as _;";

enum Job {
    /// Start, and prepare for the first question.
    Warm,
    /// Definitions of a cell, as Rust.
    Learn(String),
    Complete(String, usize, Sender<Option<Completions>>),
    Inspect(String, usize, Sender<Option<(String, String)>>),
    Execute(String, Sender<Result<EvalOutputs, evcxr::Error>>),
    Forget,
}

/// The session's side of the thread.
pub struct Analysis {
    jobs: Sender<Job>,
    receiver: Option<Receiver<Job>>,
    setup: Setup,
    thread: Option<JoinHandle<()>>,
    told: BTreeMap<String, Variable>,
    /// True while cargo works for a cell.
    building: Arc<AtomicBool>,
}

/// The settings with which evcxr is started.
#[derive(Clone)]
struct Setup {
    library: String,
    image: String,
    metadata: String,
    standard_library: std::path::PathBuf,
    cells: std::path::PathBuf,
    link: std::path::PathBuf,
    /// The manifest of a workspace that cargo would consider the session a part of.
    above: Option<std::path::PathBuf>,
}

impl Analysis {
    pub fn new(image: &Image, workspace: &Workspace) -> Self {
        let (jobs, receiver) = unbounded();
        Self {
            jobs,
            receiver: Some(receiver),
            setup: Setup {
                library: format!("{{ path = {:?} }}", image.facade.to_string_lossy()),
                image: image.folder.to_string_lossy().into_owned(),
                metadata: image.deps.to_string_lossy().into_owned(),
                standard_library: crate::facade::standard_library(&image.facade),
                cells: workspace.cells(),
                link: workspace.standard_library(),
                above: workspace.manifest_above(),
            },
            thread: None,
            told: BTreeMap::new(),
            building: Arc::default(),
        }
    }

    /// True while cargo works for a cell.
    pub fn building(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.building)
    }

    /// Starts the thread, if it has not started yet.
    pub fn warm(&mut self) {
        self.start();
        let _ = self.jobs.send(Job::Warm);
    }

    fn start(&mut self) {
        let Some(jobs) = self.receiver.take() else {
            return;
        };
        let setup = self.setup.clone();
        let run = move || Thread::new(setup).run(&jobs);
        self.thread = std::thread::Builder::new()
            .name("analysis".to_owned())
            .spawn(run)
            .ok();
    }

    /// Adds the definitions of a cell.
    pub fn note(&mut self, cell: &Cell) {
        let mut text = String::new();
        for item in &cell.items {
            if item.kind != Kind::ModFile {
                text.push_str(&cell.text.text[item.range.clone()]);
                text.push('\n');
            }
        }
        if !text.is_empty() {
            let _ = self.jobs.send(Job::Learn(text));
        }
    }

    /// Updates the variables.
    pub fn note_variables(&mut self, definitions: &Definitions) {
        let mut text = String::new();
        for (name, variable) in &definitions.variables {
            if self.told.get(name) != Some(variable) {
                let mutable = if variable.mutable { "mut " } else { "" };
                let ty = Definitions::users_type(&variable.ty);
                text.push_str(&format!(
                    "let {mutable}{}: {ty} = panic!();\n",
                    variable.written
                ));
            }
        }
        if !text.is_empty() {
            self.told = definitions.variables.clone();
            let _ = self.jobs.send(Job::Learn(text));
        }
    }

    /// Clears all definitions.
    pub fn clear(&mut self) {
        self.told.clear();
        let _ = self.jobs.send(Job::Forget);
    }

    pub fn complete(&mut self, code: &str, cursor: usize) -> Option<Completions> {
        self.start();
        let (send, receive) = bounded(1);
        self.jobs
            .send(Job::Complete(code.to_owned(), cursor, send))
            .ok()?;
        receive.recv().ok()?
    }

    /// The description of the name that ends at `end`: as text, and as HTML.
    pub fn inspect(&mut self, code: &str, end: usize) -> Option<(String, String)> {
        self.start();
        let (send, receive) = bounded(1);
        self.jobs
            .send(Job::Inspect(code.to_owned(), end, send))
            .ok()?;
        receive.recv().ok()?
    }

    /// Executes a command in evcxr. If it builds crates, this runs cargo.
    pub fn execute(&mut self, command: &str) -> Result<EvalOutputs, evcxr::Error> {
        self.start();
        self.building.store(true, Ordering::SeqCst);
        let (send, receive) = bounded(1);
        let _ = self.jobs.send(Job::Execute(command.to_owned(), send));
        let answer = receive.recv();
        self.building.store(false, Ordering::SeqCst);
        answer.unwrap_or_else(|_| Err("the code analysis thread has stopped".to_owned().into()))
    }
}

struct Thread {
    setup: Setup,
    context: Option<CommandContext>,
    /// Definitions that are not passed on yet.
    pending: Vec<String>,
    /// Why there is no context.
    failed: String,
}

impl Thread {
    fn new(setup: Setup) -> Self {
        Self {
            setup,
            context: None,
            pending: Vec::new(),
            failed: String::new(),
        }
    }

    fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.pending.is_empty() || self.context.is_none() {
                true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => jobs.recv_timeout(PAUSE),
            };
            match job {
                Ok(job) => self.follow(job),
                Err(RecvTimeoutError::Timeout) => self.learn(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn follow(&mut self, job: Job) {
        match job {
            Job::Warm => self.warm(),
            Job::Learn(text) => self.pending.push(text),
            Job::Complete(code, cursor, answer) => {
                self.learn();
                // Completion of broken code is best effort.
                let found = self
                    .context()
                    .and_then(|context| context.completions(&code, cursor).ok());
                let _ = answer.send(found);
            }
            Job::Inspect(code, end, answer) => {
                self.learn();
                let found = self
                    .context()
                    .and_then(|context| context.hover_at(&code, end).ok());
                let _ = answer.send(found);
            }
            Job::Execute(command, answer) => {
                let result = self.execute(&command);
                let _ = answer.send(result);
            }
            Job::Forget => {
                self.pending.clear();
                if let Some(context) = &mut self.context {
                    let _ = context.execute(":clear");
                    let dependency = format!(":dep holoscope = {}\n{ABOUT}", self.setup.library);
                    let _ = context.execute(&dependency);
                }
            }
        }
    }

    /// Makes rust-analyzer do the work of the first question in advance, which takes seconds.
    fn warm(&mut self) {
        let code = "let warm = \"\".len();\nwarm.";
        if let Some(context) = self.context() {
            // The completions are not needed.
            let _ = context.completions(code, code.len());
            trace::mark("warm");
        }
    }

    /// Passes the definitions of cells on to evcxr. Those that it rejects are omitted.
    fn learn(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let pending = std::mem::take(&mut self.pending);
        let Some(context) = self.context() else {
            return;
        };
        if context.execute(&pending.concat()).is_err() {
            for text in pending {
                let _ = context.execute(&text);
            }
        }
    }

    fn execute(&mut self, command: &str) -> Result<EvalOutputs, evcxr::Error> {
        self.learn();
        let cells = self.setup.cells.clone();
        let Some(context) = self.context() else {
            return Err(self.failed.clone().into());
        };
        crate::cargo::stand_in::ask_cargo(&cells, true);
        let result = context.execute(command);
        crate::cargo::stand_in::ask_cargo(&cells, false);
        result
    }

    fn context(&mut self) -> Option<&mut CommandContext> {
        if self.context.is_none() {
            match self.setup.start() {
                Ok(context) => self.context = Some(context),
                Err(error) => self.failed = self.setup.explained(&error),
            }
        }
        self.context.as_mut()
    }
}

impl Setup {
    fn explained(&self, error: &Error) -> String {
        match &self.above {
            Some(manifest) => format!(
                "{error}\n{} is the manifest of a workspace, and cargo takes what lies below it \
                 for a part of it; set HOLOSCOPE_SESSIONS to a folder elsewhere",
                manifest.display()
            ),
            None => error.to_string(),
        }
    }

    fn start(&self) -> Result<CommandContext> {
        super::workspace::read_standard_library(&self.link, &self.standard_library)?;
        crate::cargo::stand_in::ask_cargo(&self.cells, false);
        let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
        let (mut context, _) =
            EvalContext::with_subprocess_command(Command::new(exe)).map_err(Error::evcxr)?;
        trace::mark("evcxr");
        let mut state = context.state();
        for (name, path) in [
            (layout::IMAGE_ENV, &self.image),
            (layout::IMAGE_DEPS_ENV, &self.metadata),
        ] {
            state.set_build_env(name, path);
        }
        state
            .add_dep("holoscope", &self.library)
            .map_err(Error::evcxr)?;
        context
            .eval_with_state(ABOUT, state)
            .map_err(Error::evcxr)?;
        trace::mark("analysis");
        Ok(CommandContext::with_eval_context(context))
    }
}
