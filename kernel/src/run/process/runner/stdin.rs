//! The standard input of cells: who reads from it asks the user for a line.

use crate::run::process::ordered::{self, Tag};
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

/// True while a cell runs: only then can the user be asked.
static MAY_ASK: AtomicBool = AtomicBool::new(false);
/// Who waits for an answer.
static WAITING: Mutex<Option<Sender<Option<String>>>> = Mutex::new(None);
/// What of an answer has not been read yet.
static REST: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// A cell begins, or is over: what it left unread is not for the next one.
pub fn may_ask(may: bool) {
    MAY_ASK.store(may, Ordering::SeqCst);
    *REST.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Passes the answer to the thread that waits for one; none if the user cannot be asked.
pub fn answer(line: Option<String>) {
    let waiting = WAITING
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take();
    if let Some(waiting) = waiting {
        // It may have been parked.
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

/// Stands in the place of libc's function for all that is loaded into this program.
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
