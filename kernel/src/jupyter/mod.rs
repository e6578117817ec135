//! The Jupyter wire: a kernel for any [`Engine`], from its connection file to its last message.
//!
//! Five sockets, one dispatcher, one thread for the engine, and one task that owns IOPub and orders its messages.
//! Source: the Jupyter messaging protocol 5.4.

mod comms;
mod dispatcher;
pub mod engine;
mod error;
mod history;
mod input;
mod kernel;
mod outputs;
mod sockets;
mod wire;
mod worker;

#[cfg(test)]
mod echo;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use error::{Error, Result};

use dispatcher::{Dispatcher, Ends};
use engine::{Background, Engine, Language};
use history::History;
use input::Stdin;
use kernel::Kernel;
use sockets::{iopub, router};
use wire::connection::{Channel, Connection};
use wire::message::Wire;

/// How long the engine may take to shut down before the kernel exits without it.
const FAREWELL: Duration = Duration::from_secs(2);

/// Serves a kernel on the channels of `connection_file` until a client shuts it down.
///
/// `factory` starts the engine, on the engine's own thread; until it is up, `language` answers what it can, and
/// cells wait. If an engine cannot start, every cell of the kernel reports the reason. Cells are stored in the file
/// `history`, if there is one.
///
/// # Errors
/// When the connection file cannot be used or its addresses are in use.
pub fn serve<E: Display + 'static>(
    connection_file: &Path,
    language: Language,
    history: Option<&Path>,
    factory: impl FnOnce(Background) -> Result<Box<dyn Engine>, E> + Send + 'static,
) -> Result<()> {
    let connection = Connection::read(connection_file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Error::Thread {
            what: "the kernel's runtime",
            source,
        })?;
    let history = history.map_or_else(History::new, History::open);
    let served = runtime.block_on(run(&connection, language, history, factory));
    // Sockets close with their tasks; a task that hangs must not keep the kernel alive.
    runtime.shutdown_timeout(Duration::from_millis(500));
    for path in Channel::ALL.iter().filter_map(|&c| connection.ipc_path(c)) {
        let _ = std::fs::remove_file(path);
    }
    served
}

async fn run<E: Display + 'static>(
    connection: &Connection,
    language: Language,
    history: History,
    factory: impl FnOnce(Background) -> Result<Box<dyn Engine>, E> + Send + 'static,
) -> Result<()> {
    let wire = Wire::new(connection.scheme(), connection.key());
    sockets::heartbeat::start(connection).await?;
    let publisher = iopub::start(connection, &wire).await?;
    let (answers, questions) = router::start(connection, Channel::Stdin, &wire).await?;
    let stdin = Stdin::start(wire.clone(), answers, questions);
    let control = router::start(connection, Channel::Control, &wire).await?;
    let shell = router::start(connection, Channel::Shell, &wire).await?;

    let (jobs, queue) = crossbeam_channel::unbounded();
    let (letters, mail) = crossbeam_channel::unbounded();
    let kernel = Arc::new(Kernel::new(
        wire, language, publisher, stdin, jobs, letters, history,
    ));
    let (tell, mut gone) = tokio::sync::oneshot::channel::<()>();
    let worker_kernel = kernel.clone();
    std::thread::Builder::new()
        .name("engine".to_owned())
        // Dropping `tell` signals that the thread has ended, for whatever reason.
        .spawn(move || {
            let _tell = tell;
            worker::work(worker_kernel, queue, factory);
        })
        .map_err(|source| Error::Thread {
            what: "the engine's thread",
            source,
        })?;

    let carrier = kernel.clone();
    std::thread::Builder::new()
        .name("comms".to_owned())
        // On a separate thread: the receiving process may not read for a while.
        .spawn(move || mail.iter().for_each(|letter| carrier.deliver(letter)))
        .map_err(|source| Error::Thread {
            what: "the thread that passes on the messages of widgets",
            source,
        })?;

    let dispatcher = Dispatcher {
        kernel: kernel.clone(),
        connection: connection.clone(),
    };
    let ends = |(inbox, outbox)| Ends { inbox, outbox };
    let restart = tokio::select! {
        restart = dispatcher.run(ends(shell), ends(control)) => restart,
        () = orphaned() => false,
    };
    kernel.stop(restart);
    let _ = tokio::time::timeout(FAREWELL, &mut gone).await;
    let _ = tokio::time::timeout(FAREWELL, kernel.publisher.flush()).await;
    Ok(())
}

/// Waits until the process that started the kernel is gone, if that process requested this.
async fn orphaned() {
    // Jupyter sets this for kernels that are not to outlive it.
    if cfg!(unix) && std::env::var_os("JPY_PARENT_PID").is_some_and(|pid| !pid.is_empty()) {
        let parent = parent_id();
        while parent_id() == parent {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        eprintln!("holoscope: the process that started this kernel is gone; so is the kernel");
    } else {
        std::future::pending().await
    }
}

#[cfg(unix)]
fn parent_id() -> u32 {
    std::os::unix::process::parent_id()
}

#[cfg(not(unix))]
fn parent_id() -> u32 {
    0
}
