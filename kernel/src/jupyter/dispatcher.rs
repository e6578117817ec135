//! Shell and control: every request gets a busy status, its answer, and an idle status.
//!
//! What needs no engine is answered at once, even while a cell runs; cells and questions about code go to the
//! engine's thread.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;

use super::engine::{Completeness, Completion};
use super::kernel::Kernel;
use super::sockets::iopub::State;
use super::sockets::router::Outbox;
use super::wire::connection::Connection;
use super::wire::content::{self, CodeRequest, CursorRequest, Request, ShutdownRequest};
use super::wire::message::{Frame, Message};
use super::wire::origin::Origin;
use crate::widgets::{self as comm, CONTROL_TARGET, CommKind, TARGET};

/// How long an interrupt may take before it is answered anyway.
const INTERRUPT: Duration = Duration::from_secs(5);

/// A channel's two ends.
pub struct Ends {
    pub inbox: UnboundedReceiver<Message>,
    pub outbox: Outbox,
}

/// Answers messages on shell and control.
pub struct Dispatcher {
    pub kernel: Arc<Kernel>,
    pub connection: Connection,
}

impl Dispatcher {
    /// Runs until a shutdown is requested; returns whether to restart.
    pub async fn run(&self, mut shell: Ends, mut control: Ends) -> bool {
        loop {
            let (message, outbox) = tokio::select! {
                biased;
                Some(message) = control.inbox.recv() => (message, &control.outbox),
                Some(message) = shell.inbox.recv() => (message, &shell.outbox),
                else => return false,
            };
            let origin = Origin::new(&message, outbox.clone());
            let buffers = message.buffers;
            match Request::parse(&message.header.msg_type, message.content) {
                Ok(Request::Shutdown(request)) => {
                    self.shutdown(&origin, &request).await;
                    return request.restart;
                }
                Ok(Request::Comm(kind, request)) => self.comm(&origin, kind, &request, &buffers),
                Ok(request) => self.handle(origin, request),
                Err(e) => self.refuse(&origin, &e),
            }
        }
    }

    fn handle(&self, origin: Origin, request: Request) {
        let answer = match request {
            Request::Execute(request) => return self.kernel.submit(origin, request),
            Request::Complete(request) => return self.complete(origin, request),
            Request::Inspect(request) => return self.inspect(origin, request),
            Request::IsComplete(request) => return self.is_complete(origin, request),
            Request::Interrupt => return self.interrupt(origin),
            Request::KernelInfo => Some(content::kernel_info_reply(&self.kernel.language.info)),
            Request::Connect => Some(Value::Object(self.connection.port_fields())),
            Request::History(request) => Some(self.kernel.history().reply(&request)),
            Request::CommInfo(request) => {
                Some(self.kernel.comms.info(request.target_name.as_deref()))
            }
            Request::Debug(request) => Some(content::debug_reply(&request)),
            Request::Comm(..) | Request::Unknown | Request::Shutdown(_) => None,
        };
        self.answer(&origin, answer);
    }

    /// Sends busy, the answer if there is one, and idle.
    fn answer(&self, origin: &Origin, answer: Option<Value>) {
        let publisher = &self.kernel.publisher;
        publisher.status(origin.parent(), State::Busy);
        if let Some(content) = answer {
            origin.reply(&self.kernel.wire, content);
        }
        publisher.status(origin.parent(), State::Idle);
    }

    /// Answers a request that cannot be parsed, if its type has an answer.
    fn refuse(&self, origin: &Origin, why: &serde_json::Error) {
        let msg_type = &origin.header.msg_type;
        eprintln!("holoscope: {msg_type} cannot be read: {why}");
        let refusal = msg_type
            .ends_with("_request")
            .then(|| content::error("InvalidRequest", &format!("{msg_type}: {why}")));
        self.answer(origin, refusal);
    }

