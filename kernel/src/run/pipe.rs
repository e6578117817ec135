//! Pipes: their size, waiting for several at once, and text that arrives in pieces.

use std::os::fd::RawFd;

/// Enlarges a pipe to a megabyte, where the system allows: a flood then needs fewer switches.
pub fn widen(fd: RawFd) {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a size; if the system refuses it, nothing changes.
    unsafe {
        libc::fcntl(fd, libc::F_SETPIPE_SZ, 1 << 20);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = fd;
}

/// Which of the descriptors become readable (or reach their end) within the timeout.
/// A negative descriptor is never ready; a negative timeout waits forever.
pub fn wait_readable<const N: usize>(
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
pub fn take_utf8(bytes: &mut Vec<u8>) -> Option<String> {
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
