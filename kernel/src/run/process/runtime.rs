//! The processes that run user code, and the messages between them.
//!
//! ```text
//! session ──control: one instruction a line──────────────────────> runner
//!    ^                                           relay <─records──── │
//!    └────── frames, one line each ──────────────┘  <─stdout, stderr─┘
//! ```
//!
//! The session starts this program as its child, the relay, and the relay starts the runner.
//! The relay outlives whatever a cell does to the runner, and reports it.

use serde::{Deserialize, Serialize};
use std::os::fd::RawFd;
use std::path::PathBuf;

/// The relay sets this for the runner: the pipe that takes records.
pub(super) const RECORDS_ENV: &str = "HOLOSCOPE_RECORDS";
/// The session sets this for the relay: the pipe that takes frames.
pub(super) const FRAMES_ENV: &str = "HOLOSCOPE_FRAMES";
/// The session sets this for the relay, which passes it on: the pipe of instructions.
pub(super) const CONTROL_ENV: &str = "HOLOSCOPE_CONTROL";
/// For the runner: the image to load before the first cell.
pub(super) const IMAGE_ENV: &str = "HOLOSCOPE_IMAGE_FILE";

/// An instruction or a reply from the session to the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// Load this object and call its function.
    Run { object: PathBuf, function: String },
    /// Drop these variables.
    Drop { names: Vec<String> },
    /// The user's answer; `None` if the user cannot be prompted.
    Answer { line: Option<String> },
    /// A frontend's message for a widget: JSON that the library reads. It may come at any time.
    Comm { message: String },
}

/// A pipe that was inherited by number; child processes of this one do not inherit it.
pub(super) fn inherited(name: &str) -> Option<RawFd> {
    let fd: RawFd = std::env::var(name).ok()?.parse().ok()?;
    // A cell may start this program, too, which must not find the variable.
    // SAFETY: `main` has not started a thread yet.
    unsafe { std::env::remove_var(name) };
    // SAFETY: sets a flag of a descriptor that our parent opened for us.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Some(fd)
}

/// Lets the program that is about to be executed inherit a descriptor; for use
/// between fork and exec.
pub(super) fn hand_down(fd: RawFd) -> std::io::Result<()> {
    // SAFETY: an async-signal-safe call on a descriptor of our own.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Sends this process a signal when its parent dies, so that user code never outlives its kernel.
pub(super) fn when_parent_dies(signal: i32) {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call that changes only this process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
}
