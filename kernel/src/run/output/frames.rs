//! The session's end of the pipe of frames: one thread reads it for as long as
//! the session lives, even while no cell runs.

use super::frame::Frame;
use crate::error::{Error, Result};
use crate::run::pipe::{wait_readable, widen};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The capacity of the channel to the consumer of frames; a cell that writes more blocks.
const WAITING: usize = 256;

/// The process that runs cells, as reported by the relay.
#[derive(Debug, Default)]
pub struct Runner {
    /// Its id; 0 when there is none.
    pub pid: AtomicU32,
    /// True while it runs a cell (not while one is compiled).
    pub running: AtomicBool,
}

/// Consumes frames while no cell runs.
type Idle = Box<dyn FnMut(Frame) + Send>;

/// Where frames go.
enum Sink {
    Cell(Sender<Frame>),
    Idle(Idle),
}

/// The reading thread and how to reach it.
pub struct Frames {
    sink: Arc<Mutex<Sink>>,
    wake: Mutex<PipeWriter>,
    drained: Receiver<()>,
    runner: Arc<Runner>,
    /// Given to every relay that evcxr starts.
    writer: PipeWriter,
}

impl Frames {
    /// Opens the pipe and starts to read; frames between cells go to `idle`.
    pub fn start(idle: Idle) -> Result<Self> {
        let pipe = || std::io::pipe().map_err(Error::io("create", "a pipe"));
        let ((reader, writer), (hear, wake)) = (pipe()?, pipe()?);
        widen(writer.as_raw_fd());
        let sink = Arc::new(Mutex::new(Sink::Idle(idle)));
        let runner = Arc::new(Runner::default());
        let (tell, drained) = unbounded();
        let thread = Reader {
            frames: reader,
            wake: hear,
            tell,
            sink: sink.clone(),
            runner: runner.clone(),
            line: Vec::new(),
        };
        std::thread::Builder::new()
            .name("frames".to_owned())
            .spawn(move || thread.run())
            .map_err(Error::io("start", "the thread that reads cells' output"))?;
        Ok(Self {
            sink,
            wake: Mutex::new(wake),
            drained,
            runner,
            writer,
        })
    }

    /// The end that a relay writes to.
    pub fn writer(&self) -> RawFd {
        self.writer.as_raw_fd()
    }

    pub fn runner(&self) -> Arc<Runner> {
        Arc::clone(&self.runner)
    }

    /// Waits until everything written before has been consumed.
    pub fn sync(&self) {
        let mut wake = self.wake.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread ends only with the process.
        if wake.write_all(b"w").is_ok() {
            let _ = self.drained.recv();
        }
    }

    /// Runs `work` while `take` consumes the frames on a separate thread.
    pub fn during<T>(&self, take: &mut (dyn FnMut(Frame) + Send), work: impl FnOnce() -> T) -> T {
        let (send, receive) = bounded(WAITING);
        let idle = std::mem::replace(&mut *lock(&self.sink), Sink::Cell(send));
        std::thread::scope(|scope| {
            scope.spawn(move || receive.iter().for_each(take));
            // Dropping the sender ends the thread above, which the scope waits for,
            // even if the work panics.
            let _back = Back {
                frames: self,
                idle: Some(idle),
            };
            work()
        })
    }
}

/// Restores the consumer of frames for when no cell runs.
struct Back<'a> {
    frames: &'a Frames,
    idle: Option<Sink>,
}

impl Drop for Back<'_> {
    fn drop(&mut self) {
        self.frames.sync();
        if let Some(idle) = self.idle.take() {
            *lock(&self.frames.sink) = idle;
        }
    }
}

fn lock(sink: &Mutex<Sink>) -> MutexGuard<'_, Sink> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader {
    frames: PipeReader,
    wake: PipeReader,
    tell: Sender<()>,
    sink: Arc<Mutex<Sink>>,
    runner: Arc<Runner>,
    /// Bytes of the line that is not finished yet.
    line: Vec<u8>,
}

impl Reader {
    fn run(mut self) {
        let fds = [self.frames.as_raw_fd(), self.wake.as_raw_fd()];
        let mut buffer = vec![0u8; 1 << 18];
        while let Ok([frames, wake]) = wait_readable(fds, -1) {
            if frames {
                match self.frames.read(&mut buffer) {
                    Ok(n) if n > 0 => self.take(&buffer[..n]),
                    _ => return,
                }
            } else if wake {
                // Everything written before `sync` was called has been read.
                let mut byte = [0u8];
                if self.wake.read(&mut byte).unwrap_or(0) == 0 || self.tell.send(()).is_err() {
                    return;
                }
            }
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while let Some(at) = bytes.iter().position(|&b| b == b'\n') {
            self.line.extend_from_slice(&bytes[..at]);
            bytes = &bytes[at + 1..];
            let line = std::mem::take(&mut self.line);
            let text = String::from_utf8_lossy(&line);
            let frame = Frame::parse(&text).unwrap_or_else(|| Frame::Out {
                text: format!("{text}\n"),
            });
            self.note(&frame);
            match &mut *lock(&self.sink) {
                Sink::Cell(cell) => drop(cell.send(frame)),
                Sink::Idle(idle) => idle(frame),
            }
        }
        self.line.extend_from_slice(bytes);
    }

    fn note(&self, frame: &Frame) {
        match frame {
            Frame::Pid { pid } => self.runner.pid.store(*pid, Ordering::SeqCst),
            Frame::Begin => self.runner.running.store(true, Ordering::SeqCst),
            Frame::Complete => self.runner.running.store(false, Ordering::SeqCst),
            Frame::Died { .. } => {
                self.runner.running.store(false, Ordering::SeqCst);
                self.runner.pid.store(0, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(frames: &Frames, texts: &[&str]) {
        let mut writer = frames.writer.try_clone().unwrap();
        for text in texts {
            let frame = Frame::Out {
                text: (*text).to_owned(),
            };
            writer.write_all(frame.to_line().as_bytes()).unwrap();
        }
    }

    #[test]
    fn frames_go_to_the_cell_that_runs_and_else_to_who_waits() {
        let between = Arc::new(Mutex::new(Vec::new()));
        let keep = between.clone();
        let frames = Frames::start(Box::new(move |f| keep.lock().unwrap().push(f))).unwrap();
        write(&frames, &["before"]);
        frames.sync();
        let mut during = Vec::new();
        frames.during(&mut |f| during.push(f), || write(&frames, &["a"; 1000]));
        write(&frames, &["after"]);
        frames.sync();
        assert_eq!(during.len(), 1000);
        let texts: Vec<Frame> = between.lock().unwrap().clone();
        let out = |t: &str| Frame::Out { text: t.to_owned() };
        assert_eq!(texts, [out("before"), out("after")]);
    }
}
