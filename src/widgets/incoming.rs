//! What frontends send: messages wait here until the thread that runs cells takes them.
//!
//! Updates of one model that wait together are one change: each is echoed to the frontends, as the
//! protocol asks, and the callbacks are called once, with the last value.

use serde::Deserialize;
use serde_json::Value;
use std::cell::Cell;
use std::collections::VecDeque;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::model::{self, Widget, is_fixed};
use super::wire::{self, Patch};

/// A message of a frontend, as the kernel passes it on.
#[derive(Debug, Deserialize)]
struct Message {
    /// The message's id.
    request: String,
    comm_id: String,
    kind: MessageKind,
    #[serde(default)]
    data: Value,
    /// In Base64.
    #[serde(default)]
    buffers: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MessageKind {
    Open,
    Message,
    Close,
}

static WAITING: Mutex<VecDeque<Message>> = Mutex::new(VecDeque::new());

fn waiting() -> MutexGuard<'static, VecDeque<Message>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes a message of a frontend, from any thread; it is answered later.
pub(crate) fn arrived(json: &str) {
    match serde_json::from_str(json) {
        Ok(message) => waiting().push_back(message),
        Err(error) => eprintln!("a message of a widget cannot be read: {error}"),
    }
}

thread_local! {
    /// Whether this thread answers messages now: a callback's own loops must not answer others.
    static ANSWERING: Cell<bool> = const { Cell::new(false) };
}

/// Answers what waits, if this thread may: called between two steps of the library's loops.
pub(crate) fn between_steps() {
    if crate::host::is_cells_thread() && !ANSWERING.get() && !waiting().is_empty() {
        handle_waiting();
    }
}

/// Answers everything that waits.
pub(crate) fn handle_waiting() {
    if ANSWERING.replace(true) {
        return;
    }
    while let Some(batch) = next_batch() {
        // What was printed before stands before what callbacks show.
        let _ = std::io::stdout().flush();
        wire::begin(&batch.requests[0], &batch.comm_id);
        // Callbacks are caught on their own; a fault of ours must not end the process either.
        if catch_unwind(AssertUnwindSafe(|| batch.answer())).is_err() {
            eprintln!("a message of a widget could not be answered");
        }
        wire::answering(None);
        let _ = std::io::stdout().flush();
        wire::end(&batch.requests);
    }
    ANSWERING.set(false);
}

/// Messages of one model that are answered together.
struct Batch {
    comm_id: String,
    requests: Vec<String>,
    work: Work,
}

enum Work {
    /// Updates, each as it came.
    Update(Vec<Patch>),
    One(Message),
}

/// The message that came first, with the later updates of its model that nothing else stands between.
fn next_batch() -> Option<Batch> {
    let mut waiting = waiting();
    let first = waiting.pop_front()?;
    let (comm_id, mut requests) = (first.comm_id.clone(), vec![first.request.clone()]);
    let Some(patch) = first.update() else {
        let work = Work::One(first);
        return Some(Batch {
            comm_id,
            requests,
            work,
        });
    };
    let mut patches = vec![patch];
    let mut at = 0;
    while at < waiting.len() {
        if waiting[at].comm_id != comm_id {
            at += 1;
            continue;
        }
        let Some(patch) = waiting[at].update() else {
            break;
        };
        patches.push(patch);
        requests.extend(waiting.remove(at).map(|message| message.request));
    }
    Some(Batch {
        comm_id,
        requests,
        work: Work::Update(patches),
    })
}

impl Batch {
    fn answer(&self) {
        wire::answering(self.requests.first().map(String::as_str));
        let widget = model::find(&self.comm_id);
        match (&self.work, widget) {
            (Work::Update(patches), Some(widget)) => self.update(&widget, patches),
            (Work::One(message), Some(widget)) => message.answer(&widget),
            (Work::One(message), None) => message.adopt(),
            // The model was closed while the message was on its way.
            (Work::Update(_), None) => {}
        }
    }

    fn update(&self, widget: &Widget, patches: &[Patch]) {
        let mut changed = Patch::default();
        for (patch, request) in patches.iter().zip(&self.requests) {
            let patch = &without_fixed(patch);
            wire::answering(Some(request));
            wire::update(widget.id(), "echo_update", patch);
            let now = widget.take(patch);
            changed.state.extend(now.state);
            changed.buffers.extend(now.buffers);
        }
        widget.tell_observers(&changed);
    }
}

/// A patch without the keys that no frontend may change: other frontends must not hear of them.
fn without_fixed(patch: &Patch) -> Patch {
    let mut patch = patch.clone();
    patch.state.retain(|key, _| !is_fixed(key));
    patch.buffers.retain(|key, _| !is_fixed(key));
    patch
}

impl Message {
    fn method(&self) -> &str {
        self.data["method"].as_str().unwrap_or_default()
    }

    /// The state of an `update`.
    fn update(&self) -> Option<Patch> {
        (self.kind == MessageKind::Message && self.method() == "update").then(|| self.patch())
    }

    /// `state`, with the buffers at their places in it.
    fn patch(&self) -> Patch {
        let state = self.data["state"].as_object().cloned().unwrap_or_default();
        let paths = self.data["buffer_paths"].as_array();
        let keys = paths.into_iter().flatten().map(|path| match path[1] {
            Value::Null => path[0].as_str(),
            // Buffers deeper in the state: no model here has one.
            _ => None,
        });
        let buffers = keys.zip(self.bytes());
        let buffers = buffers.filter_map(|(key, bytes)| Some((key?.to_owned(), bytes)));
        Patch {
            state,
            buffers: buffers.collect(),
        }
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        let decoded = self.buffers.iter().map(|text| wire::decoded(text));
        decoded.map(Option::unwrap_or_default).collect()
    }

    /// Answers a message that is no update.
    fn answer(&self, widget: &Widget) {
        match (self.kind, self.method()) {
            (MessageKind::Close, _) => widget.close(),
            (_, "custom") => widget.tell_listeners(&self.data["content"], &self.bytes()),
            _ => {}
        }
    }

    /// A model that a frontend has made (the layout of a control that a page has made, say) is kept,
    /// so that other frontends can ask for it.
    fn adopt(&self) {
        if self.kind == MessageKind::Open {
            model::adopt(&self.comm_id, self.patch());
        }
    }
}
