//! A notebook on paper: reading (with the line of a fault) and writing, text
//! split into lines where nbformat splits it.
//! Source: nbformat/v4/rwbase.py and nbjson.py.

use super::json::{split_lines, to_python_json};
use super::model::{Cell, CellKind, MimeBundle, Notebook, Output, OutputKind, StreamName};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

impl Notebook {
    /// Reads the text of a notebook.
    ///
    /// # Errors
    /// A [`Fault`] with the line where reading stopped.
    pub fn from_json(text: &[u8]) -> Result<Notebook, Fault> {
        if text.trim_ascii().is_empty() {
            return Err(Fault::new(0, "the file is empty, not a notebook"));
        }
        // The version first: an older notebook has no `cells` at all, and
        // "missing field" would hide the real reason.
        let version: Version = serde_json::from_slice(text).map_err(Fault::from)?;
        if !text.trim_ascii_start().starts_with(b"{") {
            return Err(Fault::new(1, "not a notebook: the JSON is no object"));
        }
        match version.nbformat.as_ref().map(Value::as_u64) {
            Some(Some(4)) => {}
            Some(Some(other)) => {
                return Err(Fault::new(
                    0,
                    format!(
                        "nbformat {other}; only nbformat 4 is read \
                         (convert with `jupyter nbconvert --to notebook`)"
                    ),
                ));
            }
            _ => return Err(Fault::new(0, "no `nbformat` number: not a notebook")),
        }
        let raw: RawNotebook = serde_json::from_slice(text).map_err(Fault::from)?;
        let mut notebook = Notebook {
            metadata: raw.metadata,
            minor: raw.nbformat_minor.max(5),
            cells: raw.cells,
            extra: raw.extra,
        };
        notebook.extra.shift_remove("nbformat");
        notebook.strip_transient();
        notebook.complete_ids();
        Ok(notebook)
    }

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

/// Why a text is no notebook, and in which line (0: no one line).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub line: usize,
    pub reason: String,
}

impl Fault {
    fn new(line: usize, reason: impl Into<String>) -> Fault {
        Fault {
            line,
            reason: reason.into(),
        }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        use serde_json::error::Category;
        let (line, column) = (error.line(), error.column());
        // serde_json ends its message with the place, which we say ourselves.
        let message = error.to_string();
        let what = message
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&message);
        let reason = match error.classify() {
            Category::Eof => "the file ends too early: it was cut short".to_owned(),
            Category::Syntax | Category::Io => format!("not JSON: {what} (column {column})"),
            Category::Data => format!("not a notebook: {what}"),
        };
        Fault::new(line, reason)
    }
}

#[derive(Deserialize)]
struct Version {
    nbformat: Option<Value>,
}

#[derive(Deserialize)]
struct RawNotebook {
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    nbformat_minor: u64,
    cells: Vec<Cell>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct RawCell {
    cell_type: String,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
    #[serde(default)]
    source: Lines,
    #[serde(default)]
    execution_count: Option<u64>,
    #[serde(default)]
    outputs: Vec<Output>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

#[derive(Deserialize)]
pub(super) struct RawOutput {
    output_type: String,
    name: Option<StreamName>,
    text: Option<Lines>,
    data: Option<MimeBundle>,
    metadata: Option<Map<String, Value>>,
    execution_count: Option<u64>,
    ename: Option<String>,
    evalue: Option<String>,
    traceback: Option<Vec<String>>,
    #[serde(flatten)]
    extra: Map<String, Value>,
}

/// Text on paper: one string, or a list of lines.
#[derive(Deserialize)]
#[serde(untagged, expecting = "text must be a string or a list of strings")]
enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Default for Lines {
    fn default() -> Self {
        Lines::One(String::new())
    }
}

impl Lines {
    fn join(self) -> String {
        match self {
            Lines::One(text) => text,
            Lines::Many(lines) => lines.concat(),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawCell::deserialize(deserializer)?;
        raw.try_into().map_err(serde::de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Output {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = RawOutput::deserialize(deserializer)?;
        raw.try_into().map_err(serde::de::Error::custom)
    }
}

impl TryFrom<RawCell> for Cell {
    type Error = String;

    fn try_from(raw: RawCell) -> Result<Cell, String> {
        let kind = match raw.cell_type.as_str() {
            "code" => CellKind::Code {
                execution_count: raw.execution_count,
                outputs: raw.outputs,
            },
            "markdown" => CellKind::Markdown,
            "raw" => CellKind::Raw,
            other => {
                return Err(format!(
                    "cell_type is {other:?}; there are: code, markdown, raw"
                ));
            }
        };
        let mut extra = raw.extra;
        if let Some(attachments) = extra.get_mut("attachments").and_then(Value::as_object_mut) {
            for bundle in attachments.values_mut().filter_map(Value::as_object_mut) {
                join_bundle(bundle);
            }
        }
        Ok(Cell {
            id: raw.id.unwrap_or_default(),
            metadata: raw.metadata,
            source: raw.source.join(),
            kind,
            extra,
        })
    }
}

impl TryFrom<RawOutput> for Output {
    type Error = String;

    fn try_from(raw: RawOutput) -> Result<Output, String> {
        let mut data = raw.data.unwrap_or_default();
        join_bundle(&mut data);
        let metadata = raw.metadata.unwrap_or_default();
        let kind = match raw.output_type.as_str() {
            "stream" => OutputKind::Stream {
                name: raw.name.ok_or("a stream output has no `name`")?,
                text: raw.text.unwrap_or_default().join(),
            },
            "display_data" => OutputKind::Display { data, metadata },
            "execute_result" => OutputKind::ExecuteResult {
                execution_count: raw.execution_count,
                data,
                metadata,
            },
            "error" => OutputKind::Error {
                ename: raw.ename.unwrap_or_default(),
                evalue: raw.evalue.unwrap_or_default(),
                traceback: raw.traceback.unwrap_or_default(),
            },
            other => {
                return Err(format!(
                    "output_type is {other:?}; there are: \
                     stream, display_data, execute_result, error"
                ));
            }
        };
        Ok(Output {
            kind,
            extra: raw.extra,
        })
    }
}

/// Types whose lists are data, not lines.
fn is_json_mime(mime: &str) -> bool {
    mime == "application/json" || (mime.starts_with("application/") && mime.ends_with("+json"))
}

fn join_bundle(bundle: &mut MimeBundle) {
    for (mime, value) in bundle.iter_mut() {
        if let Value::Array(lines) = value
            && !is_json_mime(mime)
            && lines.iter().all(Value::is_string)
        {
            *value = lines
                .iter()
                .filter_map(Value::as_str)
                .collect::<String>()
                .into();
        }
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
