//! One stream for everything that a cell writes, so that stdout, stderr and displays
//! keep the order in which they were written.
//!
//! A reader of two pipes cannot restore their common order. So the process
//! that runs cells replaces libc's `write` with one that puts what goes to stdout
//! and stderr into a third pipe, as records. What does not pass through `write`
//! (C's `printf`, programs that a cell starts) still arrives by the two pipes. It
//! keeps its place, too: records are read first, so that it follows those that
//! were written before it, and `write` waits while such output is unread.
//!
//! A record is a tag, a length (u16, little endian) and its bytes, and at most
//! 4,096 bytes long: POSIX makes such a write atomic, so no lock is needed and
//! a signal handler may write too.

use std::os::fd::RawFd;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// The longest record: Linux's PIPE_BUF.
const RECORD: usize = 4096;
const HEADER: usize = 3;

/// The kind of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    Out = b'o',
    Err = b'e',
    /// Output came through the pipes of stdout and stderr, and waiting for it to be read timed out.
    Raw = b'w',
    /// A cell begins.
    Begin = b'b',
    /// The cell is over.
    Complete = b'c',
    /// The process with this id continues from the state before the cell.
    Restored = b'r',
    /// A part of a notice, and its last one.
    Part = b'p',
    Notice = b'n',
    /// The cell requests a line of input.
    Ask = b'a',
}

impl Tag {
    fn from_byte(byte: u8) -> Option<Tag> {
        [
            Tag::Out,
            Tag::Err,
            Tag::Raw,
            Tag::Begin,
            Tag::Complete,
            Tag::Restored,
            Tag::Part,
            Tag::Notice,
            Tag::Ask,
        ]
        .into_iter()
        .find(|&tag| tag as u8 == byte)
    }
}

/// The pipe that takes records; -1 in every process but the one that runs cells.
static PIPE: AtomicI32 = AtomicI32::new(-1);
/// Device and inode of stdout and stderr when cells began to run.
static ORIGINAL: [[AtomicU64; 2]; 2] = [const { [const { AtomicU64::new(0) }; 2] }; 2];

/// From now on stdout and stderr of this process go into `pipe`.
pub fn start(pipe: RawFd) {
    for (n, slot) in ORIGINAL.iter().enumerate() {
        let [device, inode] = identity(n as RawFd + 1).unwrap_or_default();
        slot[0].store(device, Ordering::SeqCst);
        slot[1].store(inode, Ordering::SeqCst);
    }
    PIPE.store(pipe, Ordering::SeqCst);
}

/// Writes a record.
pub fn send(tag: Tag, bytes: &[u8]) -> std::io::Result<()> {
    send_to(PIPE.load(Ordering::SeqCst), tag, bytes)
}

/// Writes a notice of the library, in as many records as it needs.
pub fn send_notice(mut bytes: &[u8]) -> std::io::Result<()> {
    while bytes.len() > RECORD - HEADER {
        let (part, rest) = bytes.split_at(RECORD - HEADER);
        send(Tag::Part, part)?;
        bytes = rest;
    }
    send(Tag::Notice, bytes)
}

fn send_to(pipe: RawFd, tag: Tag, bytes: &[u8]) -> std::io::Result<()> {
    let mut record = [0u8; RECORD];
    let mut chunks = bytes.chunks(RECORD - HEADER);
    let mut chunk = chunks.next().unwrap_or_default();
    loop {
        record[0] = tag as u8;
        // A chunk is shorter than a record, so this never truncates.
        record[1..HEADER].copy_from_slice(&(chunk.len() as u16).to_le_bytes());
        record[HEADER..HEADER + chunk.len()].copy_from_slice(chunk);
        write_all(pipe, &record[..HEADER + chunk.len()])?;
        match chunks.next() {
            Some(next) => chunk = next,
            None => return Ok(()),
        }
    }
}

fn write_all(fd: RawFd, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        let n = raw_write(fd, bytes.as_ptr(), bytes.len());
        match usize::try_from(n) {
            Ok(n) => bytes = &bytes[n..],
            Err(_) => {
                let error = std::io::Error::last_os_error();
                if error.kind() != std::io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

/// The system call itself, bypassing any replacement of libc's function.
fn raw_write(fd: RawFd, bytes: *const u8, n: usize) -> isize {
    #[cfg(target_os = "linux")]
    // SAFETY: write(2) checks its arguments; it reads `n` bytes at `bytes`, which the caller owns.
    let written = unsafe { libc::syscall(libc::SYS_write, fd, bytes, n) as isize };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: as above.
    let written = unsafe { libc::write(fd, bytes.cast(), n) };
    written
}

fn identity(fd: RawFd) -> Option<[u64; 2]> {
    // SAFETY: a zeroed `stat` is valid, and fstat fills it or fails.
    unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &mut stat) == 0).then_some([stat.st_dev as u64, stat.st_ino as u64])
    }
}

/// False once a cell has closed or redirected stdout or stderr.
pub fn is_original(fd: RawFd) -> bool {
    let slot = &ORIGINAL[usize::from(fd == 2)];
    identity(fd) == Some([0, 1].map(|n| slot[n].load(Ordering::SeqCst)))
}

