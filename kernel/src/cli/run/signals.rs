//! Signal handling of a headless run. SIGINT (Ctrl-C) interrupts the running cell, and a second
//! one ends the run at once; SIGTERM and SIGHUP end the cell. The results so far are then saved.

use super::super::terminal::say;
use crate::error::{Error, Result};
use crate::run::process::interrupt::Interrupter;
use crate::run::process::processes::{descendants, signal as send};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a run may take to save after a request to end.
const GRACE: Duration = Duration::from_secs(10);

/// The signals that have reached this run.
#[derive(Clone, Default)]
pub struct Signals(Arc<State>);

#[derive(Default)]
struct State {
    /// The first one, or 0.
    received: AtomicI32,
    cells: Mutex<Option<Arc<Interrupter>>>,
}

impl Signals {
    /// Handles signals from now on, except those that the parent process has set to be ignored
    /// (`nohup`, a shell's background jobs).
    pub fn listen() -> Result<Self> {
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter();
        let wanted: Vec<i32> = wanted.filter(|signal| !is_ignored(*signal)).collect();
        let mut arriving = signal_hook::iterator::Signals::new(wanted)
            .map_err(Error::io("listen to", "signals"))?;
        let signals = Self::default();
        let state = Arc::clone(&signals.0);
        std::thread::spawn(move || arriving.forever().for_each(|signal| state.take(signal)));
        Ok(signals)
    }

    /// From now on signals are delivered to these cells.
    pub fn reach(&self, cells: Arc<Interrupter>) {
        *lock(&self.0.cells) = Some(cells);
    }

    /// The signal that ends this run.
    pub fn received(&self) -> Option<i32> {
        Some(self.0.received.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
    }
}

impl State {
    fn take(&self, signal: i32) {
        let first = self
            .received
            .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        let cells = lock(&self.cells).clone();
        match cells {
            // Nothing has run yet.
            None => end(signal),
            Some(cells) if signal != SIGINT => {
                // Later signals arrive while the run is ending.
                std::thread::spawn(move || cells.end_cell());
                std::thread::spawn(move || {
                    std::thread::sleep(GRACE);
                    end(signal);
                });
            }
            Some(cells) if first => {
                std::thread::spawn(move || cells.interrupt(None));
                // Writing may block, and this thread must stay free for the next signal.
                std::thread::spawn(|| {
                    say("holoscope: interrupting the cell; Ctrl-C again ends the run at once");
                });
            }
            Some(_) => end(signal),
        }
    }
}

/// Kills this process and all its descendants. What was saved is on disk.
fn end(signal: i32) {
    for below in descendants(std::process::id(), 0) {
        send(below, libc::SIGKILL);
    }
    // SAFETY: ends this process; a file that is being written is renamed only once it is complete.
    unsafe { libc::_exit(status(signal)) }
}

/// The exit status of a run that a signal has ended, as in shells.
pub fn status(signal: i32) -> i32 {
    128 + signal
}

/// A signal's name.
pub fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("a signal")
}

fn is_ignored(signal: i32) -> bool {
    // SAFETY: reads a signal's disposition and changes none.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Interrupts a cell that exceeds the time limit.
pub struct Watch {
    /// Dropped when the cell is over.
    running: Sender<()>,
    interrupted: JoinHandle<bool>,
}

impl Watch {
    /// Watches the cell that has begun.
    pub fn begin(limit: Duration, cells: Arc<Interrupter>) -> Self {
        let cell = cells.current();
        let (running, over) = bounded(0);
        let interrupted = std::thread::spawn(move || {
            let full = over.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if full {
                cells.interrupt(Some(cell));
            }
            full
        });
        Self {
            running,
            interrupted,
        }
    }

    /// Ends the watch; returns whether the time limit was reached.
    pub fn end(self) -> bool {
        drop(self.running);
        self.interrupted.join().unwrap_or(false)
    }
}
