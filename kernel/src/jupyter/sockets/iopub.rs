//! IOPub: one task owns the socket, and everything that is published goes through its queue in order.
//!
//! Stream texts in the queue are joined; a cell that writes faster than clients read waits for them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use zeromq::{SocketRecv, SocketSend, XPubSocket};

use super::{bind, zmq_message};
use crate::jupyter::error::Result;
use crate::jupyter::outputs::Outputs;
use crate::jupyter::wire::connection::{Channel, Connection};
use crate::jupyter::wire::message::{Header, Message, Wire};
use crate::run::output::event::Event;
use crate::widgets::CommMessage;

/// The longest text of one `stream` message that joining produces.
const JOINED: usize = 64 * 1024;

/// How long a client may not take its outputs before some are dropped: long enough for a slow client, because
/// dropped outputs are lost from its notebook.
const PATIENCE: Duration = Duration::from_secs(30);

/// The limit after a wait has timed out.
const IMPATIENCE: Duration = Duration::from_millis(50);

/// How many bytes of outputs may be queued before a cell that writes must wait.
const WAITING: usize = 16 * 1024 * 1024;

/// The request that a published message belongs to; `None` for messages about the kernel itself.
pub type Parent = Option<Arc<Header>>;

/// What a kernel is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Starting,
    Busy,
    Idle,
}

enum Publication {
    Status {
        parent: Parent,
        state: State,
        /// Whether the request is a cell's; other requests may be answered while it runs.
        cell: bool,
    },
    Message {
        parent: Parent,
        msg_type: &'static str,
        content: Value,
    },
    Output {
        parent: Parent,
        event: Event,
        count: u32,
        size: usize,
    },
    Comm {
        parent: Parent,
        message: CommMessage,
        size: usize,
    },
    Flush(oneshot::Sender<()>),
}

/// A handle to the queue; calls never wait, except [`Publisher::output`].
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::UnboundedSender<Publication>,
    budget: Arc<Budget>,
}

impl Publisher {
    /// Publishes that a request is in progress or done.
    pub fn status(&self, parent: Parent, state: State) {
        self.push(Publication::Status {
            parent,
            state,
            cell: false,
        });
    }

    /// The same for a cell: until it is idle, other requests do not publish an idle kernel.
    pub fn cell_status(&self, parent: Parent, state: State) {
        self.push(Publication::Status {
            parent,
            state,
            cell: true,
        });
    }

    /// Publishes a message as it is.
    pub fn message(&self, parent: Parent, msg_type: &'static str, content: Value) {
        self.push(Publication::Message {
            parent,
            msg_type,
            content,
        });
    }

    /// Publishes a cell's output; waits while too much of it is queued. Not for async tasks.
    pub fn output(&self, parent: Parent, event: Event, count: u32) {
        if matches!(event, Event::Data { .. } | Event::Comm(_)) {
            // Not shown to users.
            return;
        }
        let size = size(&event);
        self.budget.take(size);
        self.push(Publication::Output {
            parent,
            event,
            count,
            size,
        });
    }

    /// Publishes a message of a widget; waits as [`Publisher::output`] does.
    pub fn comm(&self, parent: Parent, message: CommMessage) {
        let size = message.size();
        self.budget.take(size);
        self.push(Publication::Comm {
            parent,
            message,
            size,
        });
    }

    /// The same without waiting, for answers where nothing may wait.
    pub fn comm_now(&self, parent: Parent, message: CommMessage) {
        self.push(Publication::Comm {
            parent,
            message,
            size: 0,
        });
    }

    /// From now on [`Publisher::output`] does not wait: the kernel is about to exit.
    pub fn release(&self) {
        self.budget.release();
    }

    /// Waits until all that was published before was sent.
    pub async fn flush(&self) {
        let (tell, told) = oneshot::channel();
        self.push(Publication::Flush(tell));
        let _ = told.await;
    }

    fn push(&self, publication: Publication) {
        // The task ends only with the kernel.
        let _ = self.queue.send(publication);
    }
}

/// Binds IOPub and starts to publish, with `starting` as the first message.
pub async fn start(connection: &Connection, wire: &Wire) -> Result<Publisher> {
    let socket: XPubSocket = bind(connection, Channel::IoPub).await?;
    let (queue, publications) = mpsc::unbounded_channel();
    let budget = Arc::new(Budget::default());
    let task = Task {
        socket,
        wire: wire.clone(),
        publications,
        next: None,
        outputs: Outputs::default(),
        cell: None,
        stalled: false,
        budget: budget.clone(),
    };
    tokio::spawn(task.run());
    let publisher = Publisher { queue, budget };
    publisher.status(None, State::Starting);
    Ok(publisher)
}

struct Task {
    socket: XPubSocket,
    wire: Wire,
    publications: mpsc::UnboundedReceiver<Publication>,
    /// Taken from the queue while looking for texts to join.
    next: Option<Publication>,
    outputs: Outputs,
    /// The cell that runs.
    cell: Parent,
    /// Whether the last message was not taken in time.
    stalled: bool,
    budget: Arc<Budget>,
}

impl Task {
    async fn run(mut self) {
        loop {
            if let Some(publication) = self.next.take() {
                self.publish(publication).await;
                continue;
            }
            tokio::select! {
                // Subscribers first, so that they receive what is published next.
                biased;
                subscription = self.socket.recv() => if let Ok(frames) = subscription {
                    self.welcome(super::frames(frames)).await;
                },
                publication = self.publications.recv() => match publication {
                    Some(publication) => self.publish(publication).await,
                    None => return,
                },
            }
        }
    }

