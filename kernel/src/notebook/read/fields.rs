//! The fields of a notebook's objects, of the type that nbformat gives them.

use super::notes::Notes;
use serde_json::{Map, Value};

/// The fields of one object, taken out one by one.
pub struct Fields<'a> {
    pub map: &'a mut Map<String, Value>,
    pub place: &'a str,
    pub notes: &'a mut Notes,
}

impl Fields<'_> {
    /// A field that nbformat requires.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        let value = self.map.shift_remove(key).filter(|value| !value.is_null());
        if value.is_none() {
            self.notes
                .at(self.place, "missing or null fields were filled in");
        }
        value
    }

    pub fn text(&mut self, key: &str) -> Result<String, String> {
        let value = self.take(key).unwrap_or_default();
        text_of(&value).ok_or_else(|| {
            let found = kind_of(&value);
            format!("`{key}` is {found}; it must be a string or a list of strings")
        })
    }

    pub fn object(&mut self, key: &str) -> Map<String, Value> {
        match self.take(key) {
            Some(Value::Object(map)) => map,
            Some(other) => {
                let found = kind_of(&other);
                let what = format!("`{key}` is {found}, not an object, and was left out");
                self.notes.at(self.place, what);
                Map::new()
            }
            None => Map::new(),
        }
    }

    /// `execution_count`, which is null in a cell that has not run.
    pub fn count(&mut self) -> Option<u64> {
        let value = self.map.shift_remove("execution_count")?;
        let count = whole(&value);
        if count.is_none() && !value.is_null() {
            let what = "an `execution_count` that is not a count was left out";
            self.notes.at(self.place, what);
        }
        count
    }

    /// Removes the code-only fields from a cell that is not code.
    pub fn code_only(&mut self) {
        for key in ["outputs", "execution_count"] {
            match self.map.shift_remove(key) {
                None | Some(Value::Null) => {}
                Some(Value::Array(list)) if list.is_empty() => {}
                Some(_) => {
                    let what = format!("`{key}` of a cell that is not code was left out");
                    self.notes.at(self.place, what);
                }
            }
        }
    }
}

/// Text in the file format: one string, or a list of lines; `None` for anything
/// else.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Array(lines) => lines.iter().map(Value::as_str).collect(),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

/// A whole number, `3.0` included.
pub fn whole(value: &Value) -> Option<u64> {
    let float = || {
        value
            .as_f64()
            .filter(|f| f.fract() == 0.0 && (0.0..1e15).contains(f))
    };
    value.as_u64().or_else(|| float().map(|f| f as u64))
}

pub fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
