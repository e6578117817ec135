//! The engine's thread: starts the engine, runs cells one after the other, and answers questions in between.
//!
//! Every cell gets busy, an answer and idle, whatever the engine does; a panic of the engine fails the cell.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use serde_json::{Map, Value, json};

use super::engine::{Background, CellIo, Completion, Engine, ExecuteRequest, Outcome, Remote};
use super::kernel::{Job, Kernel};
use super::sockets::iopub::{Parent, State};
use super::wire::content::{error, execute_aborted, execute_error, execute_ok, expression_ok};
use super::wire::origin::Origin;
use crate::notebook::inline;
use crate::run::output::event::{Event, MimeBundle};

/// Idle time before the engine warms up: programs send requests at once, people first read.
const QUIET: Duration = Duration::from_millis(300);

/// What runs on the engine's thread.
pub struct Worker {
    kernel: Arc<Kernel>,
    engine: Box<dyn Engine>,
    /// The count of the last cell that was counted.
    count: u32,
    /// The cell that background output joins.
    last: LastCell,
}

/// The cell that ran last, and its count.
type LastCell = Arc<std::sync::Mutex<(Parent, u32)>>;

/// Starts the engine and works until [`Job::Stop`].
pub fn work<E: Display>(
    kernel: Arc<Kernel>,
    jobs: Receiver<Job>,
    factory: impl FnOnce(Background) -> Result<Box<dyn Engine>, E>,
) {
    let last = LastCell::default();
    let background = background(kernel.clone(), last.clone());
    let engine = match catch_unwind(AssertUnwindSafe(|| factory(background))) {
        Ok(Ok(engine)) => engine,
        Ok(Err(e)) => Box::new(Unavailable(e.to_string())),
        Err(panic) => Box::new(Unavailable(panic_text(&*panic))),
    };
    kernel.engine_is_up(engine.remote());
    let mut worker = Worker {
        kernel,
        engine,
        count: 0,
        last,
    };
    let first = jobs.recv_timeout(QUIET).ok();
    if first.is_none() {
        let _ = catch_unwind(AssertUnwindSafe(|| worker.engine.warm()));
    }
    for job in first.into_iter().chain(jobs) {
        match job {
            Job::Execute {
                origin,
                request,
                received,
            } => worker.execute(&origin, &request, received),
            Job::Ask(question) => {
                // A question that panics gets no answer, which the caller handles.
                let _ = catch_unwind(AssertUnwindSafe(|| question(&mut *worker.engine)));
            }
            Job::Stop { restart } => {
                let _ = catch_unwind(AssertUnwindSafe(|| worker.engine.shutdown(restart)));
                return;
            }
        }
    }
}

/// Publishes output while no cell runs.
fn background(kernel: Arc<Kernel>, last: LastCell) -> Background {
    Arc::new(move |event| {
        let (parent, count) = last.lock().map(|last| (*last).clone()).unwrap_or_default();
        let parent = parent.or_else(|| kernel.first_cell());
        kernel.show(parent, event, count);
    })
}

impl Worker {
    fn execute(&mut self, origin: &Origin, request: &ExecuteRequest, received: std::time::Instant) {
        let kernel = self.kernel.clone();
        kernel.publisher.cell_status(origin.parent(), State::Busy);
        let (reply, failed) = match kernel.begin_cell(received) {
            true => self.run(origin, request),
            false => (execute_aborted(), false),
        };
        // Cells received until now were sent before the failure was known.
        kernel.end_cell(failed && request.stop_on_error);
        origin.reply(&kernel.wire, reply);
        kernel.publisher.cell_status(origin.parent(), State::Idle);
    }

    /// Runs a cell; returns the content of its reply, and whether it failed.
    fn run(&mut self, origin: &Origin, request: &ExecuteRequest) -> (Value, bool) {
        let kernel = self.kernel.clone();
        let counted = request.store_history && !request.silent;
        let count = self.count + 1;
        if counted {
            self.count = count;
        }
        if let Ok(mut last) = self.last.lock() {
            *last = (origin.parent(), count);
        }
        if !request.silent {
            kernel.publisher.message(
                origin.parent(),
                "execute_input",
                json!({"code": request.code, "execution_count": count}),
            );
        }
        let mut shown = Shown::default();
        let mut events = |event: Event| {
            // Widgets of a silent cell are widgets, too.
            let widgets = matches!(event, Event::Comm(_));
            if shown.note(&event) && (!request.silent || widgets) {
                kernel.show(origin.parent(), event, count);
            }
        };
        let outcome = self.outcome(origin, request, &mut events);
        if let Outcome::Failed {
            ename,
            evalue,
            traceback,
        } = &outcome
        {
            events(Event::Error {
                ename: ename.clone(),
                evalue: evalue.clone(),
                traceback: traceback.clone(),
            });
        }
        if counted {
            kernel.history().push(count, &request.code, shown.result);
        }
        match (shown.error, outcome) {
            (Some((ename, evalue, traceback)), _) => {
                (execute_error(count, &ename, &evalue, &traceback), true)
            }
            (None, Outcome::Done { pages }) => {
                let expressions = self.user_expressions(origin, request);
                (execute_ok(count, expressions, pages), false)
            }
            // A failure is always shown above, so this is never reached.
            (None, Outcome::Failed { .. }) => (execute_error(count, "", "", &[]), true),
        }
    }

