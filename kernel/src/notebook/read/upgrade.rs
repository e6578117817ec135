//! Upgrades nbformat 3 to nbformat 4, as Python's nbformat does.
//! Source: nbformat/v4/convert.py (`upgrade`, `upgrade_cell`, `upgrade_output`).

use super::fault::Fault;
use super::fields::{kind_of, text_of};
use serde_json::{Map, Value, json};

/// The cells of an nbformat 3 document, in the form of nbformat 4; several
/// worksheets become one list.
pub fn cells(document: &mut Map<String, Value>) -> Result<Vec<Value>, Fault> {
    let Some(Value::Array(sheets)) = document.shift_remove("worksheets") else {
        return Err(Fault::new(
            0,
            "an nbformat 3 file without `worksheets`: not a notebook",
        ));
    };
    if let Some(Value::Object(metadata)) = document.get_mut("metadata") {
        metadata.shift_remove("name");
    }
    for key in ["cells", "orig_nbformat", "orig_nbformat_minor"] {
        document.shift_remove(key);
    }
    let mut cells = Vec::new();
    for (n, mut sheet) in sheets.into_iter().enumerate() {
        match sheet.get_mut("cells").map(Value::take) {
            Some(Value::Array(found)) => cells.extend(found),
            None | Some(Value::Null) => {}
            Some(other) => {
                let reason = format!(
                    "worksheet {}: `cells` is {}, not a list",
                    n + 1,
                    kind_of(&other)
                );
                return Err(Fault::new(0, reason));
            }
        }
    }
    Ok(cells.into_iter().map(cell).collect())
}

fn cell(value: Value) -> Value {
    let Value::Object(mut cell) = value else {
        return value;
    };
    if cell.get("cell_type").and_then(Value::as_str) == Some("code") {
        cell.shift_remove("language");
        if let Some(collapsed) = cell.shift_remove("collapsed") {
            let metadata = cell.entry("metadata").or_insert(Value::Null);
            if metadata.is_null() {
                *metadata = json!({});
            }
            if let Some(metadata) = metadata.as_object_mut() {
                metadata.insert("collapsed".to_owned(), collapsed);
            }
        }
        rename(&mut cell, "input", "source");
        rename(&mut cell, "prompt_number", "execution_count");
        cell.entry("execution_count").or_insert(Value::Null);
    }
    Value::Object(cell)
}

/// Converts a cell type that nbformat 4 no longer has to one that it has. Returns
/// whether it did.
pub fn cell_type(cell: &mut Map<String, Value>) -> bool {
    let new = match cell.get("cell_type").and_then(Value::as_str) {
        Some("heading") => {
            let level = cell.shift_remove("level").and_then(|level| level.as_u64());
            let level = level.unwrap_or(1).clamp(1, 6) as usize;
            if let Some(text) = text_of(cell.get("source").unwrap_or(&Value::Null)) {
                let line = text.lines().collect::<Vec<_>>().join(" ");
                let source = format!("{} {line}", "#".repeat(level));
                cell.insert("source".to_owned(), source.into());
            }
            "markdown"
        }
        Some("html") => "markdown",
        Some("plaintext") => "raw",
        _ => return false,
    };
    cell.insert("cell_type".to_owned(), new.into());
    true
}

/// Converts an output in the form of nbformat 3, or of the messages that carry
/// outputs, to one of nbformat 4. Returns whether it did.
pub fn output(output: &mut Map<String, Value>) -> bool {
    let old = output.get("output_type").and_then(Value::as_str);
    let new = match old {
        Some("pyout") => "execute_result",
        Some("pyerr") => "error",
        // As a message it changes another output; in a file it can only be shown.
        Some("update_display_data") => "display_data",
        Some(same @ ("display_data" | "execute_result" | "stream")) => same,
        _ => return false,
    }
    .to_owned();
    let mut changed = old != Some(&new);
    output.insert("output_type".to_owned(), new.clone().into());
    match new.as_str() {
        "stream" if !output.contains_key("name") => changed |= rename(output, "stream", "name"),
        "display_data" | "execute_result" => {
            if new == "execute_result" {
                changed |= rename(output, "prompt_number", "execution_count");
            }
            output.shift_remove("transient");
            if !output.contains_key("data") {
                changed |= gather(output);
            }
            if let Some(Value::Object(metadata)) = output.get_mut("metadata") {
                *metadata = std::mem::take(metadata).into_iter().map(named).collect();
            }
        }
        _ => {}
    }
    changed
}

/// Moves the fields next to `output_type` into `data`.
fn gather(output: &mut Map<String, Value>) -> bool {
    let own = ["output_type", "execution_count", "metadata"];
    let (kept, data): (Map<_, _>, Map<_, _>) = std::mem::take(output)
        .into_iter()
        .partition(|(key, _)| own.contains(&key.as_str()));
    let mut data: Map<_, _> = data.into_iter().map(named).collect();
    // In nbformat 3 JSON was stored as text.
    if let Some(text) = data.get("application/json").and_then(text_of)
        && let Ok((value, _)) = crate::json::parse(&text)
    {
        data.insert("application/json".to_owned(), value);
    }
    let moved = !data.is_empty();
    *output = kept;
    output.insert("data".to_owned(), data.into());
    moved
}

/// The MIME type for one of nbformat 3's short names.
fn named((key, value): (String, Value)) -> (String, Value) {
    let mime = match key.as_str() {
        "text" => "text/plain",
        "html" => "text/html",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpeg" => "image/jpeg",
        "latex" => "text/latex",
        "json" => "application/json",
        "javascript" => "application/javascript",
        _ => return (key, value),
    };
    (mime.to_owned(), value)
}

fn rename(map: &mut Map<String, Value>, old: &str, new: &str) -> bool {
    match map.shift_remove(old) {
        Some(value) => {
            map.insert(new.to_owned(), value);
            true
        }
        None => false,
    }
}
