//! Reading and writing cells: code shared by the line-based formats.

use super::filter;
use super::format::language;
use super::options::{self, OF_LAYOUT};
use super::section::section;
use super::text::languages;
use super::text::python::{is_blank, lines};
use crate::notebook::{Cell, CellKind, Notebook};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// A cell's lines; at least one.
pub fn source_lines(source: &str) -> Vec<String> {
    let mut found = lines(source);
    if source.is_empty() || source.ends_with('\n') {
        found.push(String::new());
    }
    found
}

/// A cell to be written to a text.
pub struct Outgoing {
    pub kind: CellKind,
    pub lines: Vec<String>,
    pub metadata: Map<String, Value>,
    pub language: String,
    /// The number of blank lines after it; by default one.
    pub blank: Option<usize>,
}

impl Outgoing {
    pub fn new(cell: &Cell, default: &str, filter: Option<&Value>) -> Outgoing {
        let mut lines = source_lines(&cell.source);
        let mut metadata = filter::filter(&cell.metadata, filter, filter::CELL);
        let magic = language_of(&mut lines);
        if let Some((language, arguments)) = &magic {
            if !arguments.is_empty() {
                metadata.insert("magic_args".to_owned(), arguments.as_str().into());
            }
            metadata.insert("language".to_owned(), language.as_str().into());
        }
        let own = cell.metadata.get("language").and_then(Value::as_str);
        let language = magic.map(|(language, _)| language);
        let language = language
            .or(own.map(str::to_owned))
            .unwrap_or(default.to_owned());
        if cell.kind == CellKind::Raw
            && !metadata.contains_key("active")
            && options::active_tag(&metadata).is_none()
        {
            metadata.insert("active".to_owned(), "".into());
        }
        let blank = cell
            .metadata
            .get("lines_to_next_cell")
            .and_then(Value::as_u64);
        Outgoing {
            kind: cell.kind.clone(),
            lines,
            metadata,
            language,
            blank: blank.and_then(|n| usize::try_from(n).ok()),
        }
    }

    /// Whether it is written as code.
    pub fn is_code(&self) -> bool {
        match self.kind {
            CellKind::Code { .. } => true,
            CellKind::Raw if self.metadata.contains_key("active") => true,
            _ => options::active_tag(&self.metadata).is_some(),
        }
    }
}

/// The language of a cell that begins with `%%bash` or similar; that line is removed.
fn language_of(lines: &mut Vec<String>) -> Option<(String, String)> {
    let magic = lines.first()?.strip_prefix("%%")?;
    let (language, arguments) = magic.split_once(' ').unwrap_or((magic, ""));
    if !languages::is_exact(language) {
        return None;
    }
    let found = (language.to_owned(), arguments.to_owned());
    lines.remove(0);
    Some(found)
}

/// A cell that was read, and the start of the next one.
pub struct Incoming {
    pub kind: CellKind,
    pub lines: Vec<String>,
    pub metadata: Map<String, Value>,
    pub language: Option<String>,
    pub blank: usize,
    pub next: usize,
}

impl Incoming {
    pub fn into_cell(self) -> Cell {
        let mut cell = Cell::of(self.kind, self.lines.join("\n"));
        cell.metadata = self.metadata;
        if self.blank != 1 {
            cell.metadata
                .insert("lines_to_next_cell".to_owned(), self.blank.into());
        }
        if let Some(language) = self.language {
            cell.metadata.insert("language".to_owned(), language.into());
        }
        cell
    }
}

/// The number of blank lines between the end of a cell and the next one.
pub fn blank_lines(end: usize, next: usize, total: usize, marked: bool) -> usize {
    if end >= total {
        return 1;
    }
    (next - end + usize::from(next >= total)).saturating_sub(usize::from(marked))
}

/// Whether the last two lines are blank and the one before is not.
pub fn ends_with_two_blank(lines: &[String]) -> bool {
    match lines {
        [.., third, second, last] => !is_blank(third) && is_blank(second) && is_blank(last),
        _ => false,
    }
}

/// Sets the languages of cells and the filters of metadata, once all cells are read.
pub fn finish(notebook: &mut Notebook, default: Option<&str>, has_header: bool, as_json: bool) {
    set_languages(notebook, default);
    let keys: BTreeSet<String> = notebook
        .cells
        .iter()
        .flat_map(|cell| cell.metadata.keys().cloned())
        .collect();
    let keys: Vec<String> = keys
        .into_iter()
        .filter(|key| !OF_LAYOUT.contains(&key.as_str()))
        .collect();
    filter::note(&mut notebook.metadata, has_header, &keys);
    if as_json {
        let section = section(&mut notebook.metadata);
        section
            .entry("cell_metadata_json")
            .or_insert(Value::Bool(true));
    }
}

fn set_languages(notebook: &mut Notebook, default: Option<&str>) {
    let main = language(&notebook.metadata).or(default.map(str::to_owned));
    let of_cell = |cell: &Cell| {
        let language = cell.metadata.get("language").and_then(Value::as_str);
        language.map(str::to_owned)
    };
    let main = main.unwrap_or_else(|| most_used(notebook.cells.iter().filter_map(of_cell)));
    let spec = notebook.metadata.get("kernelspec");
    if spec.and_then(|spec| spec.get("language")).is_none() && !notebook.cells.is_empty() {
        let section = section(&mut notebook.metadata);
        section.insert("main_language".to_owned(), main.as_str().into());
    }
    for cell in &mut notebook.cells {
        let Some(language) = of_cell(cell) else {
            continue;
        };
        if language == main {
            cell.metadata.shift_remove("language");
        } else if languages::usual(&language) != main && languages::is_exact(&language) {
            cell.metadata.shift_remove("language");
            let arguments = cell.metadata.shift_remove("magic_args");
            let arguments = arguments.as_ref().and_then(Value::as_str);
            let arguments = arguments.map(|text| format!(" {text}")).unwrap_or_default();
            cell.source = format!("%%{language}{arguments}\n{}", cell.source);
        }
    }
}

/// The language of most cells; Python if there are none, or on a tie with Python.
fn most_used(cells: impl Iterator<Item = String>) -> String {
    let mut counts: Vec<(String, usize)> = vec![("python".to_owned(), 0)];
    for language in cells.map(|name| languages::usual(&name)) {
        match counts.iter_mut().find(|(name, _)| *name == language) {
            Some((_, count)) => *count += 1,
            None => counts.push((language, 1)),
        }
    }
    // In a tie, the first.
    let best = counts.iter().rev().max_by_key(|(_, count)| *count);
    best.map_or("python".to_owned(), |(name, _)| name.clone())
}
