//! The processes that run user code, and what they say to each other.
//!
//! ```text
//! session, evcxr ──stdin: LOAD_AND_RUN so fn──────────────────> runner
//!    ^      ^──── stdout: evcxr's own lines ──── relay <─records── │
//!    └─────────── frames, one line each ─────────┘  <─stdout, stderr┘
//! ```
//!
//! evcxr starts us as its child, the relay, and the relay starts the runner.
//! The relay outlives whatever a cell does to the runner, and tells.

use std::os::fd::RawFd;

/// evcxr sets this for the child that is to run user code.
pub(super) const IS_RUNTIME_ENV: &str = "EVCXR_IS_RUNTIME";
/// The relay sets this for the runner: the pipe that takes records.
pub(super) const RECORDS_ENV: &str = "HOLOSCOPE_RECORDS";
/// The session sets this for the relay: the pipe that takes frames.
pub(super) const FRAMES_ENV: &str = "HOLOSCOPE_FRAMES";

/// Becomes the relay or the runner, if we were started as one.
pub fn run_if_called_as_runtime() {
    if let Some(records) = inherited(RECORDS_ENV) {
        super::runner::run_cells(records);
    }
    if std::env::var_os(IS_RUNTIME_ENV).is_some() {
        std::process::exit(super::relay::relay(inherited(FRAMES_ENV)));
    }
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

/// Pipes of a megabyte, where the system allows: a flood then needs fewer switches.
pub(super) fn widen(fd: RawFd) {
    #[cfg(target_os = "linux")]
    // SAFETY: a size that the system may refuse, which changes nothing.
    unsafe {
        libc::fcntl(fd, libc::F_SETPIPE_SZ, 1 << 20);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = fd;
}

/// Which of the descriptors can be read (or are at their end), in time.
/// A negative descriptor is never ready; a negative timeout waits for ever.
pub(super) fn wait_readable<const N: usize>(
    fds: [RawFd; N],
    timeout_ms: i32,
) -> std::io::Result<[bool; N]> {
    let mut polls = fds.map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    loop {
        // SAFETY: `polls` is a valid array of N pollfd for the whole call.
        let n = unsafe { libc::poll(polls.as_mut_ptr(), N as libc::nfds_t, timeout_ms) };
        if n >= 0 {
            return Ok(polls.map(|p| p.revents != 0));
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Takes the longest prefix that is not cut inside a character.
pub(super) fn take_utf8(bytes: &mut Vec<u8>) -> Option<String> {
    let keep = match std::str::from_utf8(bytes) {
        Ok(_) => 0,
        // `error_len` is None when the input ends inside a character.
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        Err(_) => 0,
    };
    let rest = bytes.split_off(bytes.len() - keep);
    let text = String::from_utf8_lossy(bytes).into_owned();
    *bytes = rest;
    (!text.is_empty()).then_some(text)
}
