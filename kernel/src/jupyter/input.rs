//! Questions to the user: `input_request` out on stdin, `input_reply` back.
//!
//! At most one question is open, as at most one cell runs; an interrupt or a client that is gone cancels it.

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

/// A question that was not answered yet.
struct Question {
    msg_id: String,
    answer: Sender<String>,
}

impl Stdin {
    /// Starts to take answers from the channel.
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

    /// Asks whoever sent `origin`; `None` when the question was cancelled or could not be sent. Blocks.
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

    /// Gives up the open question.
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
        // Some clients do not say which question they answer.
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
