//! `holoscope run`: a notebook from top to bottom, without a frontend.

use super::terminal::Terminal;
use super::{RunArgs, waiting};
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::jupyter::progress_view;
use crate::notebook::{self, Notebook, OutputEvent, Outputs, apply_parameters};
use crate::run::output::event::Event;
use crate::session::workspace::Workspace;
use crate::session::{CellError, Outcome, Session, nobody};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// One code cell to run.
struct Job {
    /// Its place among the notebook's cells.
    index: usize,
    id: String,
    source: String,
    /// The heading it stands under.
    section: String,
}

/// Where results go.
struct Destinations {
    notebook: PathBuf,
    html: PathBuf,
}

/// Runs the notebook; the status is 0 when every cell succeeded, else 1.
pub fn run(args: &RunArgs) -> Result<i32> {
    let began = Instant::now();
    let mut notebook = Notebook::read(&args.notebook)?;
    notebook.complete_ids();
    apply_parameters(&mut notebook, &args.parameters)?;
    let to = destinations(args)?;
    let workspace = Workspace::acquire()?;
    // SAFETY: nothing has started a thread yet.
    unsafe {
        workspace.export()?;
        fix_data_folder();
    }
    let mut terminal = Terminal::new();
    let image = waiting::build()?;
    let built = began.elapsed().as_secs_f64();
    // Cells read files relative to their notebook, as under Jupyter.
    enter_folder_of(&args.notebook)?;
    let late = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&late);
    let between = Box::new(move |event| {
        keep.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    });
    let mut session = Session::start(workspace, &image, between)?;
    terminal.note(&format!(
        "ready after {:.1} s (library {built:.1} s)",
        began.elapsed().as_secs_f64()
    ));

    // What an earlier run left must not look like this one's.
    for (_, cell) in notebook.code_cells_mut() {
        cell.set_outputs(Vec::new());
        cell.set_execution_count(None);
    }
    let jobs = jobs(&notebook);
    let total = jobs.len();
    let mut outputs = Outputs::new();
    let mut failure = None;
    for (n, job) in jobs.iter().enumerate() {
        terminal.begin(n + 1, total, &job.section);
        let start = Instant::now();
        let outcome = run_cell(&mut session, job, n as u64 + 1, &mut outputs, &mut terminal);
        // What threads of earlier cells have shown in between joins the last cell.
        let mut late = late.lock().unwrap_or_else(PoisonError::into_inner);
        for event in late.drain(..) {
            record(&mut outputs, &job.id, event, n as u64 + 1);
        }
        let seconds = start.elapsed().as_secs_f64();
        let cell = &mut notebook.cells[job.index];
        cell.set_execution_count(Some(n as u64 + 1));
        cell.set_seconds(seconds);
        terminal.end(seconds, outcome == Outcome::Ok);
        if let Outcome::Failed(error) = outcome {
            if args.allow_errors {
                continue;
            }
            failure = Some((n + 1, job, error));
            break;
        }
    }
    outputs.store(&mut notebook);
    stamp(&mut notebook, args, began.elapsed().as_secs_f64());
    notebook.write(&to.notebook)?;
    let page = export::html(&notebook, &page_options())?;
    notebook::replace(&to.html, page.as_bytes())?;
    terminal.note(&format!(
        "wrote {} and {} after {:.1} s",
        to.notebook.display(),
        to.html.display(),
        began.elapsed().as_secs_f64()
    ));
    match failure {
        None => Ok(0),
        Some((n, job, error)) => {
            report(&args.notebook, n, total, job, &error);
            Ok(1)
        }
    }
}

fn report(notebook: &Path, n: usize, total: usize, job: &Job, error: &CellError) {
    eprintln!(
        "\n{}: code cell {n} of {total} ({}) failed: {}: {}",
        notebook.display(),
        job.section,
        error.ename,
        error.evalue
    );
    for line in &error.traceback {
        eprintln!("  {line}");
    }
}

fn run_cell(
    session: &mut Session,
    job: &Job,
    count: u64,
    outputs: &mut Outputs,
    terminal: &mut Terminal,
) -> Outcome {
    outputs.begin(&job.id);
    // A blank cell has nothing to say, and evcxr nothing to compile.
    if job.source.trim().is_empty() {
        return Outcome::Ok;
    }
    let mut record = |event: Event| {
        if let Event::Progress(progress) = &event {
            terminal.progress(progress);
        }
        record(outputs, &job.id, event, count);
    };
    let outcome = session.execute(&job.source, count, &mut record, &nobody);
    if let Outcome::Failed(error) = &outcome {
        outputs.push(
            &job.id,
            OutputEvent::Error {
                ename: error.ename.clone(),
                evalue: error.evalue.clone(),
                traceback: error.traceback.clone(),
            },
        );
    }
    outcome
}

fn record(outputs: &mut Outputs, cell: &str, event: Event, count: u64) {
    if let Some(event) = recorded(event, count) {
        outputs.push(cell, event);
    }
}

