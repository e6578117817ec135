//! `holoscope run`: a notebook from top to bottom, without a frontend.

mod cells;
mod destinations;
mod jobs;
mod parameters;
mod record;
mod results;
mod signals;
mod surroundings;

use super::arguments::RunArgs;
use super::terminal::{Terminal, say};
use super::waiting;
use crate::error::Result;
use crate::export::{self, ExportOptions};
use crate::notebook::{Notebook, Parameters};
use crate::report::outcome::CellError;
use crate::session::workspace::Workspace;
use cells::Cells;
use destinations::Destinations;
use jobs::{Job, jobs};
use results::{Results, Status};
use signals::Signals;
use std::path::Path;
use std::time::Instant;
use surroundings::{enter_folder_of, fix_data_folder};

/// Runs the notebook; the result is the exit status (see [`RunArgs`]).
pub fn run(args: &RunArgs) -> Result<i32> {
    let began = Instant::now();
    let (mut notebook, notes) = Notebook::read(&args.notebook)?;
    for note in &notes {
        say(&format!("holoscope: {}: {note}", args.notebook.display()));
    }
    notebook.complete_ids();
    warn_of_faults(&notebook, &args.notebook);
    let parameters = Parameters::read(&notebook, &args.parameters)?;
    let to = Destinations::check(args)?;
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
    // Cells read files relative to their notebook, as under Jupyter.
    enter_folder_of(&args.notebook)?;
    let mut cells = Cells::start(workspace, &image, args.timeout, signals.clone())?;
    terminal.note(&format!(
        "ready after {:.1} s (library {built:.1} s)",
        began.elapsed().as_secs_f64()
    ));
    if let Some(parameters) = &parameters {
        parameters::apply(parameters, &mut notebook, &mut cells)?;
    }
    let jobs = jobs(&notebook);
    let mut results = Results::new(notebook, to, &args.parameters, began);
    results.forget(&jobs, args.in_place);
    let failure = run_jobs(
        &jobs,
        args.allow_errors,
        &mut cells,
        &mut results,
        &mut terminal,
    );
    let status = match (&failure, signals.received()) {
        (_, Some(signal)) => Status::Ended(signal),
        (Some(_), None) => Status::Failed,
        (None, None) => Status::Complete,
    };
    let written = results.finish(&status);
    if let Ok(written) = &written {
        terminal.note(written);
    }
    // Also where the results cannot be written.
    if let Some((n, job, error)) = failure {
        report(&args.notebook, n, jobs.len(), job, &error);
    }
    written?;
    Ok(match status {
        Status::Ended(signal) => signals::status(signal),
        Status::Failed => 1,
        Status::Complete | Status::Running => 0,
    })
}

/// Says before a long run what would keep its result from being exported.
fn warn_of_faults(notebook: &Notebook, path: &Path) {
    let options = ExportOptions {
        folder: path.parent().map(Path::to_path_buf),
        ..ExportOptions::default()
    };
    for fault in export::page(notebook, &options).errors {
        say(&format!("holoscope: {}: {fault}", path.display()));
    }
}

/// Runs the cells in order, and saves after each; the failure that has stopped the run.
fn run_jobs<'a>(
    jobs: &'a [Job],
    allow_errors: bool,
    cells: &mut Cells,
    results: &mut Results,
    terminal: &mut Terminal,
) -> Option<(usize, &'a Job, CellError)> {
    for (n, job) in jobs.iter().enumerate() {
        if cells.signals().received().is_some() {
            return None;
        }
        terminal.begin(n + 1, jobs.len(), &job.section);
        let start = Instant::now();
        let failed = cells.run(job, n as u64 + 1, results, terminal);
        let seconds = start.elapsed().as_secs_f64();
        results.ran(job, n as u64 + 1, seconds);
        // On disk before anybody reads that it is.
        results.save(&Status::Running);
        let mark = match &failed {
            None => "ok",
            Some(error) if cells::is_expected(job, error) => "failed, as expected",
            Some(_) => "FAILED",
        };
        terminal.end(seconds, mark);
        match failed {
            Some(error) if cells.signals().received().is_some() => {
                return Some((n + 1, job, error));
            }
            Some(error) if mark == "FAILED" && !allow_errors => return Some((n + 1, job, error)),
            _ => {}
        }
    }
    None
}

fn report(notebook: &Path, n: usize, total: usize, job: &Job, error: &CellError) {
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
