//! A download that can be resumed and is checked before anyone sees it.
//!
//! Bytes go to `NAME.part`; once complete and of the right SHA-256 it is renamed to `NAME`.
//! Who downloads a file holds a lock on `NAME.lock`; others wait and then find the file there.
//! Resuming: HTTP range requests, RFC 9110 section 14.

use super::super::digest::hex;
use crate::error::{Error, Result};
use crate::progress::{Progress, Reporter};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;
use ureq::config::RedirectAuthHeaders;

/// An unreachable network must be noticed in seconds: the embedded corpus waits.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence of a server that has answered.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);
/// No corpus of ours is near this; a server that sends more is not ours.
const LARGEST_BYTES: u64 = 1 << 32;
/// How often a silent network is left to look for an interrupt.
const LOOK: Duration = Duration::from_millis(50);
const INTERRUPTED: &str = "interrupted; the next attempt continues from here";

/// Downloads `url` to `path`, checking its SHA-256 unless `sha256` is empty.
///
/// A download that was cut short continues where it stopped if the server allows
/// it, else starts over; without a digest to check it always starts over, since two
/// versions of the file could be joined. Progress is reported in bytes.
///
/// # Errors
/// [`Error::Download`] for anything the network does, [`Error::Digest`] for a file
/// of another digest (it is removed), [`Error::Io`] for the disk.
pub fn download_verified(
    url: &str,
    path: &Path,
    sha256: &str,
    label: &str,
    reporter: &mut dyn Reporter,
) -> Result<()> {
    let source = Source {
        url,
        token: None,
        largest: LARGEST_BYTES,
    };
    download_from(&source, path, sha256, label, reporter)
}

/// Where a file comes from.
pub(in crate::data) struct Source<'a> {
    pub(in crate::data) url: &'a str,
    /// Sent to the host of `url`, and to no other that it redirects to.
    pub(in crate::data) token: Option<&'a str>,
    /// Bytes of the largest file that is taken.
    pub(in crate::data) largest: u64,
}

/// [`download_verified`] from a source that may ask who is there.
///
/// # Errors
/// Those of [`download_verified`].
pub(in crate::data) fn download_from(
    source: &Source,
    path: &Path,
    sha256: &str,
    label: &str,
    reporter: &mut dyn Reporter,
) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
    }
    let there = path.exists();
    let _turn = Turn::take(path, label, reporter)?;
    // Somebody else may have brought it meanwhile.
    if !there && path.exists() && (sha256.is_empty() || digest_matches(path, sha256)?) {
        return Ok(());
    }
    let part = part_path(path);
    if sha256.is_empty() {
        remove(&part)?;
    }
    let resumed = part_len(&part) > 0;
    if !(resumed && digest_matches(&part, sha256)?) {
        fetch(source, &part, label, reporter)?;
        if !sha256.is_empty() && !digest_matches(&part, sha256)? {
            if resumed {
                // The beginning came from an earlier attempt and may be what is wrong.
                remove(&part)?;
                fetch(source, &part, label, reporter)?;
            }
            let found = file_digest(&part)?;
            if !found.eq_ignore_ascii_case(sha256) {
                remove(&part)?;
                return Err(Error::Digest {
                    path: path.to_owned(),
                    expected: sha256.to_owned(),
                    found,
                });
            }
        }
    }
    std::fs::rename(&part, path).map_err(Error::io("rename the download to", path))
}

