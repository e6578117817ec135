//! `holoscope run`: runs a notebook from top to bottom, without a frontend.

mod cells;
mod destinations;
mod inline;
mod jobs;
mod parameters;
mod provenance;
mod record;
mod results;
mod signals;
mod surroundings;

use super::arguments::RunArgs;
use super::terminal::{Terminal, say};
use super::waiting;
use crate::error::Result;
use crate::export::{self, ExportOptions};
use crate::notebook::{Notebook, Parameters, mirror_options};
use crate::report::outcome::CellError;
use crate::session::workspace::Workspace;
use crate::twin;
use cells::Cells;
use destinations::Destinations;
use inline::Texts;
pub use jobs::{Job, jobs, jobs_skipping};
use provenance::Provenance;
pub use results::{Results, Status};
use signals::Signals;
use std::path::Path;
use std::time::{Duration, Instant};
use surroundings::{enter_folder, fix_data_folder};

/// Runs the notebook; the result is the exit status (see [`RunArgs`]).
pub fn run(args: &RunArgs) -> Result<i32> {
    let began = Instant::now();
    let notebook = read(&args.notebook)?;
    warn_of_faults(&notebook, &args.notebook, args.cwd.as_deref());
    let parameters = Parameters::read(&notebook, &args.parameters)?;
    let to = Destinations::check(args)?;
    let request = Request {
        path: &args.notebook,
        given: &args.parameters,
        allow_errors: args.allow_errors,
        timeout: args.timeout,
        folder: args.cwd.as_deref(),
        keep_outputs: args.in_place,
        jobs: &jobs,
    };
    let mut done = execute(notebook, parameters.as_ref(), Some(to), &request, began)?;
    let written = done.results.finish(&done.status);
    if let Ok(written) = &written {
        done.terminal.note(written);
    }
    // Reported even if the results cannot be written.
    if let Some(failure) = &done.failure {
        report(&args.notebook, failure);
    }
    written?;
    Ok(done.status.exit_status())
}

/// Reads a notebook, and reports what was corrected in it.
pub fn read(path: &Path) -> Result<Notebook> {
    noted(path, twin::load(path)?)
}

/// Like [`read`]; a text gets the outputs of its notebook.
pub fn read_with_outputs(path: &Path) -> Result<Notebook> {
    noted(path, twin::load_with_outputs(path)?)
}

fn noted(path: &Path, (mut notebook, notes): (Notebook, Vec<String>)) -> Result<Notebook> {
    for note in &notes {
        say(&format!("holoscope: {}: {note}", path.display()));
    }
    notebook.complete_ids();
    Ok(notebook)
}

/// How a notebook is to be run.
pub struct Request<'a> {
    pub path: &'a Path,
    /// The values given with `-p`.
    pub given: &'a [(String, String)],
    pub allow_errors: bool,
    pub timeout: Option<Duration>,
    /// Where cells run; `None` for the notebook's folder.
    pub folder: Option<&'a Path>,
    /// Outputs of an earlier run stay until their cell runs.
    pub keep_outputs: bool,
    /// Which cells run.
    pub jobs: &'a dyn Fn(&Notebook) -> Vec<Job>,
}

/// A notebook that has been run.
pub struct Executed {
    pub results: Results,
    pub failure: Option<Failure>,
    pub status: Status,
    pub terminal: Terminal,
}

/// What has stopped a run.
pub enum Failure {
    Cell(FailedCell),
    /// A value in the text.
    Text(inline::Failed),
}

/// A code cell that has stopped a run.
pub struct FailedCell {
    /// Which of how many code cells it was.
    n: usize,
    total: usize,
    job: Job,
    error: CellError,
}

