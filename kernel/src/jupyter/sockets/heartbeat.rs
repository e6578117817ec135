//! The heartbeat: echoes what it receives, whatever the kernel is doing.

use zeromq::{RouterSocket, SocketRecv, SocketSend};

use super::bind;
use crate::jupyter::error::Result;
use crate::jupyter::wire::connection::{Channel, Connection};

/// Starts to echo.
///
/// A ROUTER rather than a REP: it answers several clients at once and cannot block on one that disconnected
/// between its ping and the answer.
pub async fn start(connection: &Connection) -> Result<()> {
    let mut socket: RouterSocket = bind(connection, Channel::Heartbeat).await?;
    tokio::spawn(async move {
        while let Ok(ping) = socket.recv().await {
            // A disconnected client needs no answer.
            let _ = socket.send(ping).await;
        }
    });
    Ok(())
}