/// `NAME.part` beside `NAME`.
fn part_path(path: &Path) -> PathBuf {
    beside(path, ".part")
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// The right to write the file `NAME` and its part: a lock on `NAME.lock`, which is removed when it
/// ends. The hub's cache uses the same name for it (`blobs/ETAG.lock`).
pub(in crate::data) struct Turn {
    path: PathBuf,
    _lock: File,
}

impl Turn {
    /// Waits until no other process (or thread) downloads the same file.
    pub(in crate::data) fn take(
        of: &Path,
        label: &str,
        reporter: &mut dyn Reporter,
    ) -> Result<Self> {
        let path = beside(of, ".lock");
        let waiting = Progress::new(
            reporter,
            &format!("wait for the download of {label}"),
            "B",
            0,
        );
        loop {
            let lock = match File::create(&path) {
                // Of another user, whose process ended without removing it.
                Err(error) if error.kind() == ErrorKind::PermissionDenied && path.exists() => {
                    File::open(&path)
                }
                created => created,
            };
            let lock = lock.map_err(Error::io("create", &path))?;
            match lock.try_lock() {
                // Not a file that its former owner has just removed.
                Ok(()) if is_at(&lock, &path) => return Ok(Self { path, _lock: lock }),
                Ok(()) => {}
                // Of a file system that has no locks.
                Err(TryLockError::Error(error)) if knows_no_locks(&error) => {
                    return Ok(Self { path, _lock: lock });
                }
                Err(TryLockError::WouldBlock) if waiting.interrupted() => {
                    return Err(Error::Interrupted { what: "download" });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
                Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Before the lock goes; one that cannot be removed locks nothing.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn knows_no_locks(error: &std::io::Error) -> bool {
    let none = [libc::ENOSYS, libc::ENOTSUP, libc::EOPNOTSUPP, libc::ENOLCK];
    error
        .raw_os_error()
        .is_some_and(|code| none.contains(&code))
}

/// Whether `path` still names this file.
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(own), Ok(named)) => (own.dev(), own.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Requests what `part` still lacks and appends it.
fn fetch(source: &Source, part: &Path, label: &str, reporter: &mut dyn Reporter) -> Result<()> {
    let failed = |reason: String| Error::Download {
        url: source.url.to_owned(),
        reason,
    };
    let label = format!("download {label}");
    // A loop begins, and shows nothing before there is an answer.
    let waiting = Progress::new(reporter, &label, "B", 0);
    let (response, have) = request_rest(source, part, &|| waiting.interrupted())?;
    let length = header(&response, "content-length").and_then(|v| v.parse::<u64>().ok());
    let total = length.map_or(0, |n| n.saturating_add(have));
    if total > source.largest {
        return Err(failed(format!("the server announces {total} bytes")));
    }
    let file = OpenOptions::new()
        .create(true)
        .write(true)
        .append(have > 0)
        .truncate(have == 0)
        .open(part)
        .map_err(Error::io("write", part))?;
    let mut progress = Progress::new(reporter, &label, "B", total);
    let largest = source.largest;
    let mut received = Received {
        file,
        part,
        have,
        largest,
    };
    let end = received.all_of(response, &mut progress)?;
    progress.finish();
    received.file.sync_all().map_err(Error::io("write", part))?;
    end.map_err(&failed)?;
    let have = received.have;
    if total > 0 && have < total {
        return Err(failed(format!(
            "the connection closed after {have} of {total} bytes; the next attempt continues from there"
        )));
    }
    Ok(())
}

/// The server's answer and how many bytes of `part` it continues; 0: it starts over.
fn request_rest(source: &Source, part: &Path, stop: &dyn Fn() -> bool) -> Result<(Response, u64)> {
    let failed = |reason: String| Error::Download {
        url: source.url.to_owned(),
        reason,
    };
    let mut have = part_len(part);
    let mut response = request(source, have, stop).map_err(&failed)?;
    if response.status() == 416 {
        // The part is at least as long as the file: nothing of it can be trusted.
        remove(part)?;
        have = 0;
        response = request(source, 0, stop).map_err(&failed)?;
    }
    match response.status().as_u16() {
        206 if range_start(&response) == Some(have) => Ok((response, have)),
        200 => Ok((response, 0)),
        206 => Err(failed(
            "the server sent another range than was asked for".into(),
        )),
        status => Err(failed(format!("the server answered with status {status}"))),
    }
}

/// A file that grows.
struct Received<'p> {
    file: File,
    part: &'p Path,
    /// Bytes in it.
    have: u64,
    /// Bytes that it may have.
    largest: u64,
}

impl Received<'_> {
    /// Appends the body; the inner result is how the transfer ended, the outer one the disk's.
    fn all_of(
        &mut self,
        response: Response,
        progress: &mut Progress,
    ) -> Result<Result<(), String>> {
        let body = response.into_body().into_with_config();
        let chunks = chunks(body.limit(self.largest.saturating_add(1)).reader());
        loop {
            match next(&chunks, &|| progress.interrupted()) {
                Ok(None) => return Ok(Ok(())),
                Ok(Some(Ok(bytes))) => {
                    let written = self.file.write_all(&bytes);
                    written.map_err(Error::io("write", self.part))?;
                    self.have += bytes.len() as u64;
                    progress.update(self.have, &[]);
                }
                Ok(Some(Err(e))) => {
                    let have = self.have;
                    return Ok(Err(format!("the connection broke after {have} bytes: {e}")));
                }
                Err(interrupted) => return Ok(Err(interrupted)),
            }
        }
    }
}

/// What a reader gives, read on a thread of its own, which ends when the receiver is dropped. The
/// channel closes at the reader's end.
fn chunks(mut reader: impl Read + Send + 'static) -> Receiver<std::io::Result<Vec<u8>>> {
    let (send, chunks) = sync_channel(4);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let chunk = match reader.read(&mut buffer) {
                Ok(0) => return,
                Ok(n) => Ok(buffer[..n].to_vec()),
                Err(e) => Err(e),
            };
            let ends = chunk.is_err();
            if send.send(chunk).is_err() || ends {
                return;
            }
        }
    });
    chunks
}

/// The next thing from a channel, `None` when it is closed; an error when `stop` says so first.
fn next<T>(from: &Receiver<T>, stop: &dyn Fn() -> bool) -> Result<Option<T>, String> {
    loop {
        if stop() {
            return Err(INTERRUPTED.to_owned());
        }
        match from.recv_timeout(LOOK) {
            Ok(thing) => return Ok(Some(thing)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
        }
    }
}

type Response = ureq::http::Response<ureq::Body>;

/// Asks for `url` from byte `have` on. The thread that waits for the answer outlives an
/// interrupt, by the network's time limits at most.
fn request(source: &Source, have: u64, stop: &dyn Fn() -> bool) -> Result<Response, String> {
    let (url, token) = (source.url.to_owned(), source.token.map(str::to_owned));
    let (tell, answer) = sync_channel(1);
    std::thread::spawn(move || {
        // After an interrupt the receiver is gone.
        let _ = tell.send(call(&url, token.as_deref(), have));
    });
    next(&answer, stop)?.unwrap_or_else(|| Err("the request failed without a reason".to_owned()))
}

fn call(url: &str, token: Option<&str>, have: u64) -> Result<Response, String> {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_recv_response(Some(SILENCE_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT))
        // Ranges count the bytes as sent: they must be the file's own.
        .accept_encoding("identity")
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .user_agent(concat!("holoscope/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let mut request = agent.get(url);
    if let Some(token) = token {
        request = request.header("Authorization", format!("Bearer {token}"));
    }
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    request.call().map_err(|e| e.to_string())
}

fn header<'r>(response: &'r Response, name: &str) -> Option<&'r str> {
    response.headers().get(name)?.to_str().ok()
}

/// First byte of `Content-Range: bytes 100-199/200`.
fn range_start(response: &Response) -> Option<u64> {
    header(response, "content-range")?
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// Length of what an earlier attempt left, 0 if nothing.
fn part_len(part: &Path) -> u64 {
    std::fs::metadata(part).map_or(0, |m| m.len())
}

fn remove(part: &Path) -> Result<()> {
    match std::fs::remove_file(part) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", part)(e)),
        _ => Ok(()),
    }
}

fn digest_matches(path: &Path, sha256: &str) -> Result<bool> {
    Ok(file_digest(path)?.eq_ignore_ascii_case(sha256))
}

fn file_digest(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(Error::io("read", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).map_err(Error::io("read", path))? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}
