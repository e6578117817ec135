//! Notebooks as text: jupytext's Markdown, MyST and percent formats, read and written as in
//! jupytext 1.19.6, and Quarto's documents. A text contains the cells and their metadata, no
//! outputs.
//! Source: jupytext.readthedocs.io, "Notebooks as Markdown", "Notebooks as code"; quarto.org,
//! "Quarto and notebooks".

mod cells;
pub mod combine;
mod filter;
mod format;
mod formats;
mod header;
mod options;
pub mod program;
mod section;
mod text;
mod yaml;

use crate::error::{Error, Result};
use crate::notebook::Notebook;
pub use format::{Format, formats_with};
use section::section;
use serde_json::json;
use std::path::Path;
pub use yaml::Fault;

/// The format of a file, by its name and, for `.md`, its text; `None` for other files.
pub fn format_of(path: &Path, text: &str) -> Option<Format> {
    match path.extension()?.to_str()? {
        "md" if formats::myst::matches(text) => Some(Format::Myst),
        "md" => Some(Format::Markdown),
        "rs" => Some(Format::Percent),
        "qmd" => Some(Format::Quarto),
        _ => None,
    }
}

/// The text of a notebook.
pub fn write(notebook: &Notebook, format: Format) -> String {
    let mut notebook = notebook.clone();
    let mut text = match format {
        Format::Markdown => formats::markdown::write(&mut notebook),
        Format::Percent => formats::percent::write(&mut notebook),
        Format::Myst => formats::myst::write(&mut notebook),
        Format::Quarto => formats::quarto::write(&notebook),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The notebook of a text; its cells have no outputs.
///
/// # Errors
/// A header that is not YAML, and a text of another format.
pub fn read(text: &str, format: Format) -> Result<Notebook, Fault> {
    let mut notebook = match format {
        Format::Markdown => formats::markdown::read(text)?,
        Format::Percent => formats::percent::read(text)?,
        Format::Myst => formats::myst::read(text)?,
        Format::Quarto => formats::quarto::read(text)?,
    };
    if format != Format::Quarto {
        let representation = section(&mut notebook.metadata)
            .entry("text_representation")
            .or_insert_with(|| json!({}));
        representation["extension"] = format!(".{}", format.extension()).into();
        representation["format_name"] = format.name().into();
    }
    Ok(notebook)
}

/// Whether a file is a text, by its name; outputs cannot be written to a text.
pub fn is_text(path: &Path) -> bool {
    let end = path.extension();
    ["md", "rs", "qmd"]
        .iter()
        .any(|text| end.is_some_and(|end| end == *text))
}

/// [`load`], for a text with the outputs of the notebook next to it.
///
/// # Errors
/// Those of [`load`], and [`Error::Notebook`] for a text without a notebook next to it.
pub fn load_with_outputs(path: &Path) -> Result<(Notebook, Vec<String>)> {
    let (text, notes) = load(path)?;
    let format = std::fs::read_to_string(path).ok();
    let Some(format) = format.and_then(|text| format_of(path, &text)) else {
        return Ok((text, notes));
    };
    let beside = path.with_extension("ipynb");
    if !beside.exists() {
        return Err(Error::Notebook {
            path: path.to_owned(),
            line: 0,
            reason: format!(
                "a text holds no outputs, and there is no {} next to it; `holoscope sync` creates it",
                beside.display()
            ),
        });
    }
    let (notebook, notes) = Notebook::read(&beside)?;
    Ok((combine::combine(text, notebook, format), notes))
}

/// Reads a notebook, or its text; also returns notes on what was corrected.
///
/// # Errors
/// Those of [`Notebook::read`], and [`Error::Notebook`] for a text that is not a notebook.
pub fn load(path: &Path) -> Result<(Notebook, Vec<String>)> {
    if path.extension().is_none_or(|end| end == "ipynb") {
        return Notebook::read(path);
    }
    let text = std::fs::read(path).map_err(Error::io("read", path))?;
    let refuse = |line, reason: String| Error::Notebook {
        path: path.to_owned(),
        line,
        reason,
    };
    let text =
        String::from_utf8(text).map_err(|_| refuse(0, "not UTF-8; save it as UTF-8".to_owned()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let Some(format) = format_of(path, text) else {
        // Whatever the file name, the content may be a notebook.
        return Notebook::read(path);
    };
    let mut notebook = read(text, format).map_err(|fault| refuse(fault.line, fault.reason))?;
    notebook.complete_ids();
    Ok((notebook, Vec::new()))
}

#[cfg(test)]
mod tests;
