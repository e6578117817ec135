//! The relay: reads the runner's output as it is written, and passes each
//! piece on as one framed line (see `frame`), so that order, partial lines,
//! panics and deaths are all reported.

use super::ordered::{Records, Tag};
use super::runtime::{CONTROL_ENV, FRAMES_ENV, RECORDS_ENV, hand_down, when_parent_dies};
use crate::run::output::frame::{Frame, Splitter};
use crate::run::pipe::{take_utf8, wait_readable, widen};
use std::fs::File;
use std::io::{PipeReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

/// Bytes of stderr reported after a crash.
const LAST_WORDS: usize = 1000;

/// Starts the runner and relays what it writes, until it ends.
pub fn relay(frames: RawFd, control: RawFd) -> i32 {
    become_subreaper();
    end_with_family();
    // An interrupt is meant for the user's code; the relay must outlive it.
    // SAFETY: sets a signal disposition; no handler of ours runs.
    unsafe { libc::signal(libc::SIGINT, libc::SIG_IGN) };
    // SAFETY: the session opened the descriptor for this process alone.
    let frames = unsafe { File::from_raw_fd(frames) };
    match start_runner(control) {
        Ok((child, records)) => Relay::new(child, records, frames).run(),
        Err(error) => {
            eprintln!("cannot start the process that runs cells: {error}");
            1
        }
    }
}

/// When the kernel dies, for any reason, all processes below this one are killed: the runner, and
/// the programs that cells have started and that outlive their cell.
fn end_with_family() {
    // SAFETY: a zeroed set that `sigemptyset` fills, and this thread's own mask; threads and the
    // runner inherit it, and the runner unblocks the signal.
    let signals = unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &signals, std::ptr::null_mut());
        signals
    };
    std::thread::spawn(move || {
        let mut found = 0;
        // SAFETY: waits for a signal that is blocked in every thread.
        while unsafe { libc::sigwait(&signals, &mut found) } != 0 {}
        super::processes::kill_below(std::process::id());
        // SAFETY: ends this process at once; the processes below it have been killed.
        unsafe { libc::_exit(1) };
    });
    when_parent_dies(libc::SIGTERM);
}

/// Unblocks SIGTERM, so that it ends this process again; for use between fork and exec.
fn take_sigterm_back() {
    // SAFETY: async-signal-safe calls on a set of our own and this thread's mask.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &signals, std::ptr::null_mut());
    }
}

/// Adopts the runner's orphans, in particular the snapshot.
fn become_subreaper() {
    #[cfg(target_os = "linux")]
    // SAFETY: a plain system call that changes only this process.
    unsafe {
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1);
    }
}

fn start_runner(control: RawFd) -> std::io::Result<(Child, PipeReader)> {
    let (records, writer) = std::io::pipe()?;
    widen(writer.as_raw_fd());
    let fd = writer.as_raw_fd();
    let mut command = Command::new("/proc/self/exe");
    command
        .args(std::env::args_os().skip(1))
        .env(RECORDS_ENV, fd.to_string())
        .env(CONTROL_ENV, control.to_string())
        .env_remove(FRAMES_ENV)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // SAFETY: only async-signal-safe calls between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::signal(libc::SIGINT, libc::SIG_DFL);
            take_sigterm_back();
            when_parent_dies(libc::SIGKILL);
            hand_down(control)?;
            hand_down(fd)
        });
    }
    Ok((command.spawn()?, records))
}

struct Relay {
    child: Child,
    /// The process that runs cells: `child`, or the restored copy that replaced it.
    runner: u32,
    records: PipeReader,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    frames: File,
    /// Output that passed through `write`, and output that did not.
    ordered: Splitter,
    raw: Splitter,
    /// An incomplete character of stderr.
    cut: Vec<u8>,
    /// The last output on stderr: the message of a dying process.
    said: String,
    /// The notice that is not complete yet.
    notice: Vec<u8>,
    /// The prompt for the next line from the user.
    prompt: Option<(String, bool)>,
}

