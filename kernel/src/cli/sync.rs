//! `holoscope sync`: keeps a notebook and its text in sync.

mod pair;

use super::terminal::say;
use crate::error::{Error, Result};
use crate::notebook::Notebook;
use crate::twin::{self, Format};
use clap::Args;
use pair::{Pair, Side, Step, refuse};
use std::path::{Path, PathBuf};

/// Which of the two changed is determined by content: the notebook stores digests of both as of the
/// last sync. File times are ignored. The text holds cells and their metadata; outputs stay in
/// the notebook, and move with their cells.
///
/// Formats: `md` (Markdown), `myst` (MyST Markdown) and `rs` (a Rust file with `// %%`) are
/// jupytext's, byte for byte; `qmd` is Quarto's. The notebook records its format as jupytext does
/// (`jupytext.formats`), so that `holoscope sync NB` is enough later, and jupytext keeps working.
///
/// Exit status: 0 when all is in sync, 1 with --check when it is not, 2 when it could not be done.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Notebooks (.ipynb) or their texts (.md, .rs, .qmd)
    #[arg(required = true, value_name = "NB")]
    pub files: Vec<PathBuf>,
    /// The format of the text, the first time
    #[arg(long, value_name = "md|myst|rs|qmd", value_parser = format)]
    pub to: Option<Format>,
    /// Whose cells to keep when both have changed
    #[arg(long, value_name = "ipynb|text")]
    pub from: Option<Side>,
    /// Write nothing; exit with 1 if something would be written
    #[arg(long)]
    pub check: bool,
}

pub fn format(name: &str) -> std::result::Result<Format, String> {
    Format::parse(name).ok_or_else(|| "there are md, myst, rs and qmd".to_owned())
}

/// Syncs each pair; the result is the exit status.
pub fn sync(args: &SyncArgs) -> Result<i32> {
    let mut status = 0;
    for file in &args.files {
        status = status.max(sync_one(file, args)?);
    }
    Ok(status)
}

fn sync_one(file: &Path, args: &SyncArgs) -> Result<i32> {
    let is_notebook = file.extension().is_some_and(|end| end == "ipynb");
    let path = file.with_extension("ipynb");
    if !is_notebook {
        let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
        let Some(found) = twin::format_of(file, &text) else {
            return Err(refuse(
                file,
                "neither a notebook (.ipynb) nor the text of one (.md, .rs, .qmd)",
            ));
        };
        if !path.exists() {
            return create(file, &path, &text, found, args.check);
        }
        let (mut notebook, notes) = Notebook::read(&path)?;
        tell(&path, &notes);
        let wanted = args.to.unwrap_or(found);
        return sync_pair(&path, &mut notebook, wanted, args);
    }
    let (mut notebook, notes) = Notebook::read(&path)?;
    tell(&path, &notes);
    let formats = match args.to {
        Some(format) => vec![format],
        None => pair::formats(&path, &notebook)?,
    };
    if formats.is_empty() {
        return Err(refuse(
            &path,
            "it has no text yet; choose a format with --to md, --to myst, --to rs or --to qmd",
        ));
    }
    let mut status = 0;
    for format in formats {
        status = status.max(sync_pair(&path, &mut notebook, format, args)?);
    }
    Ok(status)
}

fn tell(path: &Path, notes: &[String]) {
    for note in notes {
        say(&format!("holoscope: {}: {note}", path.display()));
    }
}

/// Creates the notebook of a text that has none.
fn create(file: &Path, path: &Path, text: &str, format: Format, check: bool) -> Result<i32> {
    if check {
        say(&format!("holoscope: {} is missing", path.display()));
        return Ok(1);
    }
    let mut notebook = twin::read(text, format).map_err(|fault| Error::Notebook {
        path: file.to_owned(),
        line: fault.line,
        reason: fault.reason,
    })?;
    let section = notebook.metadata.get("jupytext");
    let language = section.and_then(|section| section.get("main_language"));
    if language.is_none_or(|language| language == "rust") {
        // Tells Jupyter which kernel to start.
        let ours = Notebook::new().metadata;
        let ours = ours.into_iter().filter(|(key, _)| key == "kernelspec");
        for (key, value) in ours {
            notebook.metadata.entry(key).or_insert(value);
        }
    }
    pair::adopt(&mut notebook, format);
    notebook.complete_ids();
    pair::record(&mut notebook, format, text);
    pair::save(path, &notebook)?;
    say(&format!(
        "holoscope: made {} from {}",
        path.display(),
        file.display()
    ));
    Ok(0)
}

fn sync_pair(path: &Path, notebook: &mut Notebook, format: Format, args: &SyncArgs) -> Result<i32> {
    let mut pair = Pair::new(path, notebook, format)?;
    let (name, text) = (path.display(), pair.text_path.display().to_string());
    let step = match pair.step(args.from) {
        Ok(step) => step,
        Err(reason) if args.check => {
            say(&format!("holoscope: {name}: {reason}"));
            return Ok(1);
        }
        Err(reason) => return Err(refuse(path, reason)),
    };
    if args.check && !matches!(step, Step::Nothing | Step::Record) {
        say(&format!(
            "holoscope: {name} and {text} are not in step: {}",
            step.why()
        ));
        return Ok(1);
    }
    if args.check {
        return Ok(0);
    }
    pair.take(step)?;
    match step {
        Step::Nothing | Step::Record => {}
        Step::WriteText => say(&format!("holoscope: wrote {text} from {name}")),
        Step::ReadText => say(&format!("holoscope: updated {name} from {text}")),
    }
    Ok(0)
}
