//! The `jupytext` section of a notebook's metadata.

use serde_json::{Map, Value, json};

/// The `jupytext` section of a notebook's metadata, created if it is missing.
pub fn section(metadata: &mut Map<String, Value>) -> &mut Map<String, Value> {
    let section = metadata.entry("jupytext").or_insert_with(|| json!({}));
    if !section.is_object() {
        *section = json!({});
    }
    section.as_object_mut().expect("it was made an object")
}

/// An option of the `jupytext` section.
pub fn option<'a>(metadata: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    metadata.get("jupytext")?.get(name)
}

pub fn is_set(metadata: &Map<String, Value>, name: &str) -> Option<bool> {
    option(metadata, name)?.as_bool()
}
