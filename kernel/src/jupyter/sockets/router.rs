//! Shell, control and stdin: verified messages in, signed messages out.
//!
//! One task reads and one writes, so that a client that does not read its answers blocks no request.

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use zeromq::{RouterRecvHalf, RouterSendHalf, RouterSocket, SocketRecv, SocketSend};

use super::{PATIENCE, bind, frames, zmq_message};
use crate::jupyter::error::Result;
use crate::jupyter::wire::connection::{Channel, Connection};
use crate::jupyter::wire::message::{Message, Wire};

/// The queue of a channel's answers; they are sent in order.
#[derive(Clone)]
pub struct Outbox(mpsc::UnboundedSender<Outgoing>);

struct Outgoing {
    message: Message,
    /// Receives whether the message was passed to its client.
    sent: Option<oneshot::Sender<bool>>,
}

impl Outbox {
    /// Queues a message; nothing happens when the kernel is shutting down.
    pub fn send(&self, message: Message) {
        let _ = self.0.send(Outgoing {
            message,
            sent: None,
        });
    }

    /// Queues a message; the receiver gets whether it was sent.
    pub fn send_and_tell(&self, message: Message) -> oneshot::Receiver<bool> {
        let (tell, told) = oneshot::channel();
        let _ = self.0.send(Outgoing {
            message,
            sent: Some(tell),
        });
        told
    }
}

/// Binds a channel; returns its verified messages and the queue for answers.
pub async fn start(
    connection: &Connection,
    channel: Channel,
    wire: &Wire,
) -> Result<(mpsc::UnboundedReceiver<Message>, Outbox)> {
    let socket: RouterSocket = bind(connection, channel).await?;
    let (writer, reader) = socket.split();
    let (inbox, messages) = mpsc::unbounded_channel();
    let (outbox, outgoing) = mpsc::unbounded_channel();
    tokio::spawn(read(reader, channel, wire.clone(), inbox));
    tokio::spawn(write(writer, channel, wire.clone(), outgoing));
    Ok((messages, Outbox(outbox)))
}

async fn read(
    mut socket: RouterRecvHalf,
    channel: Channel,
    wire: Wire,
    inbox: mpsc::UnboundedSender<Message>,
) {
    while let Ok(message) = socket.recv().await {
        match wire.decode(frames(message)) {
            Ok(message) => {
                if inbox.send(message).is_err() {
                    return;
                }
            }
            Err(why) => eprintln!(
                "holoscope: a message on {} was dropped: {why}",
                channel.name()
            ),
        }
    }
}

async fn write(
    mut socket: RouterSendHalf,
    channel: Channel,
    wire: Wire,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
) {
    while let Some(Outgoing { message, sent }) = outgoing.recv().await {
        let msg_type = message.header.msg_type.clone();
        let Some(message) = zmq_message(wire.encode(message)) else {
            continue;
        };
        let result = timeout(PATIENCE, socket.send(message)).await;
        let failure = match &result {
            Ok(Ok(())) => None,
            Ok(Err(e)) => Some(e.to_string()),
            Err(_) => Some("the client does not take it".to_owned()),
        };
        if let Some(why) = &failure {
            eprintln!(
                "holoscope: {msg_type} on {} was not sent: {why}",
                channel.name()
            );
        }
        if let Some(tell) = sent {
            let _ = tell.send(failure.is_none());
        }
    }
}
