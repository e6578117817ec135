//! The runner: loads each cell's shared object and calls it, one after the other.
//!
//! Cells run on one thread, the process's main one. A second one takes instructions and supervises
//! the first: a cell that does not respond to an interrupt is parked where it is (see `park`), and
//! the next cells run on a new thread, with all variables that the parked one had not taken.

mod library;
mod memory;
mod park;
mod snapshot;
mod stdin;

use self::library::{Interrupt, Library};
use self::snapshot::Taken;
use super::ordered::{self, Tag};
use super::runtime::{IMAGE_ENV, Instruction};
use crate::run::pipe::wait_readable;
use crate::trace;
use std::collections::VecDeque;
use std::ffi::CString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Polling interval for a running cell.
const LOOK: Duration = Duration::from_millis(20);
/// How long an interrupted cell may run without a sign that it has noticed the interrupt.
const UNHEARD: Duration = Duration::from_millis(250);
/// How long it may run once it has noticed the interrupt: a training step runs to its end.
const HEARD: Duration = Duration::from_secs(4);
/// Time limit for parking a cell; then the session ends the process.
const MOST: Duration = Duration::from_secs(10);
/// How long a new thread may take to verify that no needed lock is held.
const PROBE: Duration = Duration::from_millis(300);
/// A cell's stack.
const STACK: usize = 8 << 20;

/// Copies of stdout and stderr, in case a cell closes or replaces them.
#[derive(Clone, Copy)]
struct Streams([RawFd; 2]);

impl Streams {
    fn keep() -> Self {
        Self([1, 2].map(|fd| {
            // SAFETY: copies a descriptor of this process, to a number that user code is unlikely to use.
            unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 200) }
        }))
    }

    /// Restores the streams that the cell has changed.
    fn restore(&self) {
        for (fd, copy) in [1, 2].into_iter().zip(self.0) {
            if copy >= 0 && !ordered::is_original(fd) {
                // SAFETY: both descriptors belong to this process.
                unsafe { libc::dup2(copy, fd) };
            }
        }
    }
}

/// What the thread that runs cells is to do.
enum Job {
    Run(PathBuf, String),
    Drop(Vec<String>),
    /// Answer the messages of widgets.
    Comms,
}

/// What a thread that runs cells needs.
#[derive(Clone, Copy)]
struct Ground {
    library: Library,
    streams: Streams,
    control: RawFd,
    relay: libc::pid_t,
}

/// Executes instructions; never returns.
pub fn run_cells(records: RawFd, control: RawFd) -> ! {
    memory::keep_warm();
    ordered::start(records);
    let streams = Streams::keep();
    let Some(image) = std::env::var_os(IMAGE_ENV) else {
        fatal("HOLOSCOPE_IMAGE_FILE is not set");
    };
    // SAFETY: no thread has been started.
    unsafe { std::env::remove_var(IMAGE_ENV) };
    let library = match Library::load(Path::new(&image)) {
        Ok(library) => library,
        Err(error) => fatal(&format!("cannot load the library: {error}")),
    };
    park::prepare();
    let ground = Ground {
        library,
        streams,
        control,
        // SAFETY: no arguments, no failure.
        relay: unsafe { libc::getppid() },
    };
    let (jobs, done) = look_after_this_thread(ground);
    run_jobs(ground, jobs, done);
    // The other thread ends the process; this one must not exit during that.
    loop {
        std::thread::park();
    }
}

/// Starts the thread that takes instructions and supervises this one, which runs cells.
fn look_after_this_thread(ground: Ground) -> (Receiver<Job>, Sender<()>) {
    let (give, jobs) = channel();
    let (done, ends) = channel();
    // SAFETY: names this thread.
    let thread = unsafe { libc::pthread_self() };
    let keeper = move || {
        // SAFETY: the relay passed the descriptor to this process alone, and this thread, which
        // owns it, ends only with the process.
        let control = BufReader::new(unsafe { File::from_raw_fd(ground.control) });
        Keeper {
            ground,
            control,
            later: VecDeque::new(),
            comms: false,
            cells: Cells { thread, give, ends },
        }
        .run()
    };
    if let Err(error) = std::thread::Builder::new()
        .name("keeper".to_owned())
        .spawn(keeper)
    {
        fatal(&format!("cannot start a thread: {error}"));
    }
    (jobs, done)
}

/// Runs jobs until the channel closes.
fn run_jobs(ground: Ground, mut jobs: Receiver<Job>, mut done: Sender<()>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Run(object, function) => {
                // The effects of readers before the cell precede it.
                ground.library.answer_comms();
                tell(Tag::Begin, b"");
                let taken = snapshot::take(ground.relay);
                if let Taken::Restored = taken {
                    // Only this thread exists in the copy.
                    (jobs, done) = look_after_this_thread(ground);
                    let pid = std::process::id().to_string();
                    tell(Tag::Restored, pid.as_bytes());
                    ground.library.restored();
                    continue;
                }
                stdin::may_ask(true);
                if let Err(error) = load_and_run(&object, &function) {
                    fatal(&format!("cannot run the cell: {error}"));
                }
                stdin::may_ask(false);
                ground.library.after_cell();
                ground.streams.restore();
                taken.discard();
                memory::return_if_short();
            }
            Job::Drop(names) => {
                tell(Tag::Begin, b"");
                ground.library.drop_variables(&names);
                ground.library.after_cell();
            }
            Job::Comms => ground.library.answer_comms(),
        }
        if done.send(()).is_err() {
            return;
        }
    }
}

/// The handle of the thread that runs cells.
struct Cells {
    thread: libc::pthread_t,
    give: Sender<Job>,
    ends: Receiver<()>,
}

