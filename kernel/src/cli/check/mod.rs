//! `holoscope check`: compares a notebook's new outputs with its stored ones.

mod arguments;
mod origins;

use super::run::{self, Job, Request, Status, jobs_skipping};
use super::terminal::say;
use crate::check::report::junit;
use crate::check::{MAY_FAIL, Report, Rules, SKIPS, compare, has_error};
use crate::error::{Error, Result};
use crate::notebook::{self, Notebook, NotebookText, Parameters};
use crate::twin;
pub use arguments::CheckArgs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Checks the notebook; the result is the exit status (see [`CheckArgs`]).
pub fn check(args: &CheckArgs) -> Result<i32> {
    let began = Instant::now();
    let rules = rules(args)?;
    let stored = run::read_with_outputs(&args.notebook)?;
    // Resolve paths before the run changes to the notebook's folder.
    let places = Places::of(args)?;
    let Checked {
        report,
        status,
        origins,
    } = match &args.against {
        Some(other) => {
            let other = run::read_with_outputs(other)?;
            Checked {
                report: compare(&stored, &other, &rules, &[]),
                status: Status::Complete,
                origins: origins::differences(&stored, &other),
            }
        }
        None => afresh(&stored, args, &rules, &places, began)?,
    };
    // The reader of a pipe may close it early.
    let _ = write!(std::io::stdout(), "{report}");
    if !report.is_same() {
        for line in &origins {
            say(&format!("holoscope: stored -> now: {line}"));
        }
    }
    if let Some(path) = &places.junit {
        let name = args.notebook.display().to_string();
        let xml = junit::xml(&report, &name, began.elapsed().as_secs_f64());
        notebook::replace(path, xml.as_bytes())?;
    }
    say(&format!(
        "holoscope: {}: {}",
        args.notebook.display(),
        report.summary()
    ));
    Ok(
        match (status.exit_status(), report.is_same() || args.update) {
            (0, true) => 0,
            (0, false) => 1,
            (status, _) => status,
        },
    )
}

fn rules(args: &CheckArgs) -> Result<Rules> {
    let mut rules = Rules {
        masks: args.mask.clone(),
        lax: args.lax,
        ..Rules::default()
    };
    for text in &args.tolerances {
        let added = rules.tolerances.add(text);
        added.map_err(|reason| Error::Option {
            name: "--tolerance",
            reason,
        })?;
    }
    for file in &args.sanitize_with {
        rules.sanitiser.add_file(file)?;
    }
    Ok(rules)
}

/// Where results go: absolute paths, checked to be writable before the first cell runs.
struct Places {
    junit: Option<PathBuf>,
    output: Option<PathBuf>,
    update: Option<PathBuf>,
}

impl Places {
    fn of(args: &CheckArgs) -> Result<Self> {
        let writable = |path: &Path| -> Result<PathBuf> {
            let path = std::path::absolute(path).map_err(Error::io("resolve", path))?;
            notebook::check_replaceable(&path)?;
            Ok(path)
        };
        if args.update && twin::is_text(&args.notebook) {
            return Err(Error::Destination {
                path: args.notebook.clone(),
                reason: "a text holds no outputs; `holoscope sync` it, and check its notebook with --update"
                    .to_owned(),
            });
        }
        let optional = |path: &Option<PathBuf>| path.as_deref().map(writable).transpose();
        Ok(Self {
            junit: optional(&args.junit)?,
            output: optional(&args.output)?,
            update: match args.update {
                true => Some(writable(&args.notebook)?),
                false => None,
            },
        })
    }
}

/// What a check has found.
struct Checked {
    report: Report,
    status: Status,
    /// Differences between the origins of the two notebooks.
    origins: Vec<String>,
}

/// Runs the notebook, and compares.
fn afresh(
    stored: &Notebook,
    args: &CheckArgs,
    rules: &Rules,
    places: &Places,
    began: Instant,
) -> Result<Checked> {
    let parameters = Parameters::read(stored, &args.parameters)?;
    let request = Request {
        path: &args.notebook,
        given: &args.parameters,
        allow_errors: args.allow_errors,
        timeout: args.timeout,
        folder: None,
        keep_outputs: false,
        jobs: &jobs_to_check,
    };
    let done = run::execute(stored.clone(), parameters.as_ref(), None, &request, began)?;
    let ran = done.results.into_notebook(&done.status);
    if let Some(failure) = &done.failure {
        run::report(&args.notebook, failure);
    }
    let not_run = not_run(&ran);
    let report = compare(stored, &ran, rules, &not_run);
    let text = || NotebookText::of(&ran).with(&ran);
    if let Some(path) = &places.output {
        notebook::replace(path, text().as_bytes())?;
    }
    if let Some(path) = &places.update {
        match done.status {
            Status::Complete => {
                notebook::replace(path, text().as_bytes())?;
                say(&format!(
                    "holoscope: stored the new outputs in {}",
                    path.display()
                ));
            }
            _ => say("holoscope: a cell failed, or the run was ended: nothing was stored"),
        }
    }
    Ok(Checked {
        report,
        status: done.status,
        origins: origins::differences(stored, &ran),
    })
}

/// The cells that a check runs: one whose stored output is an error may fail again.
fn jobs_to_check(notebook: &Notebook) -> Vec<Job> {
    let mut jobs = jobs_skipping(notebook, &SKIPS);
    for job in &mut jobs {
        let cell = &notebook.cells[job.index];
        job.may_fail = has_error(cell) || cell.has_tag(MAY_FAIL);
    }
    jobs
}

/// The cells that the run did not reach: they have no execution count.
fn not_run(ran: &Notebook) -> Vec<String> {
    let jobs = jobs_skipping(ran, &SKIPS).into_iter();
    let left = jobs.filter(|job| ran.cells[job.index].execution_count().is_none());
    left.map(|job| job.id).collect()
}
