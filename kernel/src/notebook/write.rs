//! Writes a notebook as nbformat does, including how it splits text into lines.
//! Source: nbformat/v4/rwbase.py and nbjson.py.

use super::json::{split_lines, to_python_json};
use super::model::{Cell, CellKind, MimeBundle, Notebook, Output, OutputKind, TRANSIENT};
use serde_json::Value;

/// Placeholder for the cells in a notebook's text.
const CELLS: &str = "  \"the cells of the notebook\"";

#[cfg(test)]
impl Notebook {
    /// The notebook's canonical text, with a final newline.
    pub fn to_json(&self) -> String {
        let mut notebook = self.clone();
        notebook.complete_ids();
        NotebookText::of(&notebook).with(&notebook)
    }
}

/// The texts of a notebook's cells, for writing it repeatedly while few of them change.
#[derive(Debug, Clone, Default)]
pub struct NotebookText {
    cells: Vec<String>,
}

impl NotebookText {
    /// The cells of a notebook whose ids are complete (see [`Notebook::complete_ids`]).
    pub fn of(notebook: &Notebook) -> Self {
        Self {
            cells: notebook.cells.iter().map(cell_text).collect(),
        }
    }

    /// Updates a changed cell.
    pub fn set(&mut self, at: usize, cell: &Cell) {
        self.cells[at] = cell_text(cell);
    }

    /// The notebook's canonical text with these cells, with a final newline.
    pub fn with(&self, notebook: &Notebook) -> String {
        let mut document = notebook.extra.clone();
        let mut metadata = notebook.metadata.clone();
        for key in TRANSIENT {
            metadata.shift_remove(key);
        }
        document.insert("metadata".into(), metadata.into());
        document.insert("nbformat".into(), 4.into());
        document.insert("nbformat_minor".into(), notebook.minor.into());
        let stand_in: Vec<Value> = match self.cells.is_empty() {
            true => Vec::new(),
            false => vec![CELLS.trim().trim_matches('"').into()],
        };
        document.insert("cells".into(), stand_in.into());
        let around = to_python_json(&document.into());
        let size: usize = self.cells.iter().map(|cell| cell.len() + 2).sum();
        let mut text = String::with_capacity(around.len() + size + 1);
        // Keys are sorted: the fields before the cells may contain any text.
        match around.split_once(&format!("\n \"cells\": [\n{CELLS}\n ]")) {
            Some((before, behind)) => {
                text.push_str(before);
                text.push_str("\n \"cells\": [\n");
                text.push_str(&self.cells.join(",\n"));
                text.push_str("\n ]");
                text.push_str(behind);
            }
            None => text.push_str(&around),
        }
        text.push('\n');
        text
    }
}

/// A cell's text, as indented in the notebook's.
fn cell_text(cell: &Cell) -> String {
    let mut cell = cell.clone();
    cell.strip_transient();
    // Line breaks within strings are escaped, so this only indents.
    let text = to_python_json(&cell.into_value());
    format!("  {}", text.replace('\n', "\n  "))
}

impl Cell {
    fn into_value(self) -> Value {
        let mut cell = self.extra;
        if let Some(attachments) = cell.get_mut("attachments").and_then(Value::as_object_mut) {
            for bundle in attachments.values_mut().filter_map(Value::as_object_mut) {
                split_bundle(bundle);
            }
        }
        let cell_type = match self.kind {
            CellKind::Code {
                execution_count,
                outputs,
            } => {
                cell.insert("execution_count".into(), execution_count.into());
                let outputs = outputs.into_iter().map(Output::into_value).collect();
                cell.insert("outputs".into(), outputs);
                "code"
            }
            CellKind::Markdown => "markdown",
            CellKind::Raw => "raw",
        };
        cell.insert("cell_type".into(), cell_type.into());
        cell.insert("id".into(), self.id.into());
        cell.insert("metadata".into(), self.metadata.into());
        cell.insert("source".into(), split_lines(&self.source).into());
        cell.into()
    }
}

impl Output {
    fn into_value(self) -> Value {
        let mut output = self.extra;
        let mut put = |key: &str, value: Value| output.insert(key.to_owned(), value);
        match self.kind {
            OutputKind::Stream { name, text } => {
                put("output_type", "stream".into());
                put("name", name.as_str().into());
                put("text", split_lines(&text).into());
            }
            OutputKind::Display { mut data, metadata } => {
                split_bundle(&mut data);
                put("output_type", "display_data".into());
                put("data", data.into());
                put("metadata", metadata.into());
            }
            OutputKind::ExecuteResult {
                execution_count,
                mut data,
                metadata,
            } => {
                split_bundle(&mut data);
                put("output_type", "execute_result".into());
                put("execution_count", execution_count.into());
                put("data", data.into());
                put("metadata", metadata.into());
            }
            OutputKind::Error {
                ename,
                evalue,
                traceback,
            } => {
                put("output_type", "error".into());
                put("ename", ename.into());
                put("evalue", evalue.into());
                put("traceback", traceback.into());
            }
        }
        output.into()
    }
}

fn split_bundle(bundle: &mut MimeBundle) {
    for (mime, value) in bundle.iter_mut() {
        let splits = mime.starts_with("text/")
            || matches!(mime.as_str(), "application/javascript" | "image/svg+xml");
        if let Value::String(text) = value
            && splits
        {
            *value = split_lines(text).into();
        }
    }
}
