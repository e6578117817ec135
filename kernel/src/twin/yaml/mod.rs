//! YAML as read and written by PyYAML, which jupytext uses for its headers: YAML 1.1's values
//! (`yes` is true), its quotes, and its lines of 80 characters.
//! Source: yaml.org/spec/1.1, yaml.org/type; PyYAML's emitter.

mod emit;
mod read;
mod resolve;

pub use emit::{Style, emit};
pub use read::{Fault, read};

use super::text::python::number_text;
use serde_json::{Map, Number, Value};

/// A YAML value. Maps keep their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    /// A date or a time, as written: JSON has no such type.
    Time(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// As JSON; a time becomes its text.
    pub fn into_json(self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Bool(bool) => bool.into(),
            Node::Number(number) => number.into(),
            Node::Text(text) | Node::Time(text) => text.into(),
            Node::List(items) => items.into_iter().map(Node::into_json).collect(),
            Node::Map(entries) => {
                let entries = entries.into_iter();
                let map: Map<String, Value> = entries
                    .map(|(key, value)| (key, value.into_json()))
                    .collect();
                map.into()
            }
        }
    }

    /// The entries of a map; none for anything else.
    pub fn into_entries(self) -> Vec<(String, Node)> {
        match self {
            Node::Map(entries) => entries,
            _ => Vec::new(),
        }
    }

    /// The same with the keys of every map sorted.
    pub fn sorted(self) -> Node {
        match self {
            Node::List(items) => Node::List(items.into_iter().map(Node::sorted).collect()),
            Node::Map(entries) => {
                let entries = entries.into_iter();
                let mut entries: Vec<_> =
                    entries.map(|(key, value)| (key, value.sorted())).collect();
                entries.sort_by(|(one, _), (other, _)| one.cmp(other));
                Node::Map(entries)
            }
            other => other,
        }
    }

    /// A scalar as PyYAML represents it, and whether that is text; `None` for lists and maps.
    fn scalar(&self) -> Option<(String, bool)> {
        Some(match self {
            Node::Null => ("null".to_owned(), false),
            Node::Bool(bool) => (bool.to_string(), false),
            Node::Number(number) => {
                let text = number_text(number);
                // 1e-07 would be read as text.
                let text = match text.contains('.') || !number.is_f64() {
                    true => text,
                    false => text.replacen('e', ".0e", 1),
                };
                (text, false)
            }
            Node::Text(text) => (text.clone(), true),
            Node::Time(text) => (text.clone(), false),
            Node::List(_) | Node::Map(_) => return None,
        })
    }
}

impl From<&Value> for Node {
    fn from(value: &Value) -> Node {
        match value {
            Value::Null => Node::Null,
            Value::Bool(bool) => Node::Bool(*bool),
            Value::Number(number) => Node::Number(number.clone()),
            Value::String(text) => Node::Text(text.clone()),
            Value::Array(items) => Node::List(items.iter().map(Node::from).collect()),
            Value::Object(map) => Node::from(map),
        }
    }
}

impl From<&Map<String, Value>> for Node {
    fn from(map: &Map<String, Value>) -> Node {
        let entries = map.iter();
        Node::Map(
            entries
                .map(|(key, value)| (key.clone(), Node::from(value)))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
