//! Outputs of an earlier run. A run replaces them, so they are never a reason to
//! refuse a notebook: invalid ones are left out, with a note.

use super::fields::{Fields, kind_of, text_of};
use super::notes::Notes;
use super::upgrade;
use crate::json::is_json_mime;
use crate::notebook::model::{MimeBundle, Output, OutputKind, StreamName};
use serde_json::{Map, Value};

/// The outputs of the cell at `place`.
pub fn outputs(value: Option<Value>, place: &str, notes: &mut Notes) -> Vec<Output> {
    let list = match value {
        Some(Value::Array(list)) => list,
        None | Some(Value::Null) => {
            notes.at(place, "missing or null fields were filled in");
            return Vec::new();
        }
        Some(other) => {
            let what = format!(
                "`outputs` is {}, not a list, and was left out",
                kind_of(&other)
            );
            notes.at(place, what);
            return Vec::new();
        }
    };
    let read = list.into_iter().enumerate().filter_map(|(n, value)| {
        let place = format!("{place}, output {}", n + 1);
        let Value::Object(map) = value else {
            let what = format!(
                "an output is {}, not an object, and was left out",
                kind_of(&value)
            );
            notes.at(place, what);
            return None;
        };
        match output(map, &place, notes) {
            Ok(output) => Some(output),
            Err(reason) => {
                notes.at(place, format!("{reason}; the output was left out"));
                None
            }
        }
    });
    read.collect()
}

fn output(mut map: Map<String, Value>, place: &str, notes: &mut Notes) -> Result<Output, String> {
    if upgrade::output(&mut map) {
        notes.at(
            place,
            "an output in an older form was brought to nbformat 4's",
        );
    }
    let output_type = match map.shift_remove("output_type") {
        Some(Value::String(name)) => name,
        Some(other) => {
            return Err(format!(
                "`output_type` is {}, not a string",
                kind_of(&other)
            ));
        }
        None => return Err("`output_type` is missing".to_owned()),
    };
    let mut fields = Fields {
        map: &mut map,
        place,
        notes,
    };
    let kind = match output_type.as_str() {
        "stream" => OutputKind::Stream {
            name: fields.stream_name(),
            text: fields.text("text")?,
        },
        "display_data" => OutputKind::Display {
            data: fields.bundle()?,
            metadata: fields.object("metadata"),
        },
        "execute_result" => OutputKind::ExecuteResult {
            execution_count: fields.count(),
            data: fields.bundle()?,
            metadata: fields.object("metadata"),
        },
        "error" => OutputKind::Error {
            ename: fields.loose_text("ename"),
            evalue: fields.loose_text("evalue"),
            traceback: fields.traceback(),
        },
        other => {
            return Err(format!(
                "output_type is {other:?}; there are: stream, display_data, execute_result, error"
            ));
        }
    };
    Ok(Output { kind, extra: map })
}

impl Fields<'_> {
    fn stream_name(&mut self) -> StreamName {
        match self
            .map
            .shift_remove("name")
            .as_ref()
            .and_then(Value::as_str)
        {
            Some("stdout") => StreamName::Stdout,
            Some("stderr") => StreamName::Stderr,
            _ => {
                let what = "a stream that is neither stdout nor stderr is read as stdout";
                self.notes.at(self.place, what);
                StreamName::Stdout
            }
        }
    }

    fn bundle(&mut self) -> Result<MimeBundle, String> {
        match self.take("data") {
            Some(Value::Object(mut data)) => {
                join_bundle(&mut data);
                Ok(data)
            }
            Some(other) => Err(format!("`data` is {}, not an object", kind_of(&other))),
            None => Ok(MimeBundle::new()),
        }
    }

    /// Text, or any other value as JSON: an error's name may be anything.
    fn loose_text(&mut self, key: &str) -> String {
        let value = self.take(key).unwrap_or_default();
        text_of(&value).unwrap_or_else(|| value.to_string())
    }

    fn traceback(&mut self) -> Vec<String> {
        let line = |value: &Value| text_of(value).unwrap_or_else(|| value.to_string());
        match self.take("traceback") {
            Some(Value::Array(lines)) => lines.iter().map(line).collect(),
            Some(other) => vec![line(&other)],
            None => Vec::new(),
        }
    }
}

/// Joins the lines of text values; lists of JSON types are data.
pub fn join_bundle(bundle: &mut MimeBundle) {
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