    /// The values of the client's user expressions, evaluated after the cell.
    fn user_expressions(
        &mut self,
        origin: &Origin,
        request: &ExecuteRequest,
    ) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, expression) in &request.user_expressions {
            let cell = ExecuteRequest {
                code: inline::code(expression).into_owned(),
                silent: true,
                store_history: false,
                ..ExecuteRequest::default()
            };
            let mut shown = None;
            let kernel = self.kernel.clone();
            let outcome = self.outcome(origin, &cell, &mut |event| match event {
                Event::Comm(_) => kernel.show(origin.parent(), event, 0),
                Event::ExecuteResult { data, metadata } | Event::Display { data, metadata, .. } => {
                    shown = Some((data, metadata))
                }
                _ => {}
            });
            let value = match (outcome, shown) {
                (Outcome::Done { .. }, Some((mut data, metadata))) => {
                    inline::unquote(&mut data);
                    expression_ok(data, metadata)
                }
                (Outcome::Done { .. }, None) => {
                    error("NoValue", &format!("`{expression}` has no value to show"))
                }
                (Outcome::Failed { ename, evalue, .. }, _) => error(&ename, &evalue),
            };
            values.insert(name.clone(), value);
        }
        values
    }

    fn outcome(
        &mut self,
        origin: &Origin,
        request: &ExecuteRequest,
        events: &mut (dyn FnMut(Event) + Send),
    ) -> Outcome {
        let stdin = self.kernel.stdin.clone();
        let mut io = CellIo {
            events,
            input: &mut |question| match request.allow_stdin {
                true => stdin.ask(origin, question),
                false => None,
            },
        };
        let engine = &mut self.engine;
        catch_unwind(AssertUnwindSafe(|| engine.execute(request, &mut io))).unwrap_or_else(
            |panic| {
                let evalue = format!("the kernel failed, not the cell: {}", panic_text(&*panic));
                Outcome::Failed {
                    ename: "KernelError".to_owned(),
                    traceback: vec![evalue.clone()],
                    evalue,
                }
            },
        )
    }
}

/// The parts of a cell's output that its reply repeats.
#[derive(Default)]
struct Shown {
    error: Option<(String, String, Vec<String>)>,
    result: Option<String>,
}

impl Shown {
    /// Whether the event is to be published: of several errors only the first.
    fn note(&mut self, event: &Event) -> bool {
        match event {
            Event::Error {
                ename,
                evalue,
                traceback,
            } => {
                if self.error.is_some() {
                    return false;
                }
                self.error = Some((ename.clone(), evalue.clone(), traceback.clone()));
            }
            Event::ExecuteResult { data, .. } => {
                self.result = data
                    .get("text/plain")
                    .and_then(Value::as_str)
                    .map(str::to_owned);
            }
            _ => {}
        }
        true
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// Replaces an engine that did not start: every cell reports the reason.
struct Unavailable(String);

impl Engine for Unavailable {
    fn execute(&mut self, _: &ExecuteRequest, _: &mut CellIo<'_>) -> Outcome {
        let evalue = format!("the session could not be started: {}", self.0);
        Outcome::Failed {
            ename: "SessionError".to_owned(),
            traceback: vec![evalue.clone(), "Run `holoscope doctor`.".to_owned()],
            evalue,
        }
    }

    fn complete(&mut self, _: &str, cursor: usize) -> Completion {
        Completion {
            matches: Vec::new(),
            replaces: cursor..cursor,
        }
    }

    fn inspect(&mut self, _: &str, _: usize, _: u8) -> Option<MimeBundle> {
        None
    }

    fn remote(&self) -> Arc<dyn Remote> {
        Arc::new(Nothing)
    }

    fn shutdown(&mut self, _: bool) {}
}

/// A [`Remote`] that does nothing.
struct Nothing;

impl Remote for Nothing {
    fn interrupt(&self) {}
    fn interrupt_callbacks(&self) {}
    fn kill(&self) {}
    fn comm(&self, _: String) {}
}
