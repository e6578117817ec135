//! Notices to the kernel, and which thread runs cells.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

/// Receives a notice for the kernel: UTF-8 JSON.
pub(super) type Tell = extern "C" fn(*const u8, usize);

static TELL: OnceLock<Tell> = OnceLock::new();

/// The thread that runs cells: the process' main thread, until an interrupt parks a cell on it.
static CELLS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Sends notices to `tell` from now on; only the first call has an effect.
pub(super) fn begin(tell: Tell) {
    TELL.get_or_init(|| tell);
}

/// Whether a receiver of notices is registered.
pub(super) fn are_taken() -> bool {
    TELL.get().is_some()
}

/// Marks the calling thread as the one that runs cells from now on.
pub(super) fn cells_run_here() {
    *CELLS.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
}

/// Sends the kernel a notice, in order with what is written to stdout and stderr.
pub(super) fn notify(notice: &serde_json::Value) {
    // Notices of two threads must not interleave.
    static ONE: Mutex<()> = Mutex::new(());
    if let Some(tell) = TELL.get() {
        let text = notice.to_string();
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        tell(text.as_ptr(), text.len());
    }
}

pub(crate) fn is_cells_thread() -> bool {
    let cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
    *cells == Some(thread::current().id())
}
