//! The state from before a cell, kept so that a cell that kills its process
//! costs only its own work.
//!
//! Before a cell the runner forks. The copy shares every page until one of the
//! two writes to it, and waits: when the cell is over it exits; when the
//! runner dies it takes over, with every variable as it was.
//!
//! A fork copies one thread. While other threads live (a thread pool, for example) the
//! copy would hold their locks forever, so then no copy is made: a state that
//! may hang is worse than none. See `kernel/README.md` for the consequences.

use std::io::{PipeReader, PipeWriter, Read, Write};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

/// The process id of the waiting copy, or 0.
static WAITING: AtomicI32 = AtomicI32::new(0);

/// The result of taking a snapshot.
pub enum Taken {
    /// The cell may run; the copy, if there is one, is waiting.
    Run(Option<Copy>),
    /// This is the copy, and the process that ran the cell is dead.
    Restored,
}

/// A waiting copy of this process.
pub struct Copy {
    pid: libc::pid_t,
    tell: PipeWriter,
}

impl Taken {
    /// The cell is over: ends the copy, which is no longer needed.
    pub fn discard(self) {
        let Taken::Run(Some(mut copy)) = self else {
            return;
        };
        WAITING.store(0, Ordering::SeqCst);
        // A failed write means the copy has exited.
        let _ = copy.tell.write_all(b"d");
        loop {
            // SAFETY: waits for our own child; its status is not requested.
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
    // SAFETY: the only other thread holds no lock, so the copy is consistent.
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

/// Kills the waiting copy: the cell that it was taken for will not end.
pub fn forget() {
    let pid = WAITING.swap(0, Ordering::SeqCst);
    if pid > 0 {
        // SAFETY: kills and awaits our own child.
        unsafe {
            libc::kill(pid, libc::SIGKILL);
            libc::waitpid(pid, std::ptr::null_mut(), 0);
        }
    }
}

/// True when this process has only this thread and the one that supervises it. The latter
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
        // SAFETY: ends this process without running the other's destructors.
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