    async fn publish(&mut self, publication: Publication) {
        match publication {
            Publication::Status {
                parent,
                state,
                cell,
            } => self.status(parent, state, cell).await,
            Publication::Message {
                parent,
                msg_type,
                content,
            } => self.send(&parent, msg_type, content).await,
            Publication::Output {
                parent,
                mut event,
                count,
                mut size,
            } => {
                self.join(&parent, &mut event, &mut size);
                let owner = parent.as_ref().map(|p| p.msg_id.as_str());
                let (msg_type, content) = self.outputs.message(owner, event, count);
                self.send(&parent, msg_type, content).await;
                self.budget.give_back(size);
            }
            Publication::Comm {
                parent,
                message,
                size,
            } => {
                self.send_comm(&parent, message).await;
                self.budget.give_back(size);
            }
            Publication::Flush(tell) => {
                let _ = tell.send(());
            }
        }
    }

    async fn status(&mut self, parent: Parent, state: State, cell: bool) {
        let name = match state {
            State::Starting => "starting",
            State::Busy => "busy",
            State::Idle => "idle",
        };
        if cell {
            self.cell = parent.clone().filter(|_| state == State::Busy);
        }
        if cell && state == State::Idle {
            let owner = parent.as_ref().map(|p| p.msg_id.as_str());
            for (msg_type, content) in self.outputs.close(owner) {
                self.send(&parent, msg_type, content).await;
            }
        }
        self.send(&parent, "status", json!({"execution_state": name}))
            .await;
        // Frontends show the last state that they received, whichever request it belonged to.
        if state == State::Idle
            && let Some(cell) = self.cell.clone()
        {
            self.send(&Some(cell), "status", json!({"execution_state": "busy"}))
                .await;
        }
    }

    /// Appends the queued texts of the same stream.
    fn join(&mut self, of: &Parent, event: &mut Event, size: &mut usize) {
        let Event::Stream { name, text } = event else {
            return;
        };
        while text.len() < JOINED {
            match self.publications.try_recv() {
                Ok(Publication::Output {
                    parent,
                    event:
                        Event::Stream {
                            name: next_name,
                            text: next_text,
                        },
                    size: next_size,
                    ..
                }) if next_name == *name && same(&parent, of) => {
                    text.push_str(&next_text);
                    *size += next_size;
                }
                Ok(other) => {
                    self.next = Some(other);
                    return;
                }
                Err(_) => return,
            }
        }
    }

    /// Confirms a new subscription with the protocol's `iopub_welcome`.
    async fn welcome(&mut self, frames: Vec<Vec<u8>>) {
        if let Some([1, topic @ ..]) = frames.first().map(Vec::as_slice) {
            let subscription = String::from_utf8_lossy(topic).into_owned();
            self.send(
                &None,
                "iopub_welcome",
                json!({"subscription": subscription}),
            )
            .await;
        }
    }

    async fn send(&mut self, parent: &Parent, msg_type: &str, content: Value) {
        let topic = format!("kernel.{msg_type}").into_bytes();
        let message = self
            .wire
            .message(msg_type, parent.as_deref(), vec![topic], content);
        self.send_message(message).await;
    }

    async fn send_comm(&mut self, parent: &Parent, comm: CommMessage) {
        let msg_type = comm.kind.msg_type();
        let topic = format!("comm-{}", comm.comm_id).into_bytes();
        let content = comm.content();
        let mut message = self
            .wire
            .message(msg_type, parent.as_deref(), vec![topic], content);
        message.metadata = comm.metadata;
        message.buffers = comm.buffers;
        self.send_message(message).await;
    }

    async fn send_message(&mut self, message: Message) {
        let Some(message) = zmq_message(self.wire.encode(message)) else {
            return;
        };
        // A client that stopped reading must not stop the kernel: only the first wait is long.
        let patience = match self.stalled {
            true => IMPATIENCE,
            false => PATIENCE,
        };
        let taken = timeout(patience, self.socket.send(message)).await.is_ok();
        if !taken && !self.stalled {
            eprintln!("holoscope: a client does not read its outputs; some of them are dropped");
        }
        self.stalled = !taken;
    }
}

fn same(a: &Parent, b: &Parent) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.msg_id == b.msg_id,
        (None, None) => true,
        _ => false,
    }
}

/// About how much memory an event takes while it waits.
fn size(event: &Event) -> usize {
    let bundle = |data: &serde_json::Map<String, Value>| {
        data.values()
            .map(|v| v.as_str().map_or(1024, str::len))
            .sum::<usize>()
    };
    64 + match event {
        Event::Stream { text, .. } => text.len(),
        Event::Display { data, .. }
        | Event::UpdateDisplay { data, .. }
        | Event::ExecuteResult { data, .. } => bundle(data),
        _ => 0,
    }
}

/// How many bytes of outputs are queued; adding to a full queue waits.
#[derive(Default)]
struct Budget {
    used: Mutex<Used>,
    freed: Condvar,
}

#[derive(Default)]
struct Used {
    bytes: usize,
    unlimited: bool,
}

impl Budget {
    fn take(&self, size: usize) {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |used: &mut Used| used.bytes >= WAITING && !used.unlimited;
        let mut used = self
            .freed
            .wait_while(used, full)
            .unwrap_or_else(PoisonError::into_inner);
        used.bytes += size;
    }

    fn give_back(&self, size: usize) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.bytes = used.bytes.saturating_sub(size);
        self.freed.notify_all();
    }

    fn release(&self) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.unlimited = true;
        self.freed.notify_all();
    }
}
