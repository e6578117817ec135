//! `holoscope lint`: reports problems to correct before a notebook is shared.

mod finding;
mod labels;

use super::terminal::say;
use crate::error::Result;
use crate::notebook::{Cell, Notebook, Output, OutputKind};
use crate::twin;
use clap::Args;
use finding::Finding;
use regex::Regex;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::LazyLock;

/// Finds execution counts that are missing or out of order, outputs of more than 1 MB, absolute
/// paths, labels that are never referred to, defined twice or missing, and errors that are stored in
/// cells (except those tagged `raises-exception`).
///
/// Exit status: 0 when nothing was found, 1 when something was, 2 when a notebook could not be read.
#[derive(Debug, Args)]
pub struct LintArgs {
    /// Notebooks (.ipynb), or texts of notebooks (.md, .rs, .qmd)
    #[arg(required = true, value_name = "NB")]
    pub notebooks: Vec<PathBuf>,
}

/// A larger output makes a notebook slow to open, and heavy in git.
const LARGE: usize = 1_000_000;

/// Paths that exist on one machine only: below a home, a root or a drive.
static ABSOLUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:^|[\s"'`(=\[:])((?:/(?:home|Users|root|mnt|media|tmp|var|opt|srv|work|data)/[\w.~+-][^\s"'`)\]<>]*)|(?:[A-Za-z]:\\[\w.][^\s"'`)<>]*))"#)
        .expect("the expression is one of ours")
});

/// Lints notebooks; the result is the exit status.
pub fn lint(args: &LintArgs) -> Result<i32> {
    let mut count = 0;
    for path in &args.notebooks {
        let (notebook, notes) = twin::load(path)?;
        for note in &notes {
            say(&format!("{}: {note}", path.display()));
        }
        for Finding { cell, line, text } in findings(&notebook) {
            let place = match line {
                0 => format!("cell {cell}"),
                line => format!("cell {cell}, line {line}"),
            };
            anstream::println!("{}: {place}: {text}", path.display());
            count += 1;
        }
    }
    Ok(i32::from(count > 0))
}

fn findings(notebook: &Notebook) -> Vec<Finding> {
    let mut found = counts(notebook);
    for (n, cell) in notebook.cells.iter().enumerate() {
        let mut add = |line: usize, text: String| {
            found.push(Finding {
                cell: n + 1,
                line,
                text,
            });
        };
        for (at, line) in cell.source.lines().enumerate() {
            if let Some(path) = ABSOLUTE.captures(line).and_then(|found| found.get(1)) {
                add(
                    at + 1,
                    format!(
                        "an absolute path, which is on no other machine: {}",
                        path.as_str()
                    ),
                );
            }
        }
        of_outputs(cell, &mut add);
    }
    found.extend(labels::findings(notebook));
    found.sort();
    found
}

fn of_outputs(cell: &Cell, add: &mut dyn FnMut(usize, String)) {
    let mut named = false;
    for (n, output) in cell.outputs().iter().enumerate() {
        let size = size(output);
        if size > LARGE {
            let mega = size as f64 / 1e6;
            add(
                0,
                format!(
                    "output {} has {mega:.1} MB; more than 1 MB is slow to open and heavy in git",
                    n + 1
                ),
            );
        }
        match &output.kind {
            OutputKind::Error { ename, evalue, .. } if !cell.has_tag("raises-exception") => {
                add(0, format!("an error is stored: {ename}: {evalue}"));
            }
            OutputKind::Stream { text, .. } if !named => {
                if let Some(path) = ABSOLUTE.captures(text).and_then(|found| found.get(1)) {
                    named = true;
                    add(
                        0,
                        format!("its output shows an absolute path: {}", path.as_str()),
                    );
                }
            }
            _ => {}
        }
    }
}

fn size(output: &Output) -> usize {
    let of = |data: &serde_json::Map<String, Value>| -> usize {
        data.values()
            .map(|value| match value {
                Value::String(text) => text.len(),
                other => other.to_string().len(),
            })
            .sum()
    };
    match &output.kind {
        OutputKind::Stream { text, .. } => text.len(),
        OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => of(data),
        OutputKind::Error { traceback, .. } => traceback.iter().map(String::len).sum(),
    }
}

/// Counts must be increasing in the order of the cells, or all be missing.
fn counts(notebook: &Notebook) -> Vec<Finding> {
    let mut found = Vec::new();
    let runs = |cell: &&Cell| {
        cell.is_code() && !cell.source.trim().is_empty() && !cell.has_tag("skip-execution")
    };
    let cells = || notebook.cells.iter().enumerate();
    let any =
        cells().any(|(_, cell)| cell.execution_count().is_some() || !cell.outputs().is_empty());
    if !any {
        return found;
    }
    let mut last: Option<(u64, usize)> = None;
    for (n, cell) in cells().filter(|(_, cell)| runs(cell)) {
        let mut add = |text: String| {
            found.push(Finding {
                cell: n + 1,
                line: 0,
                text,
            });
        };
        match (cell.execution_count(), last) {
            (None, _) => add(
                "it has no execution count, though others have: it did not run with them"
                    .to_owned(),
            ),
            (Some(count), Some((before, at))) if count <= before => {
                add(format!(
                    "execution count [{count}] stands below [{before}] of cell {at}: run all cells from the top"
                ));
                last = Some((count, n + 1));
            }
            (Some(count), _) => last = Some((count, n + 1)),
        }
    }
    found
}
