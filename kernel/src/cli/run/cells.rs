//! Running cells in a session, within a time limit and under signals.

use super::super::terminal::Terminal;
use super::jobs::Job;
use super::results::Results;
use super::signals::{self, Signals, Watch};
use crate::error::Result;
use crate::image::Image;
use crate::notebook::inline::unquote;
use crate::notebook::{MimeBundle, Types};
use crate::report::outcome::CellError;
use crate::run::output::event::Event;
use crate::run::process::interrupt::{Interrupted, Interrupter};
use crate::session::workspace::Workspace;
use crate::session::{Failure, Outcome, Session, nobody};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The kind of error of a cell that was to raise one and did not.
const NO_EXCEPTION: &str = "no exception";
const TIMEOUT: &str = "timeout";

/// Whether a cell's error is the one that its tag says it raises.
pub fn is_expected(job: &Job, error: &CellError) -> bool {
    job.raises && ![NO_EXCEPTION, TIMEOUT].contains(&error.ename.as_str())
}

/// Whether the cell may fail with this error and the run continues.
pub fn is_allowed(job: &Job, error: &CellError) -> bool {
    job.may_fail && error.ename != TIMEOUT
}

/// A session that runs a notebook's cells.
pub struct Cells {
    session: Session,
    interrupter: Arc<Interrupter>,
    /// Output between cells, from threads of earlier cells.
    late: Arc<Mutex<Vec<Event>>>,
    timeout: Option<Duration>,
    signals: Signals,
}

impl Cells {
    /// Starts the session; from now on signals are delivered to its cells.
    pub fn start(
        workspace: Workspace,
        image: &Image,
        timeout: Option<Duration>,
        signals: Signals,
    ) -> Result<Self> {
        let late = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&late);
        let between = Box::new(move |event| {
            keep.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(event);
        });
        let session = Session::start(workspace, image, between)?;
        let interrupter = Arc::new(Interrupter::new(session.runner(), session.compilers()));
        let cells = Self {
            session,
            interrupter,
            late,
            timeout,
            signals,
        };
        cells.signals.reach(Arc::clone(&cells.interrupter));
        Ok(cells)
    }

    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// Compiles cells without running them (see [`Session::check`]).
    pub fn check(&mut self, cells: &[&str]) -> std::result::Result<Types, Failure> {
        self.session.check(cells)
    }

    /// Runs a cell and records its output in the results; returns the error if it failed.
    pub fn run(
        &mut self,
        job: &Job,
        count: u64,
        results: &mut Results,
        terminal: &mut Terminal,
    ) -> Option<CellError> {
        results.begin(job);
        // A blank cell has nothing to compile.
        let outcome = match job.source.trim().is_empty() {
            true => Outcome::Ok,
            false => {
                let mut record = |event: Event| results.take(job, event, count);
                self.execute(&job.source, count, &mut record, terminal)
            }
        };
        let failed = match outcome {
            Outcome::Failed(error) => Some(error),
            Outcome::Ok if job.raises => Some(CellError::new(
                NO_EXCEPTION,
                "the cell is tagged `raises-exception`, and it raised none",
                "The cell is tagged `raises-exception`, and it raised none.\n\
                 Mend the cell, or remove the tag.",
            )),
            Outcome::Ok => None,
        };
        let late = std::mem::take(&mut *self.late.lock().unwrap_or_else(PoisonError::into_inner));
        for event in late {
            results.take(job, event, count);
        }
        if let Some(error) = &failed {
            results.fail(job, error);
        }
        failed
    }

    /// The value of an expression as a MIME bundle. It is no cell and has no number.
    pub fn evaluate(
        &mut self,
        code: &str,
        terminal: &mut Terminal,
    ) -> std::result::Result<MimeBundle, CellError> {
        let mut shown = None;
        let mut keep = |event: Event| match event {
            Event::ExecuteResult { data, .. } | Event::Display { data, .. } => shown = Some(data),
            _ => {}
        };
        let outcome = self.execute(code, 0, &mut keep, terminal);
        match (outcome, shown) {
            (Outcome::Failed(error), _) => Err(error),
            (Outcome::Ok, Some(mut data)) => {
                unquote(&mut data);
                Ok(data)
            }
            (Outcome::Ok, None) => {
                let text = format!("`{code}` has no value to show");
                Err(CellError::new("no value", text.clone(), text))
            }
        }
    }

    fn execute(
        &mut self,
        code: &str,
        count: u64,
        record: &mut (dyn FnMut(Event) + Send),
        terminal: &mut Terminal,
    ) -> Outcome {
        self.interrupter.begin(self.session.relay());
        let watch = self
            .timeout
            .map(|limit| (limit, Watch::begin(limit, Arc::clone(&self.interrupter))));
        let mut record = |event: Event| {
            if let Event::Progress(progress) = &event {
                terminal.progress(progress);
            }
            record(event);
        };
        let outcome = self.session.execute(code, count, &mut record, &nobody);
        let interrupted = self.interrupter.end();
        let full = watch.and_then(|(limit, watch)| watch.end().then_some(limit));
        let outcome = match (outcome, interrupted) {
            (Outcome::Failed(error), Interrupted::Running) if error.ename == "died" => {
                Outcome::Failed(error.interrupted())
            }
            (outcome, _) => outcome,
        };
        match (outcome, self.signals.received(), full) {
            (Outcome::Failed(error), Some(signal), _) => Outcome::Failed(ended_by(signal, error)),
            (outcome, None, Some(limit)) => Outcome::Failed(too_long(limit, outcome)),
            (outcome, _, _) => outcome,
        }
    }
}

/// The error of a cell that a signal has stopped.
fn ended_by(signal: i32, error: CellError) -> CellError {
    let name = signals::name(signal);
    let evalue = format!("{name} ended the run");
    match error.ename.as_str() {
        // Its text about the variables is correct.
        "interrupted" => CellError { evalue, ..error },
        // Its processes were killed, whatever error that caused.
        _ => CellError::new("interrupted", evalue.clone(), evalue),
    }
}

/// The error of a cell that exceeded the time limit.
fn too_long(limit: Duration, outcome: Outcome) -> CellError {
    let evalue = format!(
        "the cell took longer than the {} s of --timeout, and was interrupted",
        limit.as_secs_f64()
    );
    let mut error = CellError::new(TIMEOUT, evalue.clone(), evalue);
    if let Outcome::Failed(interrupted) = outcome {
        error.traceback.extend(interrupted.traceback);
    }
    error
}