    /// A message of a comm: those of models are for the user's process, which reports when they are
    /// answered; those of control comms are answered here, even while a cell runs.
    fn comm(&self, origin: &Origin, kind: CommKind, request: &comm::Request, buffers: &[Frame]) {
        let Kernel {
            publisher, comms, ..
        } = &*self.kernel;
        publisher.status(origin.parent(), State::Busy);
        let id = &request.comm_id;
        let (msg_id, message) = (&origin.header.msg_id, request.message(kind, buffers));
        let opens = kind == CommKind::Open;
        if opens && request.target_name == CONTROL_TARGET {
            comms.open_control(id);
        } else if !opens && comms.is_control(id, kind == CommKind::Close) {
            if request.data["method"] == "request_states" {
                publisher.comm_now(origin.parent(), comms.states(id));
            }
        } else if kind == CommKind::Message
            && request.data["method"] == "request_state"
            && let Some(state) = comms.state(id)
        {
            publisher.comm_now(origin.parent(), state);
        } else if (!opens || request.target_name == TARGET)
            && comms.expect(&message, msg_id, origin.parent())
        {
            return self.kernel.post(request.to_line(kind, msg_id, buffers));
        } else if kind != CommKind::Close {
            // The comm has no other end: it belongs to a kernel that has ended, or its target is not
            // supported.
            let content = json!({"comm_id": id, "data": {}});
            publisher.message(origin.parent(), "comm_close", content);
        }
        publisher.status(origin.parent(), State::Idle);
    }

    fn complete(&self, origin: Origin, request: CursorRequest) {
        let cursor = request.byte_offset();
        let code = request.code.clone();
        let kernel = self.kernel.clone();
        self.later(origin, async move {
            let found = kernel
                .ask(move |engine| engine.complete(&code, cursor))
                .await;
            let nothing = Completion {
                matches: Vec::new(),
                replaces: cursor..cursor,
            };
            content::complete_reply(&request, &found.unwrap_or(nothing))
        });
    }

    fn inspect(&self, origin: Origin, request: CursorRequest) {
        let kernel = self.kernel.clone();
        self.later(origin, async move {
            let cursor = request.byte_offset();
            let found = kernel
                .ask(move |engine| engine.inspect(&request.code, cursor, request.detail_level))
                .await;
            content::inspect_reply(found.flatten())
        });
    }

    fn is_complete(&self, origin: Origin, request: CodeRequest) {
        let is_complete = self.kernel.language.is_complete;
        self.later(origin, async move {
            // Away from the sockets: code may be long, and a parser may panic.
            let answer = tokio::task::spawn_blocking(move || is_complete(&request.code)).await;
            json!(answer.unwrap_or(Completeness::Unknown))
        });
    }

    fn interrupt(&self, origin: Origin) {
        let remote = self.kernel.interrupt();
        self.later(origin, async move {
            if let Some(remote) = remote {
                let done = tokio::task::spawn_blocking(move || remote.interrupt());
                let _ = timeout(INTERRUPT, done).await;
            }
            json!({"status": "ok"})
        });
    }

    /// Sends busy now, and the answer and idle once it is ready; other requests are handled meanwhile.
    fn later(&self, origin: Origin, answer: impl Future<Output = Value> + Send + 'static) {
        let kernel = self.kernel.clone();
        kernel.publisher.status(origin.parent(), State::Busy);
        tokio::spawn(async move {
            let content = answer.await;
            origin.reply(&kernel.wire, content);
            kernel.publisher.status(origin.parent(), State::Idle);
        });
    }

    async fn shutdown(&self, origin: &Origin, request: &ShutdownRequest) {
        let publisher = &self.kernel.publisher;
        publisher.status(origin.parent(), State::Busy);
        let content = json!({"status": "ok", "restart": request.restart});
        origin.reply_now(&self.kernel.wire, content.clone()).await;
        publisher.message(origin.parent(), "shutdown_reply", content);
        publisher.status(origin.parent(), State::Idle);
    }
}
