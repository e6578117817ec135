//! The text formats, and how a text records its format.

use super::filter;
use super::section::{option, section};
use serde_json::{Map, Value, json};

/// The jupytext version that the written texts correspond to.
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

    /// The name in `jupytext.formats`.
    pub fn short(self) -> &'static str {
        match self {
            Format::Markdown => "md",
            Format::Myst => "md:myst",
            Format::Percent => "rs:percent",
            Format::Quarto => "qmd",
        }
    }

    /// The extension of its files, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Format::Markdown | Format::Myst => "md",
            Format::Percent => "rs",
            Format::Quarto => "qmd",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Format::Markdown => "markdown",
            Format::Myst => "myst",
            Format::Percent => "percent",
            Format::Quarto => "quarto",
        }
    }

    pub fn version(self) -> Value {
        match self {
            Format::Markdown | Format::Percent => json!("1.3"),
            Format::Myst => json!(0.13),
            Format::Quarto => json!("1.0"),
        }
    }

    /// The prefix of each line of its header.
    pub fn prefix(self) -> &'static str {
        match self {
            Format::Percent => "//",
            _ => "",
        }
    }
}

/// Records the format of a text in its metadata, and keeps only those that are written to
/// a text.
pub fn describe(metadata: &mut Map<String, Value>, format: Format) {
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

/// `jupytext.formats` with this format instead of the one with the same extension.
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
pub fn language(metadata: &Map<String, Value>) -> Option<String> {
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