/// Takes instructions and supervises the thread that runs cells.
struct Keeper {
    ground: Ground,
    control: BufReader<File>,
    /// Instructions that arrived while another was being executed.
    later: VecDeque<Instruction>,
    /// Whether messages of widgets may wait in the library.
    comms: bool,
    cells: Cells,
}

impl Keeper {
    fn run(mut self) {
        while let Some(instruction) = self.next() {
            let job = match instruction {
                Instruction::Run { object, function } => Job::Run(object, function),
                Instruction::Drop { names } => Job::Drop(names),
                // The question is no longer waiting for an answer.
                Instruction::Answer { .. } => continue,
                Instruction::Comm { message } => {
                    self.ground.library.comm(&message);
                    self.answer_comms();
                    continue;
                }
            };
            if self.cells.give.send(job).is_err() {
                break;
            }
            self.wait();
            tell(Tag::Complete, b"");
            if self.comms {
                self.answer_comms();
            }
        }
        std::process::exit(0)
    }

    /// Answers the messages of widgets.
    fn answer_comms(&mut self) {
        loop {
            self.comms = false;
            if self.cells.give.send(Job::Comms).is_err() {
                return;
            }
            // Messages that arrived meanwhile, or are queued behind a parked callback, are answered
            // now; before a cell they are answered in any case.
            let parked = self.wait();
            if !(self.comms || parked) || !self.later.is_empty() {
                return;
            }
        }
    }

    fn next(&mut self) -> Option<Instruction> {
        match self.later.pop_front() {
            Some(instruction) => Some(instruction),
            None => {
                if !self.is_readable_in(memory::IDLE) {
                    memory::return_idle();
                }
                self.read()
            }
        }
    }

    fn read(&mut self) -> Option<Instruction> {
        let mut line = String::new();
        match self.control.read_line(&mut line) {
            Ok(n) if n > 0 => serde_json::from_str(&line).ok(),
            _ => None,
        }
    }

    /// Waits until the cell is over or parked; returns whether it is parked.
    fn wait(&mut self) -> bool {
        let mut since: Option<Instant> = None;
        loop {
            match self.cells.ends.recv_timeout(LOOK) {
                Ok(()) => return false,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::process::exit(97),
            }
            self.pass_on();
            let patience = match self.ground.library.interrupt() {
                Interrupt::None => {
                    since = None;
                    continue;
                }
                Interrupt::Unheard => UNHEARD,
                Interrupt::Heard => HEARD,
            };
            // A question of an interrupted cell gets no answer.
            stdin::answer(None);
            let waited = since.get_or_insert_with(Instant::now).elapsed();
            if waited > patience && waited < MOST && self.park() {
                return true;
            }
        }
    }

    /// Passes on what is for the running cell; the rest is queued.
    fn pass_on(&mut self) {
        while self.is_readable() {
            match self.read() {
                Some(Instruction::Answer { line }) => stdin::answer(line),
                Some(Instruction::Comm { message }) => {
                    self.ground.library.comm(&message);
                    self.comms = true;
                }
                Some(other) => self.later.push_back(other),
                None => std::process::exit(0),
            }
        }
    }

    fn is_readable(&self) -> bool {
        self.is_readable_in(Duration::ZERO)
    }

    fn is_readable_in(&self, time: Duration) -> bool {
        let control = self.control.get_ref().as_raw_fd();
        let wait = || wait_readable([control], time.as_millis() as i32);
        !self.control.buffer().is_empty() || matches!(wait(), Ok([true]))
    }

    /// Parks the cell, if another thread can run without it.
    fn park(&mut self) -> bool {
        if !park::park(self.cells.thread) {
            return false;
        }
        let ground = self.ground;
        let (give, jobs) = channel();
        let (done, ends) = channel();
        let (ready, is_ready) = channel();
        let begin = move || {
            ground.library.probe();
            ground.library.cells_run_here();
            // SAFETY: names this thread.
            let thread = unsafe { libc::pthread_self() };
            if ready.send(thread).is_ok() {
                run_jobs(ground, jobs, done);
            }
        };
        let started = std::thread::Builder::new()
            .name("cells".to_owned())
            .stack_size(STACK)
            .spawn(begin);
        let Some(thread) = started.ok().and_then(|_| is_ready.recv_timeout(PROBE).ok()) else {
            // It holds a lock that every cell needs: let it continue.
            park::release();
            return false;
        };
        park::keep();
        snapshot::forget();
        stdin::may_ask(false);
        self.cells = Cells { thread, give, ends };
        let notice = br#"{"type":"parked"}"#;
        if ordered::send_notice(notice).is_err() {
            std::process::exit(98);
        }
        ground.library.after_cell();
        // The parked thread's unfinished replies are dropped.
        ground.library.restored();
        ground.streams.restore();
        true
    }
}

/// Sends a record. Exits if the relay is gone.
fn tell(tag: Tag, bytes: &[u8]) {
    if ordered::send(tag, bytes).is_err() {
        std::process::exit(98);
    }
}

fn fatal(message: &str) -> ! {
    eprintln!("{message}");
    std::process::exit(99)
}

/// Loads a cell and calls it.
fn load_and_run(object: &Path, function: &str) -> Result<(), String> {
    let name = CString::new(function).map_err(|e| e.to_string())?;
    trace::mark("load");
    let symbol = library::symbol(library::open(object)?, &name)?;
    // SAFETY: the object was compiled for this call: it is an `extern "C" fn()`.
    let cell: extern "C" fn() = unsafe { std::mem::transmute(symbol) };
    trace::mark("call");
    cell();
    trace::mark("returned");
    Ok(())
}
