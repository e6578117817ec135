//! The page of a notebook as it is stored.

use crate::cli::terminal::say;
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::live::{self, page::Live};
use crate::notebook::Notebook;
use crate::twin;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The page of a notebook with its stored outputs; `alive` adds the data of its live views.
pub fn page(path: &Path, alive: bool) -> Result<String> {
    let (notebook, notes) = twin::load_with_outputs(path)?;
    for note in notes {
        say(&format!("holoscope: {}: {note}", path.display()));
    }
    warn_of_missing_outputs(&notebook, path);
    let folder = path
        .parent()
        .map(|folder| match folder.as_os_str().is_empty() {
            true => PathBuf::from("."),
            false => folder.to_owned(),
        });
    let live = match alive {
        true => live_views(&notebook, folder.as_deref(), path),
        false => None,
    };
    let page = export::page(
        &notebook,
        &ExportOptions {
            folder,
            live,
            ..ExportOptions::default()
        },
    );
    if !page.errors.is_empty() {
        return Err(Error::Article {
            path: path.to_owned(),
            faults: page.errors,
        });
    }
    for fault in &page.faults {
        say(&format!(
            "holoscope: {}: a formula is shown as its source: {fault}",
            path.display()
        ));
    }
    Ok(page.html)
}

/// The data of a page's live views; reports why views stay static.
pub fn live_views(notebook: &Notebook, folder: Option<&Path>, path: &Path) -> Option<Arc<Live>> {
    let mut said = |text: &str| say(&format!("holoscope: {}: {text}", path.display()));
    live::of_notebook(notebook, folder.unwrap_or(Path::new(".")), &mut said).map(Arc::new)
}

/// Warns if no cell has been run: the page then shows only code.
fn warn_of_missing_outputs(notebook: &Notebook, path: &Path) {
    let code = notebook.cells.iter().filter(|cell| cell.is_code());
    let (n, run) = code.fold((0, 0), |(n, run), cell| {
        (n + 1, run + usize::from(cell.execution_count().is_some()))
    });
    if n > 0 && run == 0 {
        let path = path.display();
        say(&format!(
            "holoscope: none of the {n} cells of {path} has been run; \
             `holoscope run {path}` runs them and writes the page, too"
        ));
    }
}
