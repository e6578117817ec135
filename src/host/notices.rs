//! Notices to the kernel, and which thread runs cells.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

/// Takes a notice for the kernel: UTF-8 JSON.
pub(super) type Tell = extern "C" fn(*const u8, usize);

static TELL: OnceLock<Tell> = OnceLock::new();

/// The thread that runs cells: the process' main one, until an interrupt parks a cell on it.
static CELLS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Hands notices to `tell` from now on; the first call counts.
pub(super) fn begin(tell: Tell) {
    TELL.get_or_init(|| tell);
}

/// Whether anybody takes notices.
pub(super) fn are_taken() -> bool {
    TELL.get().is_some()
}

/// Cells run on the calling thread from now on.
pub(super) fn cells_run_here() {
    *CELLS.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread::current().id());
}

/// Sends the kernel a notice, in order with what is written to stdout and stderr.
pub(super) fn notify(notice: &serde_json::Value) {
    // Notices of two threads must not mix.
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
