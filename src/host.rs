//! What the kernel's session asks of the library inside the user's process:
//! notice of panics, flushing what user code left unfinished on stdout, and a
//! form for values that have none of their own.

use serde_json::json;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::thread::ThreadId;

/// Opens a line that the kernel reads as a notice of the library (see `show`).
const MARK: &str = "\u{1e}HOLOSCOPE ";

/// Called by the kernel once, before the first cell. Without the kernel it
/// does nothing.
pub fn start() {
    if std::env::var_os("HOLOSCOPE_KERNEL").is_none() {
        return;
    }
    CELLS.get_or_init(|| std::thread::current().id());
    std::panic::set_hook(Box::new(report_panic));
    // A loop that asks `show::interrupted` hears it in a process that has no reporter yet.
    crate::show::hear_interrupts();
}

/// The thread that runs cells. (It is the process' main one, but this standard
/// library did not start it and does not know its name.)
static CELLS: OnceLock<ThreadId> = OnceLock::new();

/// Shows a value by its `Debug` form where it has no `evcxr_display` of its own.
///
/// evcxr calls that method on a cell's last expression and, where there is none,
/// compiles the cell a second time. With this trait in scope there always is one;
/// an inherent method goes before a trait's.
pub trait DebugDisplay {
    /// Prints the value as one of evcxr's content blocks.
    fn evcxr_display(&self);
}

impl<T: std::fmt::Debug + ?Sized> DebugDisplay for T {
    fn evcxr_display(&self) {
        // A content line that reads like evcxr's own end mark would end the block.
        let text = format!("{self:?}").replace("EVCXR_END_CONTENT", "EVCXR\u{200b}_END_CONTENT");
        let mut out = std::io::stdout().lock();
        // A closed stdout is the reader's business.
        let _ = write!(
            out,
            "EVCXR_BEGIN_CONTENT text/plain\n{text}\nEVCXR_END_CONTENT\n"
        )
        .and_then(|()| out.flush());
    }
}

/// A panic as one notice: the kernel makes an error of it that a person can read.
fn report_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    let place = info.location();
    let thread = std::thread::current();
    let name = match CELLS.get() {
        Some(&cells) if cells == thread.id() => "main",
        _ => thread.name().unwrap_or("unnamed"),
    };
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let notice = json!({
        "type": "panic",
        "message": message,
        "file": place.map(|p| p.file()),
        "line": place.map(|p| p.line()),
        "thread": name,
        "frames": users_functions(&trace),
    });
    let mut out = std::io::stdout().lock();
    // The process may be dying: a lost notice must not become a second panic.
    let _ = writeln!(out, "{MARK}{notice}").and_then(|()| out.flush());
}

/// The functions of a backtrace that the user wrote, innermost first: those of the
/// crate `ctx`, as which cells are compiled, but for evcxr's own. Of inlined ones
/// only the file is known, which evcxr puts into a folder `cells`.
fn users_functions(trace: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut lines = trace.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.split_once(": ") else {
            continue;
        };
        let in_a_cell = lines.peek().is_some_and(|at| {
            at.trim_start().starts_with("at ") && at.contains("cells/src/lib.rs:")
        });
        let name = match name.trim().strip_prefix("ctx::") {
            Some(name) => name,
            None if in_a_cell => name.trim(),
            None => continue,
        };
        let evcxr = ["run_user_code_", "evcxr_", "{closure"];
        if !evcxr.iter().any(|prefix| name.starts_with(prefix)) && names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

/// Writes out what this library's stdout still buffers, and forgets an interrupt
/// that the cell has heard. The kernel calls it by name after each cell, because the
/// process that loads cells has a standard library, and so a stdout, of its own.
#[unsafe(no_mangle)]
pub extern "C" fn holoscope_after_cell() {
    crate::show::forget_interrupt();
    // A closed stdout is the reader's business.
    let _ = std::io::stdout().flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backtrace_is_cut_to_the_users_functions() {
        let trace = "   0: holoscope::host::report_panic\n   1: core::panicking::panic_fmt\n   \
                     2: ctx::inner\n   3: short\n             at ./s/cells/src/lib.rs:3:9\n   \
                     4: ctx::outer\n             at ./s/cells/src/lib.rs:9:9\n   \
                     5: {closure#0}\n             at ./s/cells/src/lib.rs:9:9\n   \
                     6: ctx::run_user_code_7::{{closure}}\n   7: std::panicking::catch_unwind\n             \
                     at /rust/src/panicking.rs:1:1\n";
        assert_eq!(users_functions(trace), ["inner", "short", "outer"]);
    }
}
