//! The session's side of [`super`]: it keeps the compiler, and takes requests.

use super::super::guess::SOURCE;
use super::super::wrapper::object;
use super::super::write_if_changed;
use super::{Answer, Call, ROOT, Request};
use crate::error::{Error, Result};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

/// What it waits for: a link to its standard input, beside the root.
const CELL: &str = "src/cell.rs";
const INCLUDED: &str = "cell.rs";
const STDIN: &str = "/dev/stdin";
/// A session's folder for what they write: this and the session's process.
const OWN: &str = "standby-";

/// The session's side; the compiler goes with it.
pub struct Standby {
    socket: PathBuf,
    ends: Arc<AtomicBool>,
    idle: Arc<AtomicU32>,
    thread: Option<JoinHandle<()>>,
}

impl Standby {
    /// Takes requests at this socket, from this user.
    pub fn start(socket: &Path) -> Result<Self> {
        match std::fs::remove_file(socket) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", socket)(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(socket).map_err(Error::io("create", socket))?;
        let owners = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(socket, owners).map_err(Error::io("protect", socket))?;
        let mut standby = Self {
            socket: socket.to_owned(),
            ends: Arc::default(),
            idle: Arc::default(),
            thread: None,
        };
        let (ends, idle) = (standby.ends.clone(), standby.idle.clone());
        let serve = move || {
            let mut keeper = Keeper {
                waiting: None,
                idle,
            };
            for stream in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                // Whoever asks compiles by itself where nothing comes back.
                let _ = stream.and_then(|stream| keeper.serve(stream));
            }
        };
        standby.thread = Some(std::thread::spawn(serve));
        Ok(standby)
    }

    /// The process of the compiler that waits, 0 if there is none: it compiles no cell.
    pub fn idle(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.idle)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // The thread waits for someone to come, and lets its compiler go when it ends.
        let came = UnixStream::connect(&self.socket).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| came) {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A compiler that has not got its cell yet.
struct Waiting {
    call: Call,
    child: Child,
}

struct Keeper {
    waiting: Option<Waiting>,
    idle: Arc<AtomicU32>,
}

impl Keeper {
    fn serve(&mut self, mut stream: UnixStream) -> std::io::Result<()> {
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line)?;
        let Request { call, cell } = serde_json::from_str(&line)?;
        let Some(cell) = cell else {
            return self.make_ready(call);
        };
        let Some(mut child) = self.take(&call) else {
            return self.make_ready(call);
        };
        let object = object(&own(&call.out_dir().unwrap_or_default()));
        let pipe = child.stdin.take();
        let fed = pipe.map(|mut pipe| pipe.write_all(cell.as_bytes()));
        // While this one compiles, mostly on one core, the next one makes itself ready.
        let next = self.make_ready(call);
        let (status, stderr) = watched(child, &stream)?;
        if let (Some(Ok(())), Some(code)) = (fed, status.code()) {
            let answer = Answer {
                code,
                stderr: String::from_utf8_lossy(&stderr).into_owned(),
                object,
            };
            stream.write_all(&serde_json::to_vec(&answer)?)?;
        }
        next
    }

    /// The compiler for this call, if it is there and well.
    fn take(&mut self, call: &Call) -> Option<Child> {
        let same = self.waiting.as_ref().is_some_and(|w| w.call == *call);
        let waiting = same.then(|| self.waiting.take())?;
        self.idle.store(0, Ordering::SeqCst);
        let mut child = waiting?.child;
        match child.try_wait() {
            Ok(None) => Some(child),
            _ => None,
        }
    }

    /// Ends the compiler that waits.
    fn let_go(&mut self) {
        self.idle.store(0, Ordering::SeqCst);
        if let Some(mut waiting) = self.waiting.take() {
            let _ = waiting.child.kill();
            let _ = waiting.child.wait();
        }
    }

    /// Has a compiler wait for a cell of this call.
    fn make_ready(&mut self, call: Call) -> std::io::Result<()> {
        if let Some(waiting) = &mut self.waiting
            && waiting.call == call
            && matches!(waiting.child.try_wait(), Ok(None))
        {
            return Ok(());
        }
        self.let_go();
        let child = call.start()?;
        self.idle.store(child.id(), Ordering::SeqCst);
        self.waiting = Some(Waiting { call, child });
        Ok(())
    }
}

/// How a compiler ends, and what it says. Where nobody waits for that any more, because the cell
/// was interrupted, it is ended: the next cell would have to wait for it.
fn watched(mut child: Child, client: &UnixStream) -> std::io::Result<(ExitStatus, Vec<u8>)> {
    let mut said = Vec::new();
    if let Some(mut stderr) = child.stderr.take() {
        let of = |fd, events| libc::pollfd {
            fd,
            events,
            revents: 0,
        };
        let mut part = [0; 1 << 12];
        loop {
            // Of the client only its end is asked for.
            let mut fds = [
                of(stderr.as_raw_fd(), libc::POLLIN),
                of(client.as_raw_fd(), 0),
            ];
            // SAFETY: two descriptors that are open as long as their owners, above.
            let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
            if ready > 0 && fds[1].revents != 0 {
                let _ = child.kill();
                break;
            }
            if ready > 0 {
                match stderr.read(&mut part)? {
                    0 => break,
                    n => said.extend_from_slice(&part[..n]),
                }
            }
        }
    }
    Ok((child.wait()?, said))
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let out = self.waiting.as_ref().and_then(|w| w.call.out_dir());
        self.let_go();
        if let Some(out) = out {
            // If it stays, the next session removes it.
            let _ = std::fs::remove_dir_all(own(&out));
        }
    }
}

/// Where the compilers of this session write, beside the folder of a call: one that loses its
/// session compiles the nothing that it has got, and must not overwrite a cell. Beside it, because
/// an object finds the image by a path from where it was linked.
pub(super) fn own(out: &Path) -> PathBuf {
    out.with_file_name(format!("{OWN}{}", std::process::id()))
}

/// Makes it, and removes those that killed sessions have left: what still runs there ends.
pub(super) fn make_own(own: &Path) -> std::io::Result<()> {
    if own.is_dir() {
        return Ok(());
    }
    let beside = own.parent().unwrap_or(own);
    for entry in std::fs::read_dir(beside).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(OWN) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    std::fs::create_dir_all(own)
}

impl Call {
    /// Starts rustc on a source that loads the library and waits for its standard input.
    pub(super) fn start(&self) -> std::io::Result<Child> {
        let root = self.folder.join(ROOT);
        let text = format!(
            "{}\nextern crate holoscope as _;\ninclude!(\"{INCLUDED}\");\n",
            self.head
        );
        write_if_changed(&root, &text).map_err(std::io::Error::other)?;
        let link = self.folder.join(CELL);
        if !std::fs::read_link(&link).is_ok_and(|to| to == Path::new(STDIN)) {
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(STDIN, &link)?;
        }
        let out = self.out_dir().unwrap_or_default();
        let own = own(&out);
        make_own(&own)?;
        let mut command = Command::new(&self.program);
        for arg in &self.args {
            match arg {
                source if source == SOURCE => command.arg(ROOT),
                folder if Path::new(folder) == out => command.arg(&own),
                other => command.arg(other),
            };
        }
        // What rustc says, and what it writes down for panics, names the cell's own file. (Not the
        // root, too: rustc takes files of one name for one.)
        command.arg(format!("--remap-path-prefix={CELL}={SOURCE}"));
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
    }
}
