//! A notebook on paper, as nbformat writes it: text split into lines where it
//! splits it.
//! Source: nbformat/v4/rwbase.py and nbjson.py.

use super::json::{split_lines, to_python_json};
use super::model::{Cell, CellKind, MimeBundle, Notebook, Output, OutputKind};
use serde_json::Value;

impl Notebook {
    /// The notebook's canonical text, with a final newline.
    pub fn to_json(&self) -> String {
        let mut notebook = self.clone();
        notebook.strip_transient();
        notebook.complete_ids();
        let mut document = notebook.extra;
        document.insert("metadata".into(), notebook.metadata.into());
        document.insert("nbformat".into(), 4.into());
        document.insert("nbformat_minor".into(), notebook.minor.into());
        let cells = notebook.cells.into_iter().map(Cell::into_value).collect();
        document.insert("cells".into(), Value::Array(cells));
        to_python_json(&document.into()) + "\n"
    }
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
