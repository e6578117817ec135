//! The standard input of cells: a read asks the user for a line.

use crate::run::process::ordered::{self, Tag};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// True while a cell runs: only then can the user be prompted.
static MAY_ASK: AtomicBool = AtomicBool::new(false);
/// The thread that waits for an answer.
static WAITING: Mutex<Option<Sender<Option<String>>>> = Mutex::new(None);
/// The unread part of an answer.
static REST: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A cell begins or ends: discards its unread input.
pub fn may_ask(may: bool) {
    MAY_ASK.store(may, Ordering::SeqCst);
    *REST.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Passes the answer to the thread that waits for one; `None` if the user cannot be prompted.
pub fn answer(line: Option<String>) {
    let waiting = WAITING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(waiting) = waiting {
        // The thread may have been parked.
        let _ = waiting.send(line);
    }
}

fn ask() -> Option<Vec<u8>> {
    let (send, receive) = channel();
    *WAITING.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
    ordered::send(Tag::Ask, b"").ok()?;
    let line = receive.recv().ok()??;
    Some(format!("{line}\n").into_bytes())
}

/// Replaces libc's function for everything that is loaded into this program.
///
/// # Safety
/// As read(2).
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn read(fd: libc::c_int, bytes: *mut c_void, n: usize) -> isize {
    if fd != 0 || n == 0 || !MAY_ASK.load(Ordering::SeqCst) {
        // SAFETY: promised by the caller.
        return unsafe { libc::syscall(libc::SYS_read, fd, bytes, n) as isize };
    }
    let rest = REST.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut line) = rest.or_else(ask) else {
        return 0;
    };
    let left = line.split_off(n.min(line.len()));
    // SAFETY: at most `n` bytes, which the caller owns.
    unsafe { std::ptr::copy_nonoverlapping(line.as_ptr(), bytes.cast(), line.len()) };
    if !left.is_empty() {
        *REST.lock().unwrap_or_else(PoisonError::into_inner) = Some(left);
    }
    isize::try_from(line.len()).unwrap_or(0)
}
