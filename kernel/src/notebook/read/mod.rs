//! Reads a notebook's text into the document: nbformat 4, and what can be upgraded
//! to it. Faults that prevent running are errors; others are corrected or left
//! out, with a note.
//! Source: nbformat/reader.py, nbformat/v4/rwbase.py.

mod bytes;
mod fault;
mod fields;
mod notes;
mod outputs;
mod upgrade;

use super::model::{Cell, CellKind, Notebook};
use fault::Fault;
use fields::{Fields, kind_of, whole};
use notes::Notes;
use outputs::join_bundle;
use serde_json::{Map, Value};

/// The minor version of nbformat 4 that this reads and writes.
const MINOR: u64 = 5;

impl Notebook {
    /// Reads the bytes of a notebook; also returns notes on what was corrected or
    /// left out.
    ///
    /// # Errors
    /// A [`Fault`] with the line where the text stops being JSON, or the cell that
    /// cannot be read.
    pub fn from_json(bytes: &[u8]) -> Result<(Notebook, Vec<String>), Fault> {
        let mut notes = Notes::default();
        let (text, encoding) = bytes::decode(bytes)?;
        encoding.into_iter().for_each(|note| notes.file(note));
        let (value, mended) = crate::json::parse(&text)?;
        mended.notes().into_iter().for_each(|note| notes.file(note));
        let Value::Object(document) = value else {
            return Err(Fault::new(1, "not a notebook: the JSON is not an object"));
        };
        let notebook = notebook(document, &mut notes)?;
        Ok((notebook, notes.finish()))
    }
}

fn notebook(mut document: Map<String, Value>, notes: &mut Notes) -> Result<Notebook, Fault> {
    // The version first: an older notebook has no `cells` at all, and "no `cells`"
    // would hide the real reason.
    let number = |value: Option<Value>| value.as_ref().and_then(whole);
    let major = number(document.shift_remove("nbformat"));
    let minor = number(document.shift_remove("nbformat_minor"));
    let (values, minor) = match major {
        Some(4) => (four(&mut document)?, minor.unwrap_or(MINOR)),
        Some(3) => {
            notes.file(format!("nbformat 3 was upgraded to nbformat 4.{MINOR}"));
            (upgrade::cells(&mut document)?, 0)
        }
        Some(other) if other > 4 => {
            return Err(Fault::new(
                0,
                format!(
                    "nbformat {other} is newer than nbformat 4, the newest that is read \
                     (save it as nbformat 4)"
                ),
            ));
        }
        Some(other) => {
            return Err(Fault::new(
                0,
                format!(
                    "nbformat {other}; only nbformat 3 and 4 are read \
                     (convert it with `jupyter nbconvert --to notebook`)"
                ),
            ));
        }
        None => return Err(Fault::new(0, "no `nbformat` number: not a notebook")),
    };
    let metadata = Fields {
        map: &mut document,
        place: "the notebook",
        notes,
    }
    .object("metadata");
    let mut cells = Vec::with_capacity(values.len());
    for (n, value) in values.into_iter().enumerate() {
        let place = format!("cell {}", n + 1);
        let cell = cell(value, &place, notes);
        cells.push(cell.map_err(|reason| Fault::new(0, format!("{place}: {reason}")))?);
    }
    let mut notebook = Notebook {
        metadata,
        minor: minor.max(MINOR),
        cells,
        extra: document,
    };
    notebook.strip_transient();
    identify(&mut notebook, major == Some(4), minor, notes);
    Ok(notebook)
}

/// The cells of an nbformat 4 document.
fn four(document: &mut Map<String, Value>) -> Result<Vec<Value>, Fault> {
    match document.shift_remove("cells") {
        Some(Value::Array(cells)) => Ok(cells),
        Some(other) => {
            let reason = format!("not a notebook: `cells` is {}, not a list", kind_of(&other));
            Err(Fault::new(0, reason))
        }
        None => Err(Fault::new(0, "not a notebook: no `cells`")),
    }
}

/// Adds missing ids, and notes the upgrade of the format version.
fn identify(notebook: &mut Notebook, four: bool, minor: u64, notes: &mut Notes) {
    let ids = |notebook: &Notebook| -> Vec<String> {
        let cells = notebook.cells.iter();
        cells.map(|cell| cell.id.clone()).collect()
    };
    let before = ids(notebook);
    notebook.complete_ids();
    let after = ids(notebook);
    let given = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    let given = match given {
        1 => "1 cell got an id".to_owned(),
        n => format!("{n} cells got an id"),
    };
    if four && minor < MINOR {
        let what = format!("nbformat 4.{minor} was upgraded to nbformat 4.{MINOR}: {given}");
        notes.file(what);
    } else if four && minor > MINOR {
        notes.file(format!(
            "nbformat 4.{minor} is newer than 4.{MINOR}: what 4.{MINOR} does not name is kept as it is"
        ));
    }
    if four && minor >= MINOR && before != after {
        notes.file(format!(
            "{given}: the old one was missing, not valid or taken"
        ));
    }
}

fn cell(value: Value, place: &str, notes: &mut Notes) -> Result<Cell, String> {
    let Value::Object(mut map) = value else {
        return Err(format!("it is {}, not an object", kind_of(&value)));
    };
    if upgrade::cell_type(&mut map) {
        notes.at(place, "a cell of an older kind was brought to nbformat 4's");
    }
    let cell_type = match map.shift_remove("cell_type") {
        Some(Value::String(name)) => name,
        Some(other) => return Err(format!("`cell_type` is {}, not a string", kind_of(&other))),
        None => return Err("`cell_type` is missing".to_owned()),
    };
    let mut fields = Fields {
        map: &mut map,
        place,
        notes,
    };
    let id = match fields.map.shift_remove("id") {
        Some(Value::String(id)) => id,
        _ => String::new(),
    };
    let metadata = fields.object("metadata");
    let source = fields.text("source")?;
    let kind = match cell_type.as_str() {
        "code" => {
            let execution_count = fields.count();
            let outputs = fields.map.shift_remove("outputs");
            CellKind::Code {
                execution_count,
                outputs: outputs::outputs(outputs, place, fields.notes),
            }
        }
        "markdown" => CellKind::Markdown,
        "raw" => CellKind::Raw,
        other => {
            return Err(format!(
                "cell_type is {other:?}; there are: code, markdown, raw"
            ));
        }
    };
    if !matches!(kind, CellKind::Code { .. }) {
        fields.code_only();
    }
    if let Some(attachments) = map.get_mut("attachments").and_then(Value::as_object_mut) {
        let bundles = attachments.values_mut();
        bundles
            .filter_map(Value::as_object_mut)
            .for_each(join_bundle);
    }
    Ok(Cell {
        id,
        metadata,
        source,
        kind,
        extra: map,
    })
}

#[cfg(test)]
mod any_json;
#[cfg(test)]
mod tests;
