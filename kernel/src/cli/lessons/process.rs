//! Runs a notebook in a separate process, with limits of time and memory.

use crate::error::{Error, Result};
use crate::notebook::{self, Notebook, NotebookText};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a run may take to save its results after a request to end.
const GRACE: Duration = Duration::from_secs(20);

/// What a run may use.
pub struct Limits {
    /// Of the whole run.
    pub time: Option<Duration>,
    /// Of one cell.
    pub cell: Option<Duration>,
    /// Of each process, in bytes.
    pub memory: Option<u64>,
    /// Whether its progress is shown.
    pub shown: bool,
}

impl Limits {
    pub fn none() -> Self {
        Self {
            time: None,
            cell: None,
            memory: None,
            shown: true,
        }
    }
}

/// A run that is over.
pub struct Run {
    /// The notebook as far as it has run.
    pub notebook: Notebook,
    /// Why the run ended before its last cell.
    pub early: Option<String>,
    pub seconds: f64,
}

/// Runs the notebook in the folder of `place`, continuing after cells that fail.
///
/// # Errors
/// [`Error::Io`]; [`Error::Run`] where no cell could be run.
pub fn run_notebook(notebook: &Notebook, place: &Path, limits: &Limits) -> Result<Run> {
    let folder = tempfile::tempdir().map_err(Error::io("create", &std::env::temp_dir()))?;
    let to_run = folder.path().join("notebook.ipynb");
    let executed = folder.path().join("executed.ipynb");
    let text = NotebookText::of(notebook).with(notebook);
    notebook::replace(&to_run, text.as_bytes())?;
    let program = std::env::current_exe().map_err(Error::io("find", "holoscope"))?;
    let mut command = Command::new(program);
    command.arg("run").arg(&to_run).arg("-o").arg(&executed);
    command.arg("--allow-errors").arg("--cwd");
    command.arg(match place.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    });
    if let Some(limit) = limits.cell {
        command
            .arg("--timeout")
            .arg(limit.as_secs_f64().to_string());
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    if !limits.shown {
        command.stderr(Stdio::null());
    }
    end_with_this_process(&mut command);
    if let Some(bytes) = limits.memory {
        limit_memory(&mut command, bytes);
    }
    let began = Instant::now();
    let child = command
        .spawn()
        .map_err(Error::io("start", "holoscope run"))?;
    let (status, timed_out) = wait(child, limits.time)?;
    let seconds = began.elapsed().as_secs_f64();
    if !executed.exists() {
        return Err(Error::Run {
            path: place.to_owned(),
            reason: match timed_out {
                true => "the time limit was reached before its first cell had run".to_owned(),
                false => "no cell could be run: try it with `holoscope run`".to_owned(),
            },
        });
    }
    let (notebook, _) = Notebook::read(&executed)?;
    Ok(Run {
        notebook,
        early: match (timed_out, status.code()) {
            (true, _) => Some("it exceeded the time limit".to_owned()),
            // Also if its page could not be written: the page is not needed.
            (false, Some(0..=2)) => None,
            (false, _) => Some(status.to_string()),
        },
        seconds,
    })
}

/// Waits for the run to end, or ends it after the limit. Returns its status and whether the limit was reached.
fn wait(mut child: Child, limit: Option<Duration>) -> Result<(ExitStatus, bool)> {
    let failed = || Error::io("wait for", "holoscope run");
    let Some(limit) = limit else {
        return Ok((child.wait().map_err(failed())?, false));
    };
    let began = Instant::now();
    let mut told = false;
    loop {
        if let Some(status) = child.try_wait().map_err(failed())? {
            return Ok((status, told));
        }
        if began.elapsed() > limit && !told {
            told = true;
            end(&mut child);
        }
        if began.elapsed() > limit + GRACE {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Signals the run to interrupt its cell, save and end.
#[cfg(unix)]
fn end(child: &mut Child) {
    if let Ok(id) = i32::try_from(child.id()) {
        // SAFETY: sends a signal to a child that has not been waited for.
        unsafe { libc::kill(id, libc::SIGTERM) };
    }
}

#[cfg(not(unix))]
fn end(child: &mut Child) {
    let _ = child.kill();
}

/// Ends the run when this process ends, since its limits are enforced here.
#[cfg(target_os = "linux")]
fn end_with_this_process(command: &mut Command) {
    use std::os::unix::process::CommandExt;
    let set = || {
        // SAFETY: a plain system call that changes only the process that makes it.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec nothing but that call is made, which allocates nothing.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(target_os = "linux"))]
fn end_with_this_process(_: &mut Command) {}

/// Limits data and heap of the process and of each of its child processes.
#[cfg(target_os = "linux")]
fn limit_memory(command: &mut Command, bytes: u64) {
    use std::os::unix::process::CommandExt;
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: bytes,
    };
    let set = move || {
        // SAFETY: one system call that reads a local value.
        match unsafe { libc::setrlimit(libc::RLIMIT_DATA, &raw const limit) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: between fork and exec nothing but that call is made, which allocates nothing.
    unsafe { command.pre_exec(set) };
}

#[cfg(not(target_os = "linux"))]
fn limit_memory(_: &mut Command, _: u64) {
    crate::cli::terminal::say("holoscope: --memory is heeded on Linux alone");
}
