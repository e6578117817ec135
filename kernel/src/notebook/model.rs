//! The nbformat 4.5 document: cells, their outputs, and all metadata. Each text is held as
//! one string; in the file it is a list of lines.
//! Source: nbformat.readthedocs.io and nbformat/v4/rwbase.py.

use crate::error::{Error, Result};
pub use crate::run::output::event::{MimeBundle, StreamName};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::path::Path;

/// A notebook document.
#[derive(Debug, Clone, PartialEq)]
pub struct Notebook {
    /// Notebook-wide metadata: `kernelspec`, `language_info`, `holoscope`, ...
    pub metadata: Map<String, Value>,
    /// The minor version of format 4; at least 5 once read.
    pub minor: u64,
    pub cells: Vec<Cell>,
    /// Top-level fields that the format does not name.
    pub extra: Map<String, Value>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Unique within its notebook: 1 to 64 of `[A-Za-z0-9_-]`; empty means "not given yet".
    pub id: String,
    pub metadata: Map<String, Value>,
    pub source: String,
    pub kind: CellKind,
    /// `attachments`, and fields that the format does not name.
    pub extra: Map<String, Value>,
}

/// The kind of a cell.
#[derive(Debug, Clone, PartialEq)]
pub enum CellKind {
    Code {
        execution_count: Option<u64>,
        outputs: Vec<Output>,
    },
    Markdown,
    Raw,
}

impl CellKind {
    /// Code that has not run.
    pub fn code() -> CellKind {
        CellKind::Code {
            execution_count: None,
            outputs: Vec::new(),
        }
    }
}

/// One output of a code cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    pub kind: OutputKind,
    /// Fields that the format does not name.
    pub extra: Map<String, Value>,
}

/// The kind of an output.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputKind {
    Stream {
        name: StreamName,
        text: String,
    },
    Display {
        data: MimeBundle,
        metadata: Map<String, Value>,
    },
    ExecuteResult {
        execution_count: Option<u64>,
        data: MimeBundle,
        metadata: Map<String, Value>,
    },
    Error {
        ename: String,
        evalue: String,
        traceback: Vec<String>,
    },
}

impl From<OutputKind> for Output {
    fn from(kind: OutputKind) -> Output {
        Output {
            kind,
            extra: Map::new(),
        }
    }
}