/// Whether output in the pipes of stdout or stderr is unread.
#[cfg(target_os = "linux")]
fn is_unread() -> bool {
    [1, 2].into_iter().any(|fd| {
        let mut n: libc::c_int = 0;
        // SAFETY: FIONREAD writes an int, or fails for this descriptor.
        unsafe { libc::ioctl(fd, libc::FIONREAD, &mut n) == 0 && n > 0 }
    })
}

/// How many of the next writes do not wait, since a program fills the pipe faster than it is read.
#[cfg(target_os = "linux")]
static IMPATIENT: AtomicI32 = AtomicI32::new(0);

/// Waits, at most a tenth of a second, until output that bypasses the records has been read,
/// since it was written before what comes next. Signal handlers may call it, on their
/// small stack.
#[cfg(target_os = "linux")]
fn let_others_pass(pipe: RawFd) {
    if !is_unread() {
        return;
    }
    if IMPATIENT.load(Ordering::SeqCst) > 0 {
        IMPATIENT.fetch_sub(1, Ordering::SeqCst);
    } else {
        for _ in 0..1000 {
            let pause = libc::timespec {
                tv_sec: 0,
                tv_nsec: 100_000,
            };
            // SAFETY: reads a local; the remaining time is not requested.
            unsafe { libc::nanosleep(&pause, std::ptr::null_mut()) };
            if !is_unread() {
                return;
            }
        }
        IMPATIENT.store(100, Ordering::SeqCst);
    }
    // If this write fails, so will the next.
    let _ = write_all(pipe, &[Tag::Raw as u8, 0, 0]);
}

/// Replaces libc's function for everything that is loaded into this program.
///
/// # Safety
/// As write(2).
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: libc::c_int, bytes: *const libc::c_void, n: usize) -> isize {
    let pipe = PIPE.load(Ordering::SeqCst);
    let diverted = pipe >= 0 && (fd == 1 || fd == 2) && n > 0 && is_original(fd);
    if !diverted {
        return raw_write(fd, bytes.cast(), n);
    }
    let tag = if fd == 1 { Tag::Out } else { Tag::Err };
    let_others_pass(pipe);
    // SAFETY: promised by the caller, as for write(2).
    let bytes = unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), n) };
    match send_to(pipe, tag, bytes) {
        Ok(()) => n as isize,
        // errno is set by the system call.
        Err(_) => -1,
    }
}

/// Like [`write`].
///
/// # Safety
/// As writev(2).
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(
    fd: libc::c_int,
    parts: *const libc::iovec,
    n: libc::c_int,
) -> isize {
    if PIPE.load(Ordering::SeqCst) < 0 || (fd != 1 && fd != 2) {
        // SAFETY: promised by the caller.
        return unsafe { libc::syscall(libc::SYS_writev, fd, parts, n) as isize };
    }
    let mut total = 0;
    for i in 0..usize::try_from(n).unwrap_or(0) {
        // SAFETY: `parts` holds `n` parts, as promised by the caller.
        let written = unsafe {
            let part = &*parts.add(i);
            write(fd, part.iov_base, part.iov_len)
        };
        match written {
            _ if written < 0 && total > 0 => break,
            _ if written < 0 => return written,
            _ => total += written,
        }
    }
    total
}

/// Splits a stream into records, independently of how it was split into reads.
#[derive(Debug, Default)]
pub struct Records {
    rest: Vec<u8>,
}

impl Records {
    /// Adds bytes; returns every complete record's tag and bytes. Adjacent records of
    /// the same stream are joined.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<(Tag, Vec<u8>)> {
        self.rest.extend_from_slice(bytes);
        let mut records: Vec<(Tag, Vec<u8>)> = Vec::new();
        let mut at = 0;
        while let Some(header) = self.rest.get(at..at + HEADER) {
            let n = usize::from(u16::from_le_bytes([header[1], header[2]]));
            let tag = Tag::from_byte(header[0]);
            let Some(body) = self.rest.get(at + HEADER..at + HEADER + n) else {
                break;
            };
            at += HEADER + n;
            match (tag, records.last_mut()) {
                (Some(tag @ (Tag::Out | Tag::Err)), Some((last, text))) if *last == tag => {
                    text.extend_from_slice(body);
                }
                (Some(tag), _) => records.push((tag, body.to_vec())),
                // Only this program writes to the pipe; bytes of any other writer are skipped.
                (None, _) => {}
            }
        }
        self.rest.drain(..at);
        records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    proptest! {
        #[test]
        fn records_are_the_same_however_the_reads_fall(
            texts in proptest::collection::vec((any::<bool>(), "[a-z\n]{0,9000}"), 0..6),
            cut in 1usize..5000,
        ) {
            let (mut reader, writer) = std::io::pipe().unwrap();
            let expected = texts.clone();
            let sender = std::thread::spawn(move || {
                for (out, text) in &texts {
                    let tag = if *out { Tag::Out } else { Tag::Err };
                    send_to(writer.as_raw_fd(), tag, text.as_bytes()).unwrap();
                }
            });
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            sender.join().unwrap();
            let mut records = Records::default();
            let mut seen: Vec<(bool, u8)> = Vec::new();
            for chunk in bytes.chunks(cut) {
                for (tag, text) in records.push(chunk) {
                    seen.extend(text.iter().map(|&b| (tag == Tag::Out, b)));
                }
            }
            let want: Vec<(bool, u8)> = expected
                .iter()
                .flat_map(|(out, text)| text.bytes().map(|b| (*out, b)))
                .collect();
            prop_assert_eq!(seen, want);
        }
    }
}
