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

use crate::error::{Error, Result};
use crate::run::output::frames::Frames;
use serde::{Deserialize, Serialize};
use std::ffi::{OsStr, OsString};
use std::io::{PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// evcxr sets this for the child that it takes for the one that runs user code.
const EVCXR_RUNTIME_ENV: &str = "EVCXR_IS_RUNTIME";
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
    /// What the user has answered; none where nobody can.
    Answer { line: Option<String> },
}

/// Becomes the relay or the runner, if we were started as one.
pub fn run_if_called_as_runtime() {
    if let Some(records) = inherited(RECORDS_ENV) {
        let control = inherited(CONTROL_ENV).unwrap_or(-1);
        super::runner::run_cells(records, control);
    }
    if let Some(frames) = inherited(FRAMES_ENV) {
        let control = inherited(CONTROL_ENV).unwrap_or(-1);
        std::process::exit(super::relay::relay(frames, control));
    }
    if std::env::var_os(EVCXR_RUNTIME_ENV).is_some() {
        run_nothing();
    }
}

/// Stands for the process in which evcxr, that only answers questions about code here, believes
/// its cells to run.
fn run_nothing() -> ! {
    for line in std::io::stdin().lines() {
        if line.is_err() {
            break;
        }
        println!("EVCXR_EXECUTION_COMPLETE");
    }
    std::process::exit(0)
}

/// A pipe that was handed down by number; what this process starts does not get it.
fn inherited(name: &str) -> Option<RawFd> {
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

/// The session's end: the relay, and the pipe of instructions.
pub struct Processes {
    relay: Child,
    control: PipeWriter,
}

impl Processes {
    /// Starts the relay, which starts the runner. `environment` gives user code the environment
    /// that its user knows.
    pub fn start(
        frames: &Frames,
        image: &Path,
        environment: &dyn Fn(&mut Command),
    ) -> Result<Self> {
        let exe = std::env::current_exe().map_err(Error::io("find", "the running program"))?;
        let (hear, control) = std::io::pipe().map_err(Error::io("create", "a pipe"))?;
        let (writer, reader) = (frames.writer(), hear.as_raw_fd());
        let mut command = Command::new(exe);
        command
            .env("HOLOSCOPE_KERNEL", env!("CARGO_PKG_VERSION"))
            .env(FRAMES_ENV, writer.to_string())
            .env(CONTROL_ENV, reader.to_string())
            .env(IMAGE_ENV, image)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        environment(&mut command);
        if let Some(folders) = std::env::var_os(LIBRARY_PATH) {
            match without_images(&folders) {
                none if none.is_empty() => command.env_remove(LIBRARY_PATH),
                some => command.env(LIBRARY_PATH, some),
            };
        }
        // SAFETY: async-signal-safe calls between fork and exec.
        unsafe {
            command.pre_exec(move || {
                hand_down(writer)?;
                hand_down(reader)
            });
        }
        let relay = command
            .spawn()
            .map_err(Error::io("start", "the process that runs cells"))?;
        Ok(Self { relay, control })
    }

    /// # Errors
    /// When the runner and the relay are gone.
    pub fn tell(&mut self, instruction: &Instruction) -> std::io::Result<()> {
        let mut line = serde_json::to_string(instruction)?;
        line.push('\n');
        self.control.write_all(line.as_bytes())
    }

    /// The relay's process.
    pub fn relay(&self) -> u32 {
        self.relay.id()
    }

    /// Ends what runs cells, and waits for it.
    pub fn end(&mut self) {
        super::processes::kill_below(self.relay.id());
        let _ = self.relay.kill();
        let _ = self.relay.wait();
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the system looks for libraries before it looks where a cell's object says.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// The folders without those that hold an image: cargo, where it runs us, puts its own first, and an
/// image of another build that lies there would be taken for the one that cells are linked with.
fn without_images(folders: &OsStr) -> OsString {
    let folders = std::env::split_paths(folders);
    let others = folders.filter(|folder| !folder.join(crate::image::layout::IMAGE_FILE).exists());
    // Split at the same character, they can be joined again.
    std::env::join_paths(others).unwrap_or_default()
}
