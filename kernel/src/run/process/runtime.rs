//! The processes that run user code, and what they say to each other.
//!
//! ```text
//! session ──control: one instruction a line──────────────────────> runner
//!    ^                                           relay <─records──── │
//!    └────── frames, one line each ──────────────┘  <─stdout, stderr─┘
//! ```
//!
//! The session starts us as its child, the relay, and the relay starts the runner.
//! The relay outlives whatever a cell does to the runner, and tells.

use serde::{Deserialize, Serialize};
use std::os::fd::RawFd;
use std::path::PathBuf;

/// The relay sets this for the runner: the pipe that takes records.
pub(super) const RECORDS_ENV: &str = "HOLOSCOPE_RECORDS";
/// The session sets this for the relay: the pipe that takes frames.
pub(super) const FRAMES_ENV: &str = "HOLOSCOPE_FRAMES";
/// The session sets this for the relay, which hands it on: the pipe of instructions.
pub(super) const CONTROL_ENV: &str = "HOLOSCOPE_CONTROL";
/// For the runner: the image to load before the first cell.
pub(super) const IMAGE_ENV: &str = "HOLOSCOPE_IMAGE_FILE";

/// What the session tells the runner, or answers it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// Load this object and call its function.
    Run { object: PathBuf, function: String },
    /// Drop these variables.
    Drop { names: Vec<String> },
    /// The user's answer; none if the user cannot be asked.
    Answer { line: Option<String> },
    /// A frontend's message for a widget: JSON that the library reads. It may come at any time.
    Comm { message: String },
}

/// A pipe that was handed down by number; what this process starts does not get it.
pub(super) fn inherited(name: &str) -> Option<RawFd> {
    let fd: RawFd = std::env::var(name).ok()?.parse().ok()?;
    // A cell may start this program, too.
    // SAFETY: `main` has not started a thread yet.
    unsafe { std::env::remove_var(name) };
    // SAFETY: sets a flag of a descriptor that our parent opened for us.
    unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    Some(fd)
}

/// Hands a descriptor down to the program that is about to be executed; for use
/// between fork and exec.
pub(super) fn hand_down(fd: RawFd) -> std::io::Result<()> {
    // SAFETY: an async-signal-safe call on a descriptor of our own.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Sends this process a signal when its parent dies, so that no kernel leaves user code behind.
pub(super) fn when_parent_dies(signal: i32) {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call that changes only this process.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, signal);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
}
