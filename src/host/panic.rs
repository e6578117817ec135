//! Panics as notices: what was said, where, and through which of the user's functions.

use super::notices::{is_cells_thread, notify};
use serde_json::json;
use std::io::Write;
use std::panic::PanicHookInfo;

/// A panic as one notice: the kernel makes an error of it that a person can read.
pub(super) fn report_panic(info: &PanicHookInfo<'_>) {
    let payload = info.payload();
    let message = payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is no text".to_owned());
    if crate::widgets::takes_panics() {
        return crate::widgets::note_panic(message);
    }
    let place = info.location();
    let thread = std::thread::current();
    let name = match is_cells_thread() {
        true => "main",
        false => thread.name().unwrap_or("unnamed"),
    };
    let trace = backtrace();
    let notice = json!({
        "type": "panic",
        "message": message,
        "file": place.map(|p| p.file()),
        "line": place.map(|p| p.line()),
        "column": place.map(|p| p.column()),
        "thread": name,
        "frames": users_functions(&trace),
    });
    // What was printed before stands before it.
    match is_cells_thread() {
        true => drop(std::io::stdout().flush()),
        false => flush_unless_locked(),
    }
    notify(&notice);
}

/// Flushes stdout, unless another thread holds it: that thread may be printing a value whose
/// `Display` waits for the one that panics.
fn flush_unless_locked() {
    let (done, flushed) = std::sync::mpsc::sync_channel(1);
    let flush = move || {
        let _ = std::io::stdout().flush();
        let _ = done.send(());
    };
    if std::thread::Builder::new().spawn(flush).is_ok() {
        let _ = flushed.recv_timeout(LOCKED);
    }
}

/// After this long stdout is taken to be locked.
const LOCKED: std::time::Duration = std::time::Duration::from_millis(200);

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
            // Fails only if the reader is gone.
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

/// The functions of a backtrace that the user wrote, innermost first: those of the crates that the
/// kernel makes of cells, named `c00012`, without the names of the crate and of its module. Of
/// inlined ones only the file, which is named like the crate, is known.
fn users_functions(trace: &str) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    let mut lines = trace.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((_, name)) = line.split_once(": ") else {
            continue;
        };
        let in_a_cell = lines.peek().is_some_and(|at| is_in_a_cells_file(at));
        let name = match within_a_cells_crate(name.trim()) {
            Some(name) => name,
            None if in_a_cell => name.trim(),
            None => continue,
        };
        if !name.starts_with("{closure") && names.last() != Some(&name) {
            names.push(name);
        }
    }
    names
}

/// `inner` of `c00012::p7::inner`.
fn within_a_cells_crate(name: &str) -> Option<&str> {
    let (krate, rest) = name.split_once("::")?;
    let number = krate.strip_prefix('c')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if number.len() < 5 || !is_number(number) {
        return None;
    }
    let (module, function) = rest.split_once("::")?;
    is_number(module.strip_prefix('p')?).then_some(function)
}

/// Whether a line ends in `/c00012.rs:3:9`.
fn is_in_a_cells_file(line: &str) -> bool {
    let Some(path) = line.trim_start().strip_prefix("at ") else {
        return false;
    };
    let file = path.rsplit('/').next().unwrap_or(path);
    let Some((name, _)) = file.split_once(".rs:") else {
        return false;
    };
    let number = name.strip_prefix('c').unwrap_or_default();
    number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit())
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
        let trace = "   0: holoscope::host::panic::report_panic\n   1: core::panicking::panic_fmt\n   \
                     2: c00003::p4::inner\n   3: short\n             at ./s/cells/c00003.rs:3:9\n   \
                     4: c00012::p9::outer\n             at ./s/cells/c00012.rs:9:9\n   \
                     5: {closure#0}\n             at ./s/cells/b00004.rs:9:9\n   \
                     6: ctx::cell_7::holoscope_cell_7::{{closure}}\n   7: std::panicking::catch_unwind\n             \
                     at /rust/src/panicking.rs:1:1\n";
        assert_eq!(users_functions(trace), ["inner", "short", "outer"]);
    }
}
