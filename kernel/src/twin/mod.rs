//! Notebooks as text: jupytext's Markdown, MyST and percent formats as jupytext 1.19.6 writes and
//! reads them, and Quarto's documents. A text holds the cells and their metadata, no outputs.
//! Source: jupytext.readthedocs.io, "Notebooks as Markdown", "Notebooks as code"; quarto.org,
//! "Quarto and notebooks".

mod cells;
pub mod combine;
mod filter;
mod header;
mod markdown;
mod myst;
mod options;
mod percent;
pub mod quarto;
mod text;
pub mod yaml;

use crate::error::{Error, Result};
use crate::notebook::Notebook;
use serde_json::{Map, Value, json};
use std::path::Path;
pub use yaml::Fault;

/// The version whose texts these are.
const JUPYTEXT: &str = "1.19.6";

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// jupytext's `md`
    Markdown,
    /// jupytext's `md:myst`
    Myst,
    /// jupytext's `rs:percent`
    Percent,
    /// Quarto's `.qmd`
    Quarto,
}

impl Format {
    /// The format of this name, jupytext's or a shorter one.
    pub fn parse(name: &str) -> Option<Format> {
        Some(match name.trim().trim_start_matches('.') {
            "md" | "markdown" | "md:markdown" => Format::Markdown,
            "myst" | "md:myst" => Format::Myst,
            "rs" | "percent" | "rs:percent" => Format::Percent,
            "qmd" | "quarto" | "qmd:quarto" => Format::Quarto,
            _ => return None,
        })
    }

    /// As it stands in `jupytext.formats`.
    pub fn short(self) -> &'static str {
        match self {
            Format::Markdown => "md",
            Format::Myst => "md:myst",
            Format::Percent => "rs:percent",
            Format::Quarto => "qmd",
        }
    }

    /// The ending of its files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Markdown | Format::Myst => "md",
            Format::Percent => "rs",
            Format::Quarto => "qmd",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Myst => "myst",
            Format::Percent => "percent",
            Format::Quarto => "quarto",
        }
    }

    fn version(self) -> Value {
        match self {
            Format::Markdown | Format::Percent => json!("1.3"),
            Format::Myst => json!(0.13),
            Format::Quarto => json!("1.0"),
        }
    }

    /// What stands before each line of its header.
    fn prefix(self) -> &'static str {
        match self {
            Format::Percent => "//",
            _ => "",
        }
    }

    /// The format of a file, by its name and, for `.md`, its text; `None` for other files.
    pub fn of(path: &Path, text: &str) -> Option<Format> {
        match path.extension()?.to_str()? {
            "md" if myst::matches(text) => Some(Format::Myst),
            "md" => Some(Format::Markdown),
            "rs" => Some(Format::Percent),
            "qmd" => Some(Format::Quarto),
            _ => None,
        }
    }
}

/// The text of a notebook.
pub fn write(notebook: &Notebook, format: Format) -> String {
    let mut notebook = notebook.clone();
    let mut text = match format {
        Format::Markdown => markdown::write(&mut notebook),
        Format::Percent => percent::write(&mut notebook),
        Format::Myst => myst::write(&mut notebook),
        Format::Quarto => quarto::write(&notebook),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// The notebook that a text holds; its cells have no outputs.
///
/// # Errors
/// A header that is no YAML, and a text that is of another format.
pub fn read(text: &str, format: Format) -> Result<Notebook, Fault> {
    let mut notebook = match format {
        Format::Markdown => markdown::read(text)?,
        Format::Percent => percent::read(text)?,
        Format::Myst => myst::read(text)?,
        Format::Quarto => quarto::read(text)?,
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

/// Reads a notebook, or the text of one; beside it, what was set right.
///
/// # Errors
/// Those of [`Notebook::read`], and [`Error::Notebook`] for a text that is no notebook.
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
    let Some(format) = Format::of(path, text) else {
        // Whatever its name, its text may be a notebook.
        return Notebook::read(path);
    };
    let mut notebook = read(text, format).map_err(|fault| refuse(fault.line, fault.reason))?;
    notebook.complete_ids();
    Ok((notebook, Vec::new()))
}

/// The `jupytext` section of a notebook's metadata, made where there is none.
fn section(metadata: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let section = metadata.entry("jupytext").or_insert_with(|| json!({}));
    if !section.is_object() {
        *section = json!({});
    }
    section.as_object_mut().expect("it was made an object")
}

/// An option of the `jupytext` section.
fn option<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    metadata.get("jupytext")?.get(name)
}

fn is_set(metadata: &Map<String, Value>, name: &str) -> Option<bool> {
    option(metadata, name)?.as_bool()
}

/// Writes into metadata which format a text has, and leaves only what belongs into a text.
fn describe(metadata: &mut Map<String, Value>, format: Format) {
    let representation = json!({
        "extension": format!(".{}", format.extension()),
        "format_name": format.name(),
        "format_version": format.version(),
        "jupytext_version": JUPYTEXT,
    });
    if let Some(Value::String(formats)) = option(metadata, "formats") {
        let formats = formats_with(formats, format);
        section(metadata).insert("formats".to_owned(), formats.into());
    }
    section(metadata).insert("text_representation".to_owned(), representation);
    let user = option(metadata, "notebook_metadata_filter").cloned();
    *metadata = filter::filter(metadata, user.as_ref(), filter::NOTEBOOK);
}

/// `jupytext.formats` with this format in the place of the one with the same ending.
pub fn formats_with(formats: &str, format: Format) -> String {
    let mut found = false;
    let updated = formats.split(',').map(|entry| {
        let ending = entry.split(':').next().unwrap_or_default();
        match !found && ending == format.extension() {
            true => {
                found = true;
                format.short()
            }
            false => entry,
        }
    });
    updated.collect::<Vec<_>>().join(",")
}

/// The language of a notebook's code.
fn language(metadata: &Map<String, Value>) -> Option<String> {
    let main = option(metadata, "main_language").and_then(Value::as_str);
    let kernel = metadata
        .get("kernelspec")
        .and_then(|spec| spec.get("language"));
    let kernel = kernel
        .and_then(Value::as_str)
        .filter(|name| !name.is_empty());
    let name = main.or(kernel)?;
    Some(match name {
        "R" | "sas" => name.to_owned(),
        name if name.starts_with("C++") => "c++".to_owned(),
        name => name.to_lowercase().replace('#', "sharp"),
    })
}

#[cfg(test)]
mod tests;