/// What an event leaves in the notebook: of a progress bar, its last line.
fn recorded(event: Event, execution_count: u64) -> Option<OutputEvent> {
    Some(match event {
        Event::Stream { name, text } => OutputEvent::Stream { name, text },
        Event::Display {
            data,
            metadata,
            display_id,
        } => OutputEvent::Display {
            data,
            metadata,
            display_id,
        },
        Event::UpdateDisplay {
            data,
            metadata,
            display_id,
        } => OutputEvent::UpdateDisplay {
            data,
            metadata,
            display_id,
        },
        Event::ClearOutput { wait } => OutputEvent::ClearOutput { wait },
        Event::ExecuteResult { data, metadata } => OutputEvent::ExecuteResult {
            execution_count,
            data,
            metadata,
            display_id: None,
        },
        Event::Error {
            ename,
            evalue,
            traceback,
        } => OutputEvent::Error {
            ename,
            evalue,
            traceback,
        },
        Event::Progress(progress) => {
            if !progress.finished {
                return None;
            }
            OutputEvent::Display {
                data: progress_view::render(&progress),
                metadata: serde_json::Map::new(),
                display_id: None,
            }
        }
    })
}

fn page_options() -> ExportOptions {
    ExportOptions {
        // The run has entered the notebook's folder.
        folder: std::env::current_dir().ok(),
        ..ExportOptions::default()
    }
}

fn jobs(notebook: &Notebook) -> Vec<Job> {
    let mut section = String::from("start");
    let mut jobs = Vec::new();
    for (index, cell) in notebook.cells.iter().enumerate() {
        if cell.is_code() {
            jobs.push(Job {
                index,
                id: cell.id.clone(),
                source: cell.source.clone(),
                section: section.clone(),
            });
        } else if let Some(heading) = cell.source.lines().rev().find_map(|l| {
            l.strip_prefix('#')
                .map(|h| h.trim_start_matches('#').trim())
        }) {
            section = heading.replace(['`', '*'], "");
        }
    }
    jobs
}

/// Where to write, made absolute, after checking that both places can be written.
fn destinations(args: &RunArgs) -> Result<Destinations> {
    let notebook = match &args.output {
        Some(path) => path.clone(),
        None => {
            let name = args.notebook.file_name().ok_or_else(|| Error::Notebook {
                path: args.notebook.clone(),
                line: 0,
                reason: "not a file".to_owned(),
            })?;
            Path::new("out").join(name)
        }
    };
    let html = args
        .html
        .clone()
        .unwrap_or_else(|| notebook.with_extension("html"));
    let writable = |path: &Path| -> Result<PathBuf> {
        let path = std::path::absolute(path).map_err(Error::io("resolve", path))?;
        let dir = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        tempfile::NamedTempFile::new_in(dir).map_err(Error::io("write to", dir))?;
        if path.is_dir() {
            let error = std::io::Error::from(std::io::ErrorKind::IsADirectory);
            return Err(Error::io("write", &path)(error));
        }
        Ok(path)
    };
    Ok(Destinations {
        notebook: writable(&notebook)?,
        html: writable(&html)?,
    })
}

/// The library's variable for a folder with local copies of the data.
const DATA_ENV: &str = "HOLOSCOPE_DATA";

/// Whoever names a folder in a shell means it from there, and cells run elsewhere.
/// (What is not there may still be meant from the notebook's folder.)
///
/// # Safety
/// No other thread may be running: the environment is the process's own.
unsafe fn fix_data_folder() {
    if let Some(data) = std::env::var_os(DATA_ENV)
        && Path::new(&data).is_dir()
        && let Ok(data) = std::path::absolute(&data)
    {
        // SAFETY: promised by the caller.
        unsafe { std::env::set_var(DATA_ENV, data) };
    }
}

fn enter_folder_of(notebook: &Path) -> Result<()> {
    let path = std::path::absolute(notebook).map_err(Error::io("resolve", notebook))?;
    let dir = path.parent().unwrap_or(Path::new("/"));
    std::env::set_current_dir(dir).map_err(Error::io("enter", dir))
}

/// Writes into the notebook how it came about.
fn stamp(notebook: &mut Notebook, args: &RunArgs, seconds: f64) {
    let parameters: serde_json::Map<String, Value> = args
        .parameters
        .iter()
        .map(|(k, v)| (k.clone(), Value::String(v.clone())))
        .collect();
    let mut provenance = json!({
        "holoscope": env!("CARGO_PKG_VERSION"),
        "wall_seconds": (seconds * 10.0).round() / 10.0,
        "parameters": parameters,
    });
    if let Some(version) = crate::toolchain::rustc_version() {
        provenance["rustc"] = Value::String(version);
    }
    if let Some(commit) = crate::toolchain::source_commit() {
        provenance["commit"] = Value::String(commit);
    }
    notebook.metadata.insert("holoscope".to_owned(), provenance);
    notebook.metadata.insert(
        "kernelspec".to_owned(),
        json!({"display_name": "Rust (Holoscope)", "language": "rust", "name": "holoscope"}),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notebook::Cell;
    use crate::run::output::event::Progress;

    #[test]
    fn each_cell_knows_the_heading_it_stands_under() {
        let mut notebook = Notebook::new();
        notebook.cells = vec![
            Cell::code("1"),
            Cell::markdown("# `Setup`\ntext\n## 1.1 *Dependencies*\nmore"),
            Cell::code("2"),
        ];
        let sections: Vec<String> = jobs(&notebook).into_iter().map(|j| j.section).collect();
        assert_eq!(sections, ["start", "1.1 Dependencies"]);
    }

    #[test]
    fn only_the_last_state_of_a_progress_bar_is_kept() {
        let tick = |finished: bool| {
            Event::Progress(Progress {
                finished,
                ..Progress::default()
            })
        };
        assert_eq!(recorded(tick(false), 1), None);
        assert!(matches!(
            recorded(tick(true), 1),
            Some(OutputEvent::Display { .. })
        ));
    }
}
