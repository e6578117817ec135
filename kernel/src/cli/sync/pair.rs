//! A notebook, its text, and which of them has changed since they were last in sync.

use crate::digest;
use crate::error::{Error, Result};
use crate::notebook::{self, Notebook, NotebookText, mirror_options, option_mark};
use crate::twin::{self, Format, combine};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The metadata key of the last synced state: the digests of both sides, by file extension.
const RECORD: &str = "holoscope_sync";

/// Metadata of cells that every run writes; they stay out of texts.
const OF_RUNS: [&str; 2] = ["holoscope", "user_expressions"];

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Ipynb,
    Text,
}

/// The error of a pair that cannot be synced.
pub fn refuse(path: &Path, reason: impl Into<String>) -> Error {
    Error::Notebook {
        path: path.to_owned(),
        line: 0,
        reason: reason.into(),
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Nothing,
    /// Both are the same, but this is not recorded yet.
    Record,
    WriteText,
    ReadText,
}

impl Step {
    pub fn why(self) -> &'static str {
        match self {
            Step::Nothing => "they are",
            Step::Record => "they agree, and were never recorded as a pair",
            Step::WriteText => "the notebook has changed",
            Step::ReadText => "the text has changed",
        }
    }
}

/// The formats of the texts that a notebook is paired with.
///
/// # Errors
/// If there are formats in other folders or with other names, which are not supported.
pub fn formats(path: &Path, notebook: &Notebook) -> Result<Vec<Format>> {
    let formats = notebook
        .metadata
        .get("jupytext")
        .and_then(|section| section.get("formats"));
    let mut found = Vec::new();
    for entry in formats
        .and_then(Value::as_str)
        .unwrap_or_default()
        .split(',')
    {
        match (entry.trim(), Format::parse(entry)) {
            ("" | "ipynb", _) => {}
            (_, Some(format)) => found.push(format),
            (other, None) => {
                return Err(refuse(
                    path,
                    format!(
                        "`jupytext.formats` names {other:?}; holoscope reads md, md:myst, rs:percent \
                         and qmd beside the notebook (take the others out, or say --to)"
                    ),
                ));
            }
        }
    }
    Ok(found)
}

/// Records in a notebook that it has a text of this format, and what that text leaves out.
pub fn adopt(notebook: &mut Notebook, format: Format) {
    pair_up(notebook, format);
    // Sort as the file will be sorted: MyST writes options in this order.
    let cells = notebook.cells.iter_mut().map(|cell| &mut cell.metadata);
    for metadata in cells.chain([&mut notebook.metadata]) {
        metadata.sort_keys();
        metadata.values_mut().for_each(Value::sort_all_objects);
    }
}

fn pair_up(notebook: &mut Notebook, format: Format) {
    // Faults in options are reported when the notebook is run or shown.
    let _ = mirror_options(notebook);
    let keys = option_keys(notebook);
    let section = notebook
        .metadata
        .entry("jupytext")
        .or_insert_with(|| json!({}));
    if !section.is_object() {
        *section = json!({});
    }
    let formats = section["formats"].as_str().unwrap_or("ipynb").to_owned();
    let known = formats
        .split(',')
        .any(|entry| Format::parse(entry) == Some(format));
    if !known {
        let updated = twin::formats_with(&formats, format);
        section["formats"] = match updated == formats {
            true => format!("{formats},{}", format.short()),
            false => updated,
        }
        .into();
    } else if section["formats"].is_null() {
        section["formats"] = formats.into();
    }
    if let Some(section) = section.as_object_mut() {
        section.shift_remove("text_representation");
    }
    // Otherwise a text with all metadata of the notebook would change with its own record.
    if let Some(filter) = section
        .get("notebook_metadata_filter")
        .and_then(Value::as_str)
    {
        let keys: Vec<&str> = filter.split(',').map(str::trim).collect();
        let hidden = format!("-{RECORD}");
        if keys.contains(&"all") && !keys.contains(&hidden.as_str()) {
            section["notebook_metadata_filter"] = format!("{filter},{hidden}").into();
        }
    }
    if format == Format::Quarto {
        return;
    }
    let filter = section.get("cell_metadata_filter").and_then(Value::as_str);
    let mut hidden: Vec<String> = filter
        .iter()
        .flat_map(|text| text.split(','))
        .map(str::to_owned)
        .collect();
    let of_runs = || OF_RUNS.map(|key| format!("-{key}")).into_iter();
    // A filter without these keys was not written here.
    if filter.is_none() || of_runs().all(|key| hidden.contains(&key)) {
        // Options in a source are mirrored in its metadata; the text needs them only once.
        let keys = keys.iter().map(|key| format!("-{key}"));
        for key in of_runs().chain(keys) {
            if !hidden.contains(&key) {
                hidden.push(key);
            }
        }
        section["cell_metadata_filter"] = hidden.join(",").into();
    }
}

