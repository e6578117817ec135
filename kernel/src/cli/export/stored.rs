//! The page of a notebook as it is stored.

use crate::cli::terminal::say;
use crate::error::{Error, Result};
use crate::export::{self, ExportOptions};
use crate::notebook::Notebook;
use crate::twin;
use std::path::{Path, PathBuf};

/// The page of a notebook with the outputs that are stored.
pub fn page(path: &Path) -> Result<String> {
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
    let page = export::page(
        &notebook,
        &ExportOptions {
            folder,
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

/// A notebook whose cells have not run gives a page of code alone.
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
