//! The origin of a request, and the way to answer it.

use super::content::reply_type;
use super::message::{Frame, Header, Message, Wire};
use crate::jupyter::sockets::iopub::Parent;
use crate::jupyter::sockets::router::Outbox;
use serde_json::Value;
use std::sync::Arc;

/// A request to be answered: its header, its sender and its channel.
#[derive(Clone)]
pub struct Origin {
    pub header: Arc<Header>,
    pub identities: Vec<Frame>,
    outbox: Outbox,
}

impl Origin {
    /// The origin of a message; its answers go to `outbox`.
    pub fn new(message: &Message, outbox: Outbox) -> Origin {
        Origin {
            header: Arc::new(message.header.clone()),
            identities: message.identities.clone(),
            outbox,
        }
    }

    /// The parent that published messages name.
    pub fn parent(&self) -> Parent {
        Some(self.header.clone())
    }

    /// Answers the request.
    pub fn reply(&self, wire: &Wire, content: Value) {
        self.outbox.send(self.answer(wire, content));
    }

    /// Answers the request and waits until the answer is sent.
    pub async fn reply_now(&self, wire: &Wire, content: Value) {
        let _ = self.outbox.send_and_tell(self.answer(wire, content)).await;
    }

    fn answer(&self, wire: &Wire, content: Value) -> Message {
        wire.message(
            &reply_type(&self.header.msg_type),
            Some(&self.header),
            self.identities.clone(),
            content,
        )
    }
}
