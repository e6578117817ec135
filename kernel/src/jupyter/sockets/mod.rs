//! The five sockets, one file per kind; their messages are handled elsewhere.
//!
//! Shell, control and stdin are ROUTERs, IOPub is an XPUB, the heartbeat echoes what it receives.
//! Source: <https://jupyter-client.readthedocs.io/en/stable/messaging.html#introduction>.

pub mod heartbeat;
pub mod iopub;
pub mod router;

use std::time::Duration;

use zeromq::{Socket, ZmqMessage};

use super::error::{Error, Result};
use super::wire::connection::{Channel, Connection};
use super::wire::message::Frame;

/// How long a client may not take a message before it is dropped.
const PATIENCE: Duration = Duration::from_secs(10);

/// A socket listening at its channel's address.
async fn bind<S: Socket>(connection: &Connection, channel: Channel) -> Result<S> {
    let endpoint = connection.endpoint(channel);
    #[cfg(unix)]
    if let Some(path) = connection.ipc_path(channel) {
        // A socket file that refuses connections was left by a kernel that was killed.
        if path.exists() && std::os::unix::net::UnixStream::connect(&path).is_err() {
            let _ = std::fs::remove_file(&path);
        }
    }
    let mut socket = S::new();
    match socket.bind(&endpoint).await {
        Ok(_) => Ok(socket),
        Err(e) => Err(Error::Bind {
            channel: channel.name(),
            endpoint,
            reason: e.to_string(),
        }),
    }
}

fn frames(message: ZmqMessage) -> Vec<Frame> {
    message.into_vec().into_iter().map(Frame::from).collect()
}

/// The ZeroMQ message of some frames; `None` if there are none.
fn zmq_message(frames: Vec<Frame>) -> Option<ZmqMessage> {
    let mut frames = frames.into_iter();
    let mut message = ZmqMessage::from(frames.next()?);
    frames.for_each(|frame| message.push_back(frame.into()));
    Some(message)
}
