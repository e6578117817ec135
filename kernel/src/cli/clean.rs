//! `holoscope clean`: removes what runs have left in notebooks.

use super::terminal::say;
use crate::error::{Error, Result};
use crate::notebook::{self, Cell, Notebook, NotebookText};
use clap::Args;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Removes outputs, execution counts, and the metadata that runs record (times, provenance, values
/// of expressions in the text). Cells tagged `keep-output` keep theirs. `-` reads a notebook from
/// the standard input and writes it to the standard output, as git's filters require.
///
/// Exit status: 0; 1 with --check when there is something to remove; 2 when a notebook could
/// not be read or written.
#[derive(Debug, Args)]
pub struct CleanArgs {
    /// Notebooks (.ipynb), or `-`
    #[arg(required = true, value_name = "NB")]
    pub notebooks: Vec<PathBuf>,
    /// Write nothing; report what would be removed, and exit with 1 if there is anything
    #[arg(long)]
    pub check: bool,
}

/// A cell with this tag keeps its outputs.
const KEEP: &str = "keep-output";

/// Metadata of cells that runs write.
const OF_CELLS: [&str; 3] = ["execution", "ExecuteTime", "user_expressions"];

/// Metadata of notebooks that runs write.
const OF_NOTEBOOKS: [&str; 2] = ["holoscope", "papermill"];

/// Cleans notebooks; the result is the exit status.
pub fn clean(args: &CleanArgs) -> Result<i32> {
    let mut status = 0;
    for path in &args.notebooks {
        if path == Path::new("-") {
            filter()?;
            continue;
        }
        let (mut notebook, _) = Notebook::read(path)?;
        let found = strip(&mut notebook);
        if found.is_empty() {
            continue;
        }
        let what = found.text();
        if args.check {
            status = 1;
            say(&format!("{}: {what}", path.display()));
        } else {
            write(path, &notebook)?;
            say(&format!("holoscope: {}: took out {what}", path.display()));
        }
    }
    Ok(status)
}

fn write(path: &Path, notebook: &Notebook) -> Result<()> {
    notebook::replace(path, NotebookText::of(notebook).with(notebook).as_bytes())
}

/// Cleans the standard input to the standard output.
fn filter() -> Result<()> {
    let mut bytes = Vec::new();
    let here = Path::new("standard input");
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(Error::io("read", here))?;
    let (mut notebook, _) = Notebook::from_json(&bytes).map_err(|fault| Error::Notebook {
        path: here.to_owned(),
        line: fault.line,
        reason: fault.reason,
    })?;
    strip(&mut notebook);
    let text = NotebookText::of(&notebook).with(&notebook);
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Error::io("write", "standard output"))
}

/// Counts of what was removed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    outputs: usize,
    counts: usize,
    metadata: usize,
}

impl Found {
    fn is_empty(&self) -> bool {
        *self == Found::default()
    }

    fn text(&self) -> String {
        let several = |n: usize, one: &str| match n {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {one}s")),
        };
        let parts = [
            several(self.outputs, "output"),
            several(self.counts, "execution count"),
            several(self.metadata, "metadata entry").map(|text| text.replace("entrys", "entries")),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

fn strip(notebook: &mut Notebook) -> Found {
    let mut found = Found::default();
    for cell in &mut notebook.cells {
        if !keeps(cell) {
            found.outputs += cell.outputs().len();
            cell.set_outputs(Vec::new());
        }
        found.counts += usize::from(cell.execution_count().is_some());
        cell.set_execution_count(None);
        for key in OF_CELLS {
            found.metadata += usize::from(cell.metadata.shift_remove(key).is_some());
        }
        if let Some(Value::Object(ours)) = cell.metadata.get_mut("holoscope") {
            // `options` lists metadata copied from the source; it is not a result of a run.
            let before = ours.len();
            ours.retain(|key, _| key == "options");
            found.metadata += usize::from(ours.len() < before);
            if ours.is_empty() {
                cell.metadata.shift_remove("holoscope");
            }
        }
    }
    for key in OF_NOTEBOOKS {
        found.metadata += usize::from(notebook.metadata.shift_remove(key).is_some());
    }
    found
}

fn keeps(cell: &Cell) -> bool {
    cell.has_tag(KEEP) || cell.metadata.get("keep_output") == Some(&Value::Bool(true))
}