impl Notebook {
    /// An empty notebook for the Holoscope kernel.
    pub fn new() -> Notebook {
        let metadata = json!({
            "kernelspec": {"display_name": "Rust (Holoscope)", "language": "rust", "name": "holoscope"},
            "language_info": {"file_extension": ".rs", "mimetype": "text/rust", "name": "rust"},
        });
        Notebook {
            metadata: object(metadata),
            minor: 5,
            cells: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Reads a notebook of nbformat 3 or 4. Also returns a line for each kind of thing that
    /// was upgraded, corrected or left out. Invalid outputs are never an error; they are
    /// left out. Cells without an id, or with a malformed or duplicate one, get a new one.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::Notebook`] for one that is
    /// empty, truncated, not JSON (with the line) or of another format, and for a cell
    /// whose type or source cannot be read.
    pub fn read(path: &Path) -> Result<(Notebook, Vec<String>)> {
        let text = std::fs::read(path).map_err(Error::io("read", path))?;
        Notebook::from_json(&text).map_err(|fault| Error::Notebook {
            path: path.to_owned(),
            line: fault.line,
            reason: fault.reason,
        })
    }

    /// Assigns an id to every cell without one. The id is derived from the cell's position
    /// and text, so that the same notebook gets the same ids.
    pub fn complete_ids(&mut self) {
        let mut taken = HashSet::new();
        for (index, cell) in self.cells.iter_mut().enumerate() {
            let mut salt = index as u64;
            while !is_valid_id(&cell.id) || taken.contains(&cell.id) {
                cell.id = format!("{:08x}", fnv1a(&cell.source, salt) as u32);
                salt += 1 << 20;
            }
            taken.insert(cell.id.clone());
        }
    }

    /// Removes what nbformat removes on both reading and writing.
    pub(super) fn strip_transient(&mut self) {
        for key in TRANSIENT {
            self.metadata.shift_remove(key);
        }
        for cell in &mut self.cells {
            cell.strip_transient();
        }
    }
}

/// Metadata of a notebook that are never stored in the file.
pub(super) const TRANSIENT: [&str; 3] = ["orig_nbformat", "orig_nbformat_minor", "signature"];

impl Default for Notebook {
    fn default() -> Self {
        Notebook::new()
    }
}

impl Cell {
    /// A code cell not yet run.
    pub fn code(source: impl Into<String>) -> Cell {
        Cell::of(CellKind::code(), source)
    }

    /// A Markdown cell.
    #[cfg(test)]
    pub fn markdown(source: impl Into<String>) -> Cell {
        Cell::of(CellKind::Markdown, source)
    }

    /// A raw cell.
    pub fn raw(source: impl Into<String>) -> Cell {
        Cell::of(CellKind::Raw, source)
    }

    /// A cell of this kind, without an id.
    pub fn of(kind: CellKind, source: impl Into<String>) -> Cell {
        Cell {
            id: String::new(),
            metadata: Map::new(),
            source: source.into(),
            kind,
            extra: Map::new(),
        }
    }

    pub(super) fn strip_transient(&mut self) {
        self.metadata.shift_remove("trusted");
    }

    pub fn is_code(&self) -> bool {
        matches!(self.kind, CellKind::Code { .. })
    }

    /// The outputs of a code cell; none for other cells.
    pub fn outputs(&self) -> &[Output] {
        match &self.kind {
            CellKind::Code { outputs, .. } => outputs,
            CellKind::Markdown | CellKind::Raw => &[],
        }
    }

    /// The count of a code cell that has run.
    pub fn execution_count(&self) -> Option<u64> {
        match self.kind {
            CellKind::Code {
                execution_count, ..
            } => execution_count,
            CellKind::Markdown | CellKind::Raw => None,
        }
    }

    /// Replaces the outputs of a code cell; other cells are unchanged.
    pub fn set_outputs(&mut self, new: Vec<Output>) {
        if let CellKind::Code { outputs, .. } = &mut self.kind {
            *outputs = new;
        }
    }

    /// Sets the `In [n]` of a code cell, or `None` for one that has not run.
    pub fn set_execution_count(&mut self, count: Option<u64>) {
        if let CellKind::Code {
            execution_count, ..
        } = &mut self.kind
        {
            *execution_count = count;
        }
    }

    /// Whether `metadata.tags` holds `tag`; `remove_cell` counts as `remove-cell`.
    pub fn has_tag(&self, tag: &str) -> bool {
        let same = |given: &str| given.trim().replace('_', "-") == tag.replace('_', "-");
        match self.metadata.get("tags") {
            Some(Value::Array(tags)) => tags.iter().filter_map(Value::as_str).any(same),
            // A list written as one string.
            Some(Value::String(tags)) => tags.split([',', ' ', '\n']).any(same),
            _ => false,
        }
    }

    /// How long the cell ran, from `metadata.holoscope.seconds`.
    pub fn seconds(&self) -> Option<f64> {
        self.metadata.get("holoscope")?.get("seconds")?.as_f64()
    }

    /// Records how long the cell ran, in `metadata.holoscope.seconds`.
    pub fn set_seconds(&mut self, seconds: f64) {
        let ours = self
            .metadata
            .entry("holoscope")
            .or_insert_with(|| json!({}));
        if !ours.is_object() {
            *ours = json!({});
        }
        ours["seconds"] = seconds.into();
    }
}

/// The map inside a JSON object literal.
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn is_valid_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// 64-bit FNV-1a: used for ids, not for security.
fn fnv1a(text: &str, salt: u64) -> u64 {
    let bytes = text.bytes().chain(salt.to_le_bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash
}
