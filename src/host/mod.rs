//! What the kernel's session asks of the library inside the user's process: the variables between
//! two cells, how a cell ends, notice of panics, and a form for values that have none of their own.
//!
//! The kernel loads the library, calls [`holoscope_start`] once, and then loads and calls cells,
//! whose generated code calls [`guard`], [`take`] and [`put`]. Without the kernel nothing here runs.

mod cell;
#[cfg(feature = "kernel")]
mod display;
mod panic;
mod store;

pub use cell::{CellError, Typed, check, guard, typed};
#[cfg(feature = "kernel")]
pub use display::DebugDisplay;
pub use store::{put, shared, take};

use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::ThreadId;

/// Takes a notice for the kernel: UTF-8 JSON.
type Tell = extern "C" fn(*const u8, usize);

static TELL: OnceLock<Tell> = OnceLock::new();

/// The thread that runs cells: the process' main one, until an interrupt parks a cell on it.
static CELLS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// Called by the kernel once, before the first cell and on the thread that runs cells. `tell` takes
/// notices from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_start(tell: Tell) {
    TELL.get_or_init(|| tell);
    holoscope_cells_run_here();
    std::panic::set_hook(Box::new(panic::report_panic));
    crate::show::leave_interrupts_to_the_kernel();
}

/// Called by the kernel on the thread that runs cells from now on.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_cells_run_here() {
    *CELLS.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
}

/// Called by the kernel while a cell runs: 0 where nobody has interrupted it, 1 where nothing hears
/// the interrupt, 2 where a loop of the library, or of the cell, does or will.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_interrupt() -> u8 {
    match crate::show::interrupt() {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 2,
    }
}

/// Called by the kernel on a new thread, when a cell has been parked: comes back if that cell holds
/// nothing that every other one needs (the locks of the streams and of the variables, memory).
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_probe() {
    let _ = std::io::stdout().lock().flush();
    let _ = std::io::stderr().lock().flush();
    let names = store::names();
    drop(names);
}

/// Called by the kernel after each cell: writes out what this library's stdout still buffers (the
/// process that loads cells has a standard library, and so a stdout, of its own), forgets an
/// interrupt that the cell has heard, and tells which variables there are.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_after_cell() {
    crate::show::forget_interrupt();
    // A closed stdout is the reader's business.
    let _ = std::io::stdout().flush();
    if TELL.get().is_some() {
        let variables = store::names();
        notify(&serde_json::json!({ "type": "variables", "names": variables }));
    }
}

/// Sends the kernel a notice, in order with what is written to stdout and stderr.
fn notify(notice: &serde_json::Value) {
    // Notices of two threads must not mix.
    static ONE: Mutex<()> = Mutex::new(());
    if let Some(tell) = TELL.get() {
        let text = notice.to_string();
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        tell(text.as_ptr(), text.len());
    }
}

fn is_cells_thread() -> bool {
    let cells = CELLS.lock().unwrap_or_else(PoisonError::into_inner);
    *cells == Some(std::thread::current().id())
}
