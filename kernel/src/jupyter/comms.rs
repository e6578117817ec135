//! Widgets on the wire: comm messages that wait for an answer, the requests that answers belong to,
//! and the states that frontends request.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};

use super::sockets::iopub::{Parent, Publisher, State};
use crate::run::output::event::Event;
use crate::widgets::{CommEvent, CommKind, CommMessage, Models};

/// The widgets of a kernel.
#[derive(Default)]
pub struct Comms(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    models: Models,
    /// The control comms that frontends have opened.
    controls: HashSet<String>,
    /// Unanswered messages of frontends, by their ids.
    waiting: HashMap<String, Parent>,
    /// The cells that opened the models; output of callbacks is shown there.
    cells: HashMap<String, Parent>,
    /// The cell of the widget whose callbacks run.
    current: Option<Parent>,
}

impl Comms {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes an event of the cell that `parent` requested, or of a callback.
    pub fn publish(&self, publisher: &Publisher, parent: Parent, event: Event, count: u32) {
        let published = self.inner().route(parent, event);
        // Not under the lock: a publisher with much output waits for clients.
        for (parent, event) in published {
            match event {
                Event::Comm(CommEvent::Message(message)) => publisher.comm(parent, message),
                Event::Comm(CommEvent::End { .. }) => publisher.status(parent, State::Idle),
                Event::Comm(_) => {}
                event => publisher.output(parent, event, count),
            }
        }
    }

    /// Whether callbacks are running outside a cell.
    pub fn are_answering(&self) -> bool {
        self.inner().current.is_some()
    }

    /// Registers a frontend's message for the user's process to answer; false if that process
    /// could not answer it.
    pub fn expect(&self, message: &CommMessage, msg_id: &str, parent: Parent) -> bool {
        let mut inner = self.inner();
        if message.kind == CommKind::Open {
            inner.models.apply(message);
        } else if !inner.models.has(&message.comm_id) {
            return false;
        }
        inner.waiting.insert(msg_id.to_owned(), parent);
        true
    }

    /// A frontend opens a control comm.
    pub fn open_control(&self, comm_id: &str) {
        self.inner().controls.insert(comm_id.to_owned());
    }

    /// Whether a comm is a control comm; closed if `ends`.
    pub fn is_control(&self, comm_id: &str, ends: bool) -> bool {
        let mut inner = self.inner();
        match ends {
            true => inner.controls.remove(comm_id),
            false => inner.controls.contains(comm_id),
        }
    }

    /// The states of all models, as a message of a control comm.
    pub fn states(&self, comm_id: &str) -> CommMessage {
        let (data, buffers) = self.inner().models.states();
        CommMessage {
            kind: CommKind::Message,
            comm_id: comm_id.to_owned(),
            target_name: String::new(),
            data,
            metadata: Map::new(),
            buffers,
            request: None,
        }
    }

    /// The state of a model, as the answer to `request_state`; `None` if there is no such model.
    pub fn state(&self, comm_id: &str) -> Option<CommMessage> {
        self.inner().models.state(comm_id)
    }

    /// The content of a `comm_info_reply`; `target` limits it to comms of that name.
    pub fn info(&self, target: Option<&str>) -> Value {
        let comms = match target {
            None | Some(crate::widgets::TARGET) => self.inner().models.info(),
            Some(_) => Map::new(),
        };
        json!({"status": "ok", "comms": comms})
    }
}

impl Inner {
    /// The events to publish, each with the request that it belongs to.
    fn route(&mut self, parent: Parent, event: Event) -> Vec<(Parent, Event)> {
        let mut published = Vec::new();
        for event in self.models.pass(event) {
            match &event {
                Event::Comm(comm) => self.comm(&parent, comm, &mut published),
                _ => published.push((self.current.clone().unwrap_or(parent.clone()), event)),
            }
        }
        published
    }

    fn comm(&mut self, parent: &Parent, event: &CommEvent, published: &mut Vec<(Parent, Event)>) {
        match event {
            CommEvent::Message(message) => {
                let request = message.request.as_ref();
                let asked = request.and_then(|id| self.waiting.get(id)).cloned();
                match message.kind {
                    CommKind::Open => {
                        let cell = self.current.clone().unwrap_or(parent.clone());
                        self.cells.insert(message.comm_id.clone(), cell);
                    }
                    CommKind::Close => drop(self.cells.remove(&message.comm_id)),
                    CommKind::Message => {}
                }
                let parent = asked.unwrap_or(parent.clone());
                published.push((parent, Event::Comm(event.clone())));
            }
            CommEvent::Begin { comm_id, .. } => {
                let cell = self.cells.get(comm_id).cloned();
                self.current = Some(cell.unwrap_or(parent.clone()));
            }
            CommEvent::End { requests } => {
                self.current = None;
                let ended = requests.iter().filter_map(|id| self.waiting.remove(id));
                published.extend(ended.map(|parent| (parent, idle())));
            }
            CommEvent::Known { ids } => {
                self.current = None;
                self.cells.retain(|id, _| ids.contains(id));
                let ended = self.waiting.drain();
                published.extend(ended.map(|(_, parent)| (parent, idle())));
            }
            CommEvent::Capture { .. } => {}
        }
    }
}

/// Represents the status that a message has been answered.
fn idle() -> Event {
    let requests = Vec::new();
    Event::Comm(CommEvent::End { requests })
}
