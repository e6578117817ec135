//! Panics as notices: the message, its source location, and the call stack.

use super::notices::{is_cells_thread, notify};
use serde_json::json;
use std::io::Write;
use std::panic::PanicHookInfo;

/// Sends a panic as one notice, which the kernel turns into a readable error.
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
    let notice = json!({
        "type": "panic",
        "message": message,
        "file": place.map(|p| p.file()),
        "line": place.map(|p| p.line()),
        "column": place.map(|p| p.column()),
        "thread": name,
        "callers": callers(),
    });
    // Flush first, so that earlier prints precede the report.
    flush_unless_locked();
    notify(&notice);
}

/// Flushes stdout, unless a thread holds it for longer than [`LOCKED`]: that thread may be printing
/// a value whose `Display` panics, or be waiting for the thread that panics.
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

/// After this long stdout is considered locked.
const LOCKED: std::time::Duration = std::time::Duration::from_millis(200);

/// The maximum number of callers recorded, counted from the innermost.
const FRAMES: usize = 256;

/// The callers of this function, innermost first: for each the path of the object that holds the
/// call, and the call's offset in that object. The kernel resolves the functions' names.
///
/// std could resolve them, but it lists the loaded objects only once per process, when it first
/// resolves a frame, and would miss the functions of a cell that is loaded later. It also holds a
/// lock meanwhile that blocks every other panic.
#[cfg(unix)]
fn callers() -> Vec<(String, u64)> {
    let mut addresses = [std::ptr::null_mut(); FRAMES];
    // SAFETY: `addresses` has room for as many pointers as requested.
    let found = unsafe { libc::backtrace(addresses.as_mut_ptr(), FRAMES as libc::c_int) };
    let found = usize::try_from(found).unwrap_or(0);
    addresses[..found]
        .iter()
        .filter_map(|&address| in_object(address.cast()))
        .collect()
}

#[cfg(not(unix))]
fn callers() -> Vec<(String, u64)> {
    Vec::new()
}

/// The object that holds the call which returns to `address`, and the call's offset in it.
#[cfg(unix)]
fn in_object(address: *const libc::c_void) -> Option<(String, u64)> {
    // The return address is that of the next instruction, which may belong to another line or
    // function.
    let call = address.wrapping_byte_sub(1);
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    // SAFETY: `dladdr` accepts any address, and fills `info` if it returns something other than 0.
    let info = unsafe {
        if libc::dladdr(call, info.as_mut_ptr()) == 0 {
            return None;
        }
        info.assume_init()
    };
    // SAFETY: the path of a loaded object is a C string that lives as long as the object is
    // loaded, and an object whose code is on the stack stays loaded.
    let path = unsafe { std::ffi::CStr::from_ptr(info.dli_fname) };
    let offset = call.addr() - info.dli_fbase.addr();
    Some((path.to_string_lossy().into_owned(), offset as u64))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn callers_are_offsets_in_loaded_objects() {
        let binary = std::env::current_exe().expect("the test has a path");
        let length = std::fs::metadata(&binary)
            .expect("the test is a file")
            .len();
        let callers = callers();
        let own: Vec<_> = callers
            .iter()
            .filter(|(path, _)| std::fs::canonicalize(path).is_ok_and(|path| path == binary))
            .collect();
        // This function and the test harness that calls it.
        assert!(own.len() > 2, "{callers:?}");
        assert!(own.iter().all(|(_, offset)| *offset < length), "{own:?}");
    }
}
