//! What the kernel's session asks of the library inside the user's process:
//! notice of panics, flushing what user code left unfinished on stdout, and a
//! form for values that have none of their own.

pub mod store;

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
///
/// Only with the feature `kernel`: a trait that could offer the method makes rustc suggest it, at
/// a line of the user's, and stock evcxr then takes the missing method for the user's mistake.
#[cfg(feature = "kernel")]
pub trait DebugDisplay {
    /// Prints the value as one of evcxr's content blocks.
    fn evcxr_display(&self);
}

#[cfg(feature = "kernel")]
impl<T: std::fmt::Debug + ?Sized> DebugDisplay for T {
    fn evcxr_display(&self) {
        show_debug(&self);
    }
}

/// Depends on no type, so that a cell does not compile it again: half of the time of rustc
/// for a small cell.
#[cfg(feature = "kernel")]
#[inline(never)]
fn show_debug(value: &dyn std::fmt::Debug) {
    // A content line that reads like evcxr's own end mark would end the block.
    let text = format!("{value:?}").replace("EVCXR_END_CONTENT", "EVCXR\u{200b}_END_CONTENT");
    let mut out = std::io::stdout().lock();
    // A closed stdout is the reader's business.
    let _ = write!(
        out,
        "EVCXR_BEGIN_CONTENT text/plain\n{text}\nEVCXR_END_CONTENT\n"
    )
    .and_then(|()| out.flush());
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
    let trace = backtrace();
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

/// The backtrace of here, as text.
///
/// It is named in a child process: std lists the loaded objects once in a process, when it first
/// names a frame, and would not know the functions of any cell that is loaded later.
#[cfg(unix)]
fn backtrace() -> String {
    let Ok((mut from, mut to)) = std::io::pipe() else {
        return String::new();
    };
    // SAFETY: the child allocates (which the C library allows it after a fork), reads files and
    // ends; where a lock was held by another thread it waits for ever, and is killed.
    match unsafe { libc::fork() } {
        -1 => String::new(),
        0 => {
            drop(from);
            let text = std::backtrace::Backtrace::force_capture().to_string();
            // Without a reader there is nobody to tell.
            let _ = to.write_all(text.as_bytes());
            // SAFETY: ends this process without running what belongs to the other.
            unsafe { libc::_exit(0) }
        }
        child => {
            drop(to);
            let text = read_for(&mut from, PATIENCE);
            // SAFETY: ends and awaits our own child; it may be gone already.
            unsafe {
                libc::kill(child, libc::SIGKILL);
                libc::waitpid(child, std::ptr::null_mut(), 0);
            }
            text
        }
    }
}

#[cfg(not(unix))]
fn backtrace() -> String {
    std::backtrace::Backtrace::force_capture().to_string()
}

/// How long the names of a backtrace may take.
#[cfg(unix)]
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// What comes out of a pipe until its end, or until the time is over.
#[cfg(unix)]
fn read_for(from: &mut std::io::PipeReader, patience: std::time::Duration) -> String {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let end = std::time::Instant::now() + patience;
    let mut text = Vec::new();
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        let mut poll = libc::pollfd {
            fd: from.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one valid pollfd for the whole call.
        let ready = unsafe { libc::poll(&mut poll, 1, left.as_millis() as libc::c_int) };
        let interrupted = std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted;
        if ready < 0 && interrupted {
            continue;
        }
        let mut piece = [0u8; 4096];
        match (ready > 0).then(|| from.read(&mut piece)) {
            Some(Ok(n)) if n > 0 => text.extend_from_slice(&piece[..n]),
            _ => return String::from_utf8_lossy(&text).into_owned(),
        }
    }
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

    /// Has a frame of its own, whatever the optimiser makes of the test.
    #[inline(never)]
    fn called_from_here() -> String {
        std::hint::black_box(backtrace())
    }

    #[test]
    fn a_backtrace_names_its_functions_and_the_child_that_names_them_ends() {
        // Symbols of this test's own binary are there without debug information.
        let text = called_from_here();
        assert!(text.contains("called_from_here"), "{text}");
    }

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
