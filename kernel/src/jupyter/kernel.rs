//! State shared by the channels and the engine's thread: queued work, what runs, what is cancelled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::Sender;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::comms::Comms;
use super::engine::{Engine, ExecuteRequest, Language, Remote};
use super::history::History;
use super::input::Stdin;
use super::sockets::iopub::{Parent, Publisher};
use super::wire::message::Wire;
use super::wire::origin::Origin;
use crate::run::output::event::Event;

/// How long a question about code waits for a cell that runs, or an engine that starts.
const BEHIND_A_CELL: Duration = Duration::from_secs(2);

/// How long a question about code may take.
const UNDISTURBED: Duration = Duration::from_secs(15);

/// Work for the engine's thread, done in the order of arrival.
pub enum Job {
    Execute {
        origin: Origin,
        request: ExecuteRequest,
        received: Instant,
    },
    Ask(Question),
    Stop {
        restart: bool,
    },
}

/// A question about code; the closure sends its own answer.
pub type Question = Box<dyn FnOnce(&mut dyn Engine) + Send>;

/// What the channels and the engine's thread share.
pub struct Kernel {
    pub wire: Wire,
    pub language: Language,
    pub publisher: Publisher,
    pub stdin: Stdin,
    pub comms: Comms,
    history: Mutex<History>,
    situation: Mutex<Situation>,
    jobs: Sender<Job>,
    letters: Sender<String>,
}

/// The state of the engine's thread.
#[derive(Default)]
struct Situation {
    /// Set once the engine is up.
    remote: Option<Arc<dyn Remote>>,
    /// The first queued cell, which waits for the engine.
    waits: Parent,
    running: bool,
    /// Cells that run or wait.
    cells: usize,
    /// Cells that were received before this are not run.
    given_up: Option<Instant>,
    stopping: bool,
}

impl Kernel {
    pub fn new(
        wire: Wire,
        language: Language,
        publisher: Publisher,
        stdin: Stdin,
        jobs: Sender<Job>,
        letters: Sender<String>,
        history: History,
    ) -> Kernel {
        Kernel {
            wire,
            language,
            publisher,
            stdin,
            comms: Comms::default(),
            history: Mutex::new(history),
            situation: Mutex::default(),
            jobs,
            letters,
        }
    }

    /// The cells that were run.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes output of the cell that `parent` requested, or of a widget's callback.
    pub fn show(&self, parent: Parent, event: Event, count: u32) {
        self.comms.publish(&self.publisher, parent, event, count);
    }

    /// Queues a message of a frontend for a widget.
    pub fn post(&self, message: String) {
        let _ = self.letters.send(message);
    }

    /// Passes such a message on; runs on a separate thread.
    pub fn deliver(&self, message: String) {
        let remote = self.situation().remote.clone();
        if let Some(remote) = remote {
            remote.comm(message);
        }
    }

    /// Queues a cell.
    pub fn submit(&self, origin: Origin, request: ExecuteRequest) {
        let mut situation = self.situation();
        situation.cells += 1;
        if situation.waits.is_none() {
            situation.waits = origin.parent();
        }
        drop(situation);
        let _ = self.jobs.send(Job::Execute {
            origin,
            request,
            received: Instant::now(),
        });
    }

    /// The first cell that was queued: output while the engine starts is shown there.
    pub fn first_cell(&self) -> Parent {
        self.situation().waits.clone()
    }

    /// Asks the engine about code; `None` when it cannot answer in time.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Engine) -> T + Send + 'static,
    ) -> Option<T> {
        let (tell, told) = oneshot::channel();
        let _ = self.jobs.send(Job::Ask(Box::new(move |engine| {
            // The caller may have timed out while a long cell ran.
            if !tell.is_closed() {
                let _ = tell.send(question(engine));
            }
        })));
        let patience = {
            let situation = self.situation();
            match situation.cells > 0 || situation.remote.is_none() {
                true => BEHIND_A_CELL,
                false => UNDISTURBED,
            }
        };
        timeout(patience, told).await.ok()?.ok()
    }

    /// The engine is up: from now on it can be interrupted.
    pub fn engine_is_up(&self, remote: Arc<dyn Remote>) {
        self.situation().remote = Some(remote);
    }

    /// A cell's turn has come; returns whether it is to be run.
    pub fn begin_cell(&self, received: Instant) -> bool {
        let mut situation = self.situation();
        situation.running =
            !situation.stopping && situation.given_up.is_none_or(|at| received > at);
        situation.running
    }

    /// The cell is over; `give_up` cancels those that wait behind it.
    pub fn end_cell(&self, give_up: bool) {
        let mut situation = self.situation();
        situation.running = false;
        situation.cells = situation.cells.saturating_sub(1);
        if give_up {
            situation.given_up = Some(Instant::now());
        }
    }

    /// Cancels what waits; returns the running cell's remote, if there is one.
    pub fn interrupt(&self) -> Option<Arc<dyn Remote>> {
        self.stdin.cancel();
        let mut situation = self.situation();
        situation.given_up = Some(Instant::now());
        // The next cell may be waiting for a callback that does not end.
        if self.comms.are_answering()
            && let Some(remote) = &situation.remote
        {
            remote.interrupt_callbacks();
        }
        situation.remote.clone().filter(|_| situation.running)
    }

    /// Ends whatever runs and shuts the engine down.
    pub fn stop(&self, restart: bool) {
        let remote = {
            let mut situation = self.situation();
            situation.stopping = true;
            situation.remote.clone().filter(|_| situation.running)
        };
        self.stdin.cancel();
        self.publisher.release();
        if let Some(remote) = remote {
            remote.kill();
        }
        let _ = self.jobs.send(Job::Stop { restart });
    }

    fn situation(&self) -> MutexGuard<'_, Situation> {
        self.situation
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
