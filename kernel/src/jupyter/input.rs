//! Questions to the user: `input_request` is sent on stdin, `input_reply` is received.
//!
//! At most one question is open, since at most one cell runs; an interrupt or a disconnected client cancels it.

use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, bounded};
use serde_json::json;
use tokio::sync::mpsc;

use super::engine::InputRequest;
use super::sockets::router::Outbox;
use super::wire::content::InputReply;
use super::wire::message::{Message, Wire};
use super::wire::origin::Origin;

/// The stdin channel.
#[derive(Clone)]
pub struct Stdin {
    wire: Wire,
    outbox: Outbox,
    open: Arc<Mutex<Option<Question>>>,
}

/// An unanswered question.
struct Question {
    msg_id: String,
    answer: Sender<String>,
}

impl Stdin {
    /// Starts to receive answers from the channel.
    pub fn start(wire: Wire, mut inbox: mpsc::UnboundedReceiver<Message>, outbox: Outbox) -> Stdin {
        let stdin = Stdin {
            wire,
            outbox,
            open: Arc::default(),
        };
        let taker = stdin.clone();
        tokio::spawn(async move {
            while let Some(message) = inbox.recv().await {
                taker.answer(message);
            }
        });
        stdin
    }

    /// Asks the client that sent `origin`; `None` when the question was cancelled or could not be sent. Blocks.
    pub fn ask(&self, origin: &Origin, request: &InputRequest) -> Option<String> {
        let (answer, answered) = bounded(1);
        let message = self.wire.message(
            "input_request",
            Some(&origin.header),
            origin.identities.clone(),
            json!(request),
        );
        *self.open() = Some(Question {
            msg_id: message.header.msg_id.clone(),
            answer,
        });
        if !self
            .outbox
            .send_and_tell(message)
            .blocking_recv()
            .unwrap_or(false)
        {
            self.cancel();
        }
        answered.recv().ok()
    }

    /// Cancels the open question.
    pub fn cancel(&self) {
        self.open().take();
    }

    fn answer(&self, message: Message) {
        if message.header.msg_type != "input_reply" {
            return;
        }
        let Ok(reply) = serde_json::from_value::<InputReply>(message.content) else {
            return;
        };
        let mut open = self.open();
        // Some clients do not state which question they answer.
        let matches = match (&*open, &message.parent) {
            (Some(question), Some(parent)) => question.msg_id == parent.msg_id,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if matches && let Some(question) = open.take() {
            let _ = question.answer.send(reply.value);
        }
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Option<Question>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
