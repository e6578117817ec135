//! Interrupts: the library's loops are asked to stop and keep their work, a compilation
//! is stopped, and user code that does not respond is ended.

use super::processes::{descendants, signal};
use super::runtime::Instruction;
use super::session::Mailbox;
use crate::jupyter::engine::Remote;
use crate::run::output::frames::Runner;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long an interrupted cell may take to stop by itself, or to be parked.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long an interrupt waits for a cell that has not begun yet.
const EARLY: Duration = Duration::from_millis(100);
/// Polling interval for the interrupted cell.
const LOOK: Duration = Duration::from_millis(20);

/// Interrupts the cell that runs or is compiled.
pub struct Interrupter {
    runner: Arc<Runner>,
    /// The session's child; processes below it are not compilers.
    relay: AtomicU32,
    compilers: Compilers,
    /// True from a cell's request to its reply.
    busy: AtomicBool,
    /// Counts cells, so that a late kill never hits the next one.
    cell: AtomicU32,
    /// The cell that was last interrupted.
    asked: AtomicU32,
    /// The cell whose compilation was last stopped.
    stopped: AtomicU32,
}

/// How a cell was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupted {
    No,
    Compiling,
    Running,
}

impl Interrupter {
    pub fn new(runner: Arc<Runner>, compilers: Compilers) -> Self {
        Self {
            runner,
            relay: AtomicU32::new(0),
            compilers,
            busy: AtomicBool::new(false),
            cell: AtomicU32::new(0),
            asked: AtomicU32::new(0),
            stopped: AtomicU32::new(0),
        }
    }

    /// A cell begins.
    pub fn begin(&self, relay: u32) {
        self.relay.store(relay, Ordering::SeqCst);
        self.cell.fetch_add(1, Ordering::SeqCst);
        self.busy.store(true, Ordering::SeqCst);
    }

    /// The cell is over: returns how it was interrupted.
    pub fn end(&self) -> Interrupted {
        self.busy.store(false, Ordering::SeqCst);
        let cell = self.cell.load(Ordering::SeqCst);
        if self.asked.load(Ordering::SeqCst) != cell {
            Interrupted::No
        } else if self.stopped.load(Ordering::SeqCst) == cell {
            Interrupted::Compiling
        } else {
            Interrupted::Running
        }
    }

    /// Kills the process that runs cells, its child processes, and the relay with any process that
    /// would replace it.
    pub fn end_process(&self, relay: u32) {
        // The relay first: it would report the deaths, and evcxr would start another.
        let below = descendants(relay, 0);
        for pid in [
            &[relay],
            &below[..],
            &[self.runner.pid.load(Ordering::SeqCst)],
        ]
        .concat()
        {
            signal(pid, libc::SIGKILL);
        }
    }

    /// Kills the running cell without an interrupt: it fails like one whose process has died.
    pub fn end_cell(&self) {
        let cell = self.cell.load(Ordering::SeqCst);
        let mut killed = None;
        while self.busy.load(Ordering::SeqCst) && self.cell.load(Ordering::SeqCst) == cell {
            let runner = self.runner.pid.load(Ordering::SeqCst);
            if !self.runner.running.load(Ordering::SeqCst) {
                self.stop_compilers(cell);
            } else if killed != Some(runner) {
                killed = Some(runner);
                signal(runner, libc::SIGKILL);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The cell that began last.
    pub fn current(&self) -> u32 {
        self.cell.load(Ordering::SeqCst)
    }

    /// Interrupts the running cell, or `only` this one, and waits until it has ended.
    pub fn interrupt(&self, only: Option<u32>) {
        let began = Instant::now();
        while !self.busy.load(Ordering::SeqCst) {
            if began.elapsed() > EARLY {
                return;
            }
            std::thread::sleep(LOOK);
        }
        let cell = self.cell.load(Ordering::SeqCst);
        if only.is_some_and(|only| only != cell) {
            return;
        }
        self.asked.store(cell, Ordering::SeqCst);
        let mut since: Option<Instant> = None;
        while self.busy.load(Ordering::SeqCst) && self.cell.load(Ordering::SeqCst) == cell {
            let runner = self.runner.pid.load(Ordering::SeqCst);
            let running = self.runner.running.load(Ordering::SeqCst);
            if !running && since.is_some() {
                // It ran and has ended: the current compilation is the kernel's own.
                return;
            } else if !running {
                self.stop_compilers(cell);
            } else if let Some(since) = since {
                if since.elapsed() > PATIENCE {
                    signal(runner, libc::SIGKILL);
                    return;
                }
            } else {
                since = Some(Instant::now());
                signal(runner, libc::SIGINT);
            }
            std::thread::sleep(LOOK);
        }
    }

    fn stop_compilers(&self, cell: u32) {
        let mut stop = |pid: u32| {
            self.stopped.store(cell, Ordering::SeqCst);
            signal(pid, libc::SIGKILL);
        };
        let compiler = self.compilers.running.load(Ordering::SeqCst);
        if compiler != 0 {
            descendants(compiler, 0).into_iter().for_each(&mut stop);
            stop(compiler);
        }
        if self.compilers.cargo.load(Ordering::SeqCst) {
            let idle = self.compilers.idle.load(Ordering::SeqCst);
            let below = descendants(std::process::id(), self.relay.load(Ordering::SeqCst));
            let runs_nothing = |pid: &u32| *pid != idle && is_program(*pid, CARGOS);
            below.into_iter().filter(runs_nothing).for_each(&mut stop);
        }
    }
}

/// The programs that build crates.
const CARGOS: [&str; 4] = ["cargo", "rustc", "cc", "ld"];

/// Whether a process runs one of these programs.
fn is_program(pid: u32, programs: [&str; 4]) -> bool {
    let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    programs.contains(&name.trim()) || name.starts_with("holoscope") && is_wrapper(pid)
}

/// Whether a process of this program runs as the wrapper of rustc.
fn is_wrapper(pid: u32) -> bool {
    let args = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    args.windows(12).any(|window| window == b"--crate-name")
}

/// The compilers of a session, shared with other threads.
#[derive(Debug, Clone, Default)]
pub struct Compilers {
    /// The process that compiles a cell, or 0.
    pub running: Arc<AtomicU32>,
    /// The process that has no cell yet, or 0.
    pub idle: Arc<AtomicU32>,
    /// Whether cargo builds crates for a cell.
    pub cargo: Arc<AtomicBool>,
}

/// A handle for threads that wait.
pub struct Handle {
    pub interrupter: Arc<Interrupter>,
    pub mailbox: Mailbox,
}

impl Remote for Handle {
    fn interrupt(&self) {
        let interrupter = Arc::clone(&self.interrupter);
        std::thread::spawn(move || interrupter.interrupt(None));
    }

    fn interrupt_callbacks(&self) {
        signal(
            self.interrupter.runner.pid.load(Ordering::SeqCst),
            libc::SIGINT,
        );
    }

    fn kill(&self) {
        let it = &self.interrupter;
        it.end_process(it.relay.load(Ordering::SeqCst));
        it.stop_compilers(it.cell.load(Ordering::SeqCst));
    }

    fn comm(&self, message: String) {
        // If the process is gone, its widgets are declared dead.
        let _ = self.mailbox.tell(&Instruction::Comm { message });
    }
}
