//! The state from before a cell, kept so that a cell that kills its process
//! costs only its own work.
//!
//! Before a cell the runner forks. The copy shares every page until one of the
//! two writes to it, and waits: when the cell is over it goes away; when the
//! runner dies it goes on in its place, with every variable as it was.
//!
//! A fork copies one thread. While threads of others live (a thread pool, say) the
//! copy would hold their locks for ever, so then there is no copy: a state that
//! may hang is worse than none. See `kernel/README.md` for what that means.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// The copy that waits now, or 0.
static WAITING: AtomicI32 = AtomicI32::new(0);

/// What taking a snapshot gave.
pub enum Taken {
    /// The cell may run; the copy, if there is one, waits at the other end.
    Run(Option<Copy>),
    /// We are the copy, and the process that ran the cell is dead.
    Restored,
}

/// A waiting copy of this process.
pub struct Copy {
    pid: libc::pid_t,
    tell: PipeWriter,
}

impl Taken {
    /// The cell is over: the copy is not needed any more.
    pub fn discard(self) {
        let Taken::Run(Some(mut copy)) = self else {
            return;
        };
        WAITING.store(0, Ordering::SeqCst);
        // A failed write means the copy has exited.
        let _ = copy.tell.write_all(b"d");
        loop {
            // SAFETY: waits for our own child; no status is asked for.
            let pid = unsafe { libc::waitpid(copy.pid, std::ptr::null_mut(), 0) };
            let again = std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted;
            if pid >= 0 || !again {
                return;
            }
        }
    }
}

/// Copies this process where that is sound. `relay` becomes the copy's parent
/// when this process dies.
pub fn take(relay: libc::pid_t) -> Taken {
    if !alone() {
        return Taken::Run(None);
    }
    let Ok((hear, tell)) = std::io::pipe() else {
        return Taken::Run(None);
    };
    // SAFETY: the only other thread holds no lock, so the copy is whole.
    match unsafe { libc::fork() } {
        -1 => Taken::Run(None),
        0 => {
            drop(tell);
            wait(hear, relay)
        }
        pid => {
            WAITING.store(pid, Ordering::SeqCst);
            Taken::Run(Some(Copy { pid, tell }))
        }
    }
}

/// Ends the copy that waits: the cell that it was taken for will not end.
pub fn forget() {
    let pid = WAITING.swap(0, Ordering::SeqCst);
    if pid > 0 {
        // SAFETY: ends and awaits our own child.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

/// True when this process has no threads but this one and the one that looks after it. That one
/// waits meanwhile and holds no lock, and the copy starts another.
fn alone() -> bool {
    cfg!(target_os = "linux")
        && std::fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 2)
}

/// The copy waits; it returns when the process that runs the cell is dead.
fn wait(mut hear: PipeReader, relay: libc::pid_t) -> Taken {
    // SAFETY: sets and later restores this process' own disposition.
    let interrupt = unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    let mut byte = [0u8];
    match hear.read(&mut byte) {
        Ok(0) => {}
        // SAFETY: ends this process without running what belongs to the other.
        _ => unsafe { libc::_exit(0) },
    }
    // The pipe closes a moment before we become the relay's child.
    let adopted = (0..1000).any(|_| {
        // SAFETY: no arguments, no failure.
        let parent = unsafe { libc::getppid() };
        if parent != relay {
            std::thread::sleep(Duration::from_millis(1));
        }
        parent == relay
    });
    if !adopted {
        // The relay is gone too: the kernel has ended.
        // SAFETY: as above.
        unsafe { libc::_exit(0) };
    }
    crate::run::process::runtime::when_parent_dies(libc::SIGKILL);
    // SAFETY: as above.
    unsafe { libc::signal(libc::SIGINT, interrupt) };
    Taken::Restored
}