/// Starts a session and runs the notebook in it. It changes the process's working directory to the
/// notebook's folder, and its environment: call it once per process.
pub fn execute(
    mut notebook: Notebook,
    parameters: Option<&Parameters>,
    to: Option<Destinations>,
    request: &Request,
    began: Instant,
) -> Result<Executed> {
    let workspace = Workspace::acquire()?;
    // SAFETY: nothing has started a thread yet.
    unsafe {
        workspace.export()?;
        fix_data_folder();
    }
    let signals = Signals::listen()?;
    let mut terminal = Terminal::new();
    let image = waiting::build()?;
    let built = began.elapsed().as_secs_f64();
    enter_folder(request.path, request.folder)?;
    let mut cells = Cells::start(workspace, &image, request.timeout, signals.clone())?;
    terminal.note(&format!(
        "ready after {:.1} s (library {built:.1} s)",
        began.elapsed().as_secs_f64()
    ));
    if let Some(parameters) = parameters {
        parameters::apply(parameters, &mut notebook, &mut cells)?;
    }
    for fault in mirror_options(&mut notebook) {
        terminal.note(&format!("{}: {fault}", request.path.display()));
    }
    let jobs = (request.jobs)(&notebook);
    let mut texts = Texts::of(&mut notebook, request.keep_outputs);
    let provenance = Provenance::new(&notebook, request.given, Path::new("."));
    let mut results = Results::new(notebook, to, provenance, began);
    results.forget(&jobs, request.keep_outputs);
    let failure = run_jobs(
        &jobs,
        &mut texts,
        request.allow_errors,
        &mut cells,
        &mut results,
        &mut terminal,
    );
    let status = match (&failure, signals.received()) {
        (_, Some(signal)) => Status::Ended(signal),
        (Some(_), None) => Status::Failed,
        (None, None) => Status::Complete,
    };
    Ok(Executed {
        results,
        failure,
        status,
        terminal,
    })
}

/// Reports, before a long run, what would prevent its result from being exported.
fn warn_of_faults(notebook: &Notebook, path: &Path, folder: Option<&Path>) {
    let options = ExportOptions {
        folder: folder.or(path.parent()).map(Path::to_path_buf),
        ..ExportOptions::default()
    };
    for fault in export::page(notebook, &options).errors {
        say(&format!("holoscope: {}: {fault}", path.display()));
    }
}

/// Runs the cells in order, and saves after each; returns the failure that stopped the run.
fn run_jobs(
    jobs: &[Job],
    texts: &mut Texts,
    allow_errors: bool,
    cells: &mut Cells,
    results: &mut Results,
    terminal: &mut Terminal,
) -> Option<Failure> {
    let failed_at = |n: usize, error: CellError| {
        Failure::Cell(FailedCell {
            n: n + 1,
            total: jobs.len(),
            job: jobs[n].clone(),
            error,
        })
    };
    for (n, job) in jobs.iter().enumerate() {
        if cells.signals().received().is_some() {
            return None;
        }
        if let Some(failed) = texts.before(job.index, allow_errors, cells, results, terminal) {
            return Some(Failure::Text(failed));
        }
        terminal.begin(n + 1, jobs.len(), &job.section);
        let start = Instant::now();
        let failed = cells.run(job, n as u64 + 1, results, terminal);
        let seconds = start.elapsed().as_secs_f64();
        results.ran(job, n as u64 + 1, seconds);
        // Save before the terminal reports the cell as done.
        results.save(&Status::Running);
        let mark = match &failed {
            None => "ok",
            Some(error) if cells::is_expected(job, error) => "failed, as expected",
            Some(_) => "FAILED",
        };
        terminal.end(seconds, mark);
        match failed {
            Some(error) if cells.signals().received().is_some() => {
                return Some(failed_at(n, error));
            }
            Some(error) if mark == "FAILED" && !allow_errors && !cells::is_allowed(job, &error) => {
                return Some(failed_at(n, error));
            }
            _ => {}
        }
    }
    let failed = texts.before(usize::MAX, allow_errors, cells, results, terminal);
    failed.map(Failure::Text)
}

/// Reports why a run stopped.
pub fn report(notebook: &Path, failure: &Failure) {
    let FailedCell {
        n,
        total,
        job,
        error,
    } = match failure {
        Failure::Cell(failed) => failed,
        Failure::Text(failed) => return failed.report(notebook),
    };
    say(&format!(
        "\n{}: code cell {n} of {total} ({}) failed: {}: {}",
        notebook.display(),
        job.section,
        error.ename,
        error.evalue
    ));
    for line in &error.traceback {
        say(&format!("  {line}"));
    }
}
