//! The heartbeat: sends back what it gets, whatever the kernel is doing.

use zeromq::{RouterSocket, SocketRecv, SocketSend};

use super::bind;
use crate::jupyter::error::Result;
use crate::jupyter::wire::connection::{Channel, Connection};

/// Starts to echo.
///
/// A ROUTER rather than a REP: it answers several clients at once and cannot get stuck on one that vanished
/// between its ping and the answer.
pub async fn start(connection: &Connection) -> Result<()> {
    let mut socket: RouterSocket = bind(connection, Channel::Heartbeat).await?;
    tokio::spawn(async move {
        while let Ok(ping) = socket.recv().await {
            // A client that is gone needs no answer.
            let _ = socket.send(ping).await;
        }
    });
    Ok(())
}
