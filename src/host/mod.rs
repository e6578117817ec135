//! What the kernel's session uses of the library inside the user's process: the variables between
//! two cells, how a cell ends, notices of panics, and a default display for values without their own.
//!
//! The kernel loads the library, calls [`holoscope_start`] once, and then loads and calls cells,
//! whose generated code calls [`guard`], [`take`] and [`put`]. Without the kernel none of this runs.

mod cell;
#[cfg(feature = "kernel")]
mod display;
mod notices;
mod panic;
mod store;

pub use cell::{CellError, Typed, check, guard, typed};
#[cfg(feature = "kernel")]
pub use display::DebugDisplay;
pub use store::{put, shared, take};

pub(crate) use notices::is_cells_thread;

use notices::Tell;
use std::io::Write;

/// Called by the kernel once, before the first cell and on the thread that runs cells. `tell`
/// accepts notices from any thread.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_start(tell: Tell) {
    notices::begin(tell);
    holoscope_cells_run_here();
    std::panic::set_hook(Box::new(panic::report_panic));
    crate::show::leave_interrupts_to_the_kernel();
    crate::show::call_between_steps(crate::widgets::between_steps);
}

/// Called by the kernel on the thread that will run cells from now on.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_cells_run_here() {
    notices::cells_run_here();
}

/// Called by the kernel while a cell runs: 0 if it has not been interrupted, 1 if no loop
/// handles the interrupt, 2 if a loop of the library, or of the cell, does or will.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_interrupt() -> u8 {
    match crate::show::interrupt() {
        (false, _) => 0,
        (true, false) => 1,
        (true, true) => 2,
    }
}

/// Called by the kernel on a new thread, when a cell has been parked: returns if that cell holds
/// no lock that every other cell needs (those of the streams, the variables and the allocator).
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_probe() {
    let _ = std::io::stdout().lock().flush();
    let _ = std::io::stderr().lock().flush();
    let names = store::names();
    drop(names);
    crate::widgets::probe();
}

/// Called by the kernel, on any thread, when a frontend has sent a message to a widget.
///
/// # Safety
/// `json` is UTF-8 of this length.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn holoscope_comm(json: *const u8, length: usize) {
    // SAFETY: promised by the caller.
    let json = unsafe { std::slice::from_raw_parts(json, length) };
    crate::widgets::arrived(std::str::from_utf8(json).unwrap_or_default());
}

/// Called by the kernel on the thread that runs cells, while no cell runs: answers the messages of
/// widgets.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_answer_comms() {
    crate::show::forget_interrupt();
    crate::widgets::handle_waiting();
    crate::show::forget_interrupt();
}

/// Called by the kernel in a process that continues from the state before a cell.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_restored() {
    crate::widgets::restored();
}

/// Called by the kernel after each cell: flushes this library's stdout (the process that loads cells
/// has another copy of the standard library, and so another stdout), clears an interrupt that the
/// cell has handled, and reports the names of the variables.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_after_cell() {
    crate::show::forget_interrupt();
    // Ignored: stdout may be closed.
    let _ = std::io::stdout().flush();
    if notices::are_taken() {
        let variables = store::names();
        notices::notify(&serde_json::json!({ "type": "variables", "names": variables }));
    }
}