/// The keys of the options in sources.
fn option_keys(notebook: &Notebook) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for cell in notebook.cells.iter().filter(|cell| cell.is_code()) {
        for line in cell
            .source
            .lines()
            .map_while(|line| Some(&line[option_mark(line)?..]))
        {
            if let Some((key, _)) = line.split_once(':')
                && !key.is_empty()
                && key
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
            {
                keys.insert(key.to_owned());
            }
        }
    }
    keys
}

fn digest_of(text: &str) -> String {
    digest::hex(Sha256::new_with_prefix(text))
}

/// Records that both sides are in sync.
pub fn record(notebook: &mut Notebook, format: Format, text: &str) {
    let ours = digest_of(&twin::write(notebook, format));
    let records = notebook.metadata.entry(RECORD).or_insert_with(|| json!({}));
    if !records.is_object() {
        *records = json!({});
    }
    records[format.extension()] = json!({"notebook": ours, "text": digest_of(text)});
}

/// Writes a notebook.
pub fn save(path: &Path, notebook: &Notebook) -> Result<()> {
    let text = NotebookText::of(notebook).with(notebook);
    notebook::replace(path, text.as_bytes())
}

pub struct Pair<'a> {
    path: &'a Path,
    pub text_path: PathBuf,
    notebook: &'a mut Notebook,
    format: Format,
    /// The notebook's metadata as they are in the file.
    before: Map<String, Value>,
    /// Whether the file lacks what [`adopt`] adds.
    unfinished: bool,
    /// The notebook as text.
    ours: String,
    /// The content of the text's file, if it exists.
    text: Option<String>,
}

impl<'a> Pair<'a> {
    pub fn new(path: &'a Path, notebook: &'a mut Notebook, format: Format) -> Result<Self> {
        let text_path = path.with_extension(format.extension());
        let text = match std::fs::read_to_string(&text_path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(Error::io("read", &text_path)(error)),
        };
        let original = notebook.clone();
        adopt(notebook, format);
        let unfinished = original != *notebook;
        let before = original.metadata;
        let ours = twin::write(notebook, format);
        Ok(Self {
            path,
            text_path,
            notebook,
            format,
            before,
            unfinished,
            ours,
            text,
        })
    }

    /// What is to be done; the reason if the user must choose.
    pub fn step(&self, from: Option<Side>) -> std::result::Result<Step, String> {
        let Some(text) = &self.text else {
            return match from {
                Some(Side::Text) => Err(format!("there is no {}", self.text_path.display())),
                _ => Ok(Step::WriteText),
            };
        };
        let record = self
            .before
            .get(RECORD)
            .and_then(|all| all.get(self.format.extension()));
        let known = |side: &str| {
            record
                .and_then(|found| found.get(side))
                .and_then(Value::as_str)
        };
        if *text == self.ours {
            let recorded = known("text") == Some(&digest_of(text)) && !self.unfinished;
            return Ok(if recorded {
                Step::Nothing
            } else {
                Step::Record
            });
        }
        let same_text = known("text") == Some(&digest_of(text));
        let same_notebook = known("notebook") == Some(&digest_of(&self.ours));
        match (from, same_text, same_notebook) {
            (Some(Side::Ipynb), _, _) => Ok(Step::WriteText),
            (Some(Side::Text), _, _) => Ok(Step::ReadText),
            (None, true, true) => Ok(Step::Nothing),
            (None, true, false) => Ok(Step::WriteText),
            (None, false, true) => Ok(Step::ReadText),
            (None, false, false) => Err(self.conflict(record.is_some())),
        }
    }

    fn conflict(&self, recorded: bool) -> String {
        let (notebook, text) = (self.path.display(), self.text_path.display());
        let what = match recorded {
            true => format!("it and {text} have both changed since they were last in step"),
            false => format!("it and {text} differ, and were never in step"),
        };
        format!(
            "{what}; nothing was written\n  \
             holoscope diff {notebook} {text}                shows how\n  \
             holoscope sync {notebook} --from ipynb   keeps the notebook's cells\n  \
             holoscope sync {notebook} --from text    keeps the text's"
        )
    }

    pub fn take(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Nothing => return Ok(()),
            Step::Record => {}
            Step::WriteText => {
                notebook::replace(&self.text_path, self.ours.as_bytes())?;
                self.text = Some(self.ours.clone());
            }
            Step::ReadText => {
                let text = self.text.as_deref().unwrap_or_default();
                let text = twin::read(text, self.format).map_err(|fault| Error::Notebook {
                    path: self.text_path.clone(),
                    line: fault.line,
                    reason: fault.reason,
                })?;
                let old = std::mem::take(self.notebook);
                *self.notebook = combine::combine(text, old, self.format);
                adopt(self.notebook, self.format);
                self.notebook.complete_ids();
            }
        }
        let text = self.text.clone().unwrap_or_default();
        record(self.notebook, self.format, &text);
        save(self.path, self.notebook)
    }
}