impl Relay {
    fn new(mut child: Child, records: PipeReader, frames: File) -> Self {
        Self {
            runner: child.id(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            child,
            records,
            frames,
            ordered: Splitter::default(),
            raw: Splitter::default(),
            cut: Vec::new(),
            said: String::new(),
            notice: Vec::new(),
            prompt: None,
        }
    }

    fn run(mut self) -> i32 {
        let pumped = self
            .emit(&Frame::Pid { pid: self.runner })
            .and_then(|()| self.pump());
        let status = self.end_of_runner();
        let how = describe(&status);
        let _ = pumped;
        let said = std::mem::take(&mut self.said);
        // The session may have stopped reading.
        let _ = self.emit(&Frame::Died {
            how,
            said,
            restored: false,
        });
        i32::from(!matches!(status, Ok(s) if s.success()))
    }

    /// Passes everything on until the runner and its snapshot are gone.
    fn pump(&mut self) -> std::io::Result<()> {
        let mut records = Records::default();
        let mut buffer = vec![0u8; 1 << 18];
        loop {
            let raw = [fd(self.stdout.as_ref()), fd(self.stderr.as_ref())];
            let ready = wait_readable([self.records.as_raw_fd(), raw[0], raw[1]], -1)?;
            // What the cell wrote before it started a program precedes what the program writes
            // (both may have arrived since the first was checked); what it writes after that
            // waits until this has been read.
            if !ready[0] && wait_readable([self.records.as_raw_fd()], 0)? == [false] {
                self.pass_raw([ready[1], ready[2]], &mut buffer)?;
                continue;
            }
            let n = self.records.read(&mut buffer)?;
            if n == 0 {
                self.drain_raw(&mut buffer)?;
                return self.finish_text();
            }
            let drained = n < buffer.len();
            for (tag, bytes) in records.push(&buffer[..n]) {
                self.take(tag, bytes, drained, &mut buffer)?;
            }
        }
    }

    fn take(
        &mut self,
        tag: Tag,
        bytes: Vec<u8>,
        drained: bool,
        buffer: &mut [u8],
    ) -> std::io::Result<()> {
        match tag {
            Tag::Out => {
                let frames = self.ordered.push(&bytes, drained);
                self.emit_all(&frames)
            }
            Tag::Err => {
                let before = self.ordered.push(&[], true);
                self.emit_all(&before)?;
                self.take_err(&bytes)
            }
            Tag::Raw => self.drain_raw(buffer),
            Tag::Begin => {
                self.said.clear();
                self.emit(&Frame::Begin)
            }
            Tag::Complete => {
                self.drain_raw(buffer)?;
                self.finish_text()?;
                self.emit(&Frame::Complete)
            }
            Tag::Part => {
                self.notice.extend_from_slice(&bytes);
                Ok(())
            }
            Tag::Notice => {
                self.notice.extend_from_slice(&bytes);
                self.finish_text()?;
                let notice = std::mem::take(&mut self.notice);
                let json = String::from_utf8_lossy(&notice).into_owned();
                self.emit(&Frame::Notice { json })
            }
            Tag::Ask => {
                self.drain_raw(buffer)?;
                self.finish_text()?;
                let (prompt, password) = self.prompt.take().unwrap_or_default();
                self.emit(&Frame::Ask { prompt, password })
            }
            Tag::Restored => self.restored(&bytes, buffer),
        }
    }

    /// The runner died, and the state from before the cell replaces it.
    fn restored(&mut self, pid: &[u8], buffer: &mut [u8]) -> std::io::Result<()> {
        self.drain_raw(buffer)?;
        self.finish_text()?;
        let how = describe(&self.end_of_runner());
        let said = std::mem::take(&mut self.said);
        let pid = std::str::from_utf8(pid).ok().and_then(|p| p.parse().ok());
        self.runner = pid.unwrap_or_default();
        self.emit(&Frame::Died {
            how,
            said,
            restored: true,
        })?;
        self.emit(&Frame::Pid { pid: self.runner })
    }

    fn end_of_runner(&mut self) -> std::io::Result<ExitStatus> {
        if self.runner == self.child.id() {
            return self.child.wait();
        }
        let mut status = 0;
        loop {
            // SAFETY: waits for our own child and writes to a local.
            let pid = unsafe { libc::waitpid(self.runner as libc::pid_t, &mut status, 0) };
            if pid >= 0 {
                return Ok(ExitStatus::from_raw(status));
            }
            let error = std::io::Error::last_os_error();
            if error.kind() != std::io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// Passes on output that did not arrive in records, from the streams that are `ready`.
    fn pass_raw(&mut self, ready: [bool; 2], buffer: &mut [u8]) -> std::io::Result<()> {
        let before = self.ordered.push(&[], true);
        self.emit_all(&before)?;
        if ready[0]
            && let Some(stdout) = &mut self.stdout
        {
            let n = stdout.read(buffer)?;
            if n == 0 {
                self.stdout = None;
            }
            let frames = self.raw.push(&buffer[..n], n < buffer.len());
            self.emit_all(&frames)?;
        }
        if ready[1]
            && let Some(stderr) = &mut self.stderr
        {
            let n = stderr.read(buffer)?;
            if n == 0 {
                self.stderr = None;
            }
            let bytes = buffer[..n].to_vec();
            self.take_err(&bytes)?;
        }
        Ok(())
    }

    /// Passes on all output that can be read now.
    fn drain_raw(&mut self, buffer: &mut [u8]) -> std::io::Result<()> {
        loop {
            let raw = [fd(self.stdout.as_ref()), fd(self.stderr.as_ref())];
            let ready = wait_readable(raw, 0)?;
            if ready == [false, false] {
                return Ok(());
            }
            self.pass_raw(ready, buffer)?;
        }
    }

    fn finish_text(&mut self) -> std::io::Result<()> {
        let mut rest = self.ordered.finish();
        rest.extend(self.raw.finish());
        self.emit_all(&rest)
    }

    fn take_err(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.cut.extend_from_slice(bytes);
        let Some(text) = take_utf8(&mut self.cut) else {
            return Ok(());
        };
        // A message arrives in as many pieces as it was written in.
        self.said.push_str(&text);
        let from = self
            .said
            .ceil_char_boundary(self.said.len().saturating_sub(LAST_WORDS));
        self.said.drain(..from);
        self.emit(&Frame::Err { text })
    }

    fn emit_all(&mut self, frames: &[Frame]) -> std::io::Result<()> {
        frames.iter().try_for_each(|frame| self.emit(frame))
    }

    fn emit(&mut self, frame: &Frame) -> std::io::Result<()> {
        match frame {
            Frame::Question { line } => {
                self.prompt = Some(question(line));
                Ok(())
            }
            frame => self.frames.write_all(frame.to_line().as_bytes()),
        }
    }
}

fn fd<T: AsRawFd>(stream: Option<&T>) -> RawFd {
    stream.map_or(-1, T::as_raw_fd)
}

/// The prompt in the line of a request of `evcxr_input`, and whether the answer is hidden.
fn question(line: &str) -> (String, bool) {
    let (request, prompt) = line.split_once(':').unwrap_or((line, ""));
    (prompt.to_owned(), request.contains("PASSWORD"))
}

fn describe(status: &std::io::Result<ExitStatus>) -> String {
    match status {
        Ok(s) => match s.signal() {
            Some(signal) => format!("signal {signal}{}", name(signal)),
            None => format!("exit code {}", s.code().unwrap_or(-1)),
        },
        Err(error) => error.to_string(),
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => " (SIGABRT, abort)",
        libc::SIGSEGV => " (SIGSEGV, invalid memory access)",
        libc::SIGBUS => " (SIGBUS, invalid memory access)",
        libc::SIGILL => " (SIGILL, invalid instruction)",
        libc::SIGFPE => " (SIGFPE, arithmetic fault)",
        libc::SIGKILL => " (SIGKILL)",
        libc::SIGTERM => " (SIGTERM)",
        libc::SIGINT => " (SIGINT, interrupt)",
        _ => "",
    }
}
