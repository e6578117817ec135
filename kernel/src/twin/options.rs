//! The metadata of a cell on one line of text: `tags=["parameters"] label="fig-x"`.

use super::text::languages;
use super::text::literal;
use super::text::python::{dumps, is_space, strip};
use serde_json::{Map, Value};

/// Metadata that only describe the layout of a text.
pub const OF_LAYOUT: [&str; 5] = [
    "skipline",
    "noskipline",
    "cell_marker",
    "lines_to_next_cell",
    "lines_to_end_of_cell_marker",
];

/// The key that stores a text that is not valid metadata.
const UNREADABLE: &str = "incorrectly_encoded_metadata";

/// A title or language, followed by the metadata; either may be empty.
pub fn write(title: &str, metadata: &Map<String, Value>, as_json: bool) -> String {
    let kept = metadata
        .iter()
        .filter(|(key, _)| !OF_LAYOUT.contains(&key.as_str()));
    let mut parts = Vec::new();
    if !title.is_empty() {
        parts.push(title.to_owned());
    }
    if as_json {
        let kept: Map<String, Value> = kept.map(|(k, v)| (k.clone(), v.clone())).collect();
        if !kept.is_empty() {
            parts.push(dumps(&kept.into()));
        }
        return parts.join(" ");
    }
    for (key, value) in kept {
        parts.push(match value {
            Value::String(text) if key == UNREADABLE => text.clone(),
            Value::Null => key.clone(),
            value => format!("{key}={}", dumps(value)),
        });
    }
    parts.join(" ")
}

/// The metadata after `<!-- #region`, preceded by the title unless it contains `{` or `=`.
pub fn write_with_title(metadata: &Map<String, Value>, as_json: bool) -> String {
    let mut rest = metadata.clone();
    let title = match rest.get("title") {
        Some(Value::String(title)) if !title.contains(['{', '=']) => title.clone(),
        _ => return write("", metadata, as_json),
    };
    rest.shift_remove("title");
    match title.is_empty() {
        // Python joins even an empty title.
        true => format!(" {}", write("", &rest, as_json))
            .trim_end()
            .to_owned(),
        false => write(&title, &rest, as_json),
    }
}

/// Whether metadata are written as one JSON object.
pub fn is_json(text: &str) -> bool {
    match (text.find('{'), text.find('=')) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(bracket), Some(sign)) => bracket < sign,
    }
}

/// The language before the metadata, or "", and the metadata.
pub fn read(text: &str) -> (String, Map<String, Value>) {
    let text = strip(text);
    if is_json(text) {
        return read_json(text);
    }
    if languages::is_language(text) {
        return (text.to_owned(), Map::new());
    }
    if let Some((first, rest)) = text.split_once(' ')
        && languages::is_language(first)
    {
        return (first.to_owned(), pairs(rest));
    }
    (String::new(), pairs(text))
}

/// The title before the metadata, and the metadata.
pub fn read_with_title(text: &str) -> (String, Map<String, Value>) {
    let text = strip(text);
    if is_json(text) {
        return read_json(text);
    }
    let mut words: Vec<&str>;
    match text.find('=') {
        Some(sign) => {
            words = text[..sign].split(' ').collect();
            while words.last().is_some_and(|word| word.is_empty()) {
                words.pop();
            }
            // The key before the `=`.
            words.pop();
        }
        None => words = text.split(' ').collect(),
    }
    while words
        .last()
        .is_some_and(|word| strip(word).is_empty() || word.starts_with('.'))
    {
        words.pop();
    }
    let title = words.join(" ");
    let metadata = pairs(&text[title.len()..]);
    (title, metadata)
}

fn read_json(text: &str) -> (String, Map<String, Value>) {
    let at = text.find('{').unwrap_or(text.len());
    let title = strip(&text[..at]).to_owned();
    match literal::parse(&text[at..]) {
        Some(Value::Object(map)) => (title, map),
        _ => (title, unreadable(&text[at..])),
    }
}

fn unreadable(text: &str) -> Map<String, Value> {
    Map::from_iter([(UNREADABLE.to_owned(), Value::String(text.to_owned()))])
}

fn is_identifier(text: &str) -> bool {
    let first = text.chars().next();
    let all = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    all && first.is_some_and(|c| !c.is_ascii_digit())
}

/// Whether a key can be written as text.
pub fn is_key(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "_.@/-".contains(c);
    !text.is_empty() && text.chars().all(good)
}

/// `key=value` pairs and bare words, read from the right: a value may contain blanks and `=`.
fn pairs(text: &str) -> Map<String, Value> {
    let text = strip(text);
    if text.is_empty() {
        return Map::new();
    }
    let last = text.rfind(' ');
    let word = &text[last.map_or(0, |at| at + 1)..];
    if !text.starts_with("--") && is_identifier(word) {
        let mut result = Map::from_iter([(word.to_owned(), Value::Null)]);
        if let Some(at) = last.filter(|at| *at > 0) {
            result.extend(pairs(&text[..at]));
        }
        return result;
    }
    let mut end = text.len();
    while let Some(sign) = text[..end].rfind('=') {
        end = sign;
        let before = text[..sign].trim_end_matches(is_space);
        let blank = before.rfind(' ');
        let key = strip(&text[blank.map_or(0, |at| at + 1)..sign]);
        if !is_key(key) {
            continue;
        }
        let Some(value) = literal::parse(&text[sign + 1..]) else {
            continue;
        };
        let mut metadata = match blank {
            Some(at) if at > 0 => pairs(&text[..at]),
            _ => Map::new(),
        };
        metadata.insert(key.to_owned(), value);
        return metadata;
    }
    unreadable(text)
}

/// Whether a cell is code in files with this extension (`active` metadata and `active-` tags).
pub fn is_active(extension: &str, metadata: &Map<String, Value>, default: bool) -> bool {
    let extension = extension.trim_start_matches('.');
    let frozen = metadata
        .get("run_control")
        .and_then(|run| run.get("frozen"));
    if frozen == Some(&Value::Bool(true)) {
        return extension == "ipynb";
    }
    if let Some(tag) = active_tag(metadata) {
        return tag.split('-').any(|part| part == extension);
    }
    match metadata.get("active").and_then(Value::as_str) {
        Some(active) => active.split(['.', ',']).any(|part| part == extension),
        None => default,
    }
}

/// The first tag that begins with `active-`.
pub fn active_tag(metadata: &Map<String, Value>) -> Option<&str> {
    let tags = metadata.get("tags")?.as_array()?;
    let mut tags = tags.iter().filter_map(Value::as_str);
    tags.find(|tag| tag.starts_with("active-"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // The right-hand sides are what jupytext 1.19.6's `text_to_metadata` returns.
    #[test]
    fn options_are_read_as_jupytext_reads_them() {
        for (text, language, metadata) in [
            ("rust", "rust", json!({})),
            (
                "rust tags=[\"a\", \"b c\"] x=1",
                "rust",
                json!({"tags": ["a", "b c"], "x": 1}),
            ),
            (
                "rust .hidden key='v'",
                "rust",
                json!({".hidden": null, "key": "v"}),
            ),
            ("rust {\"tags\": [\"a\"]}", "rust", json!({"tags": ["a"]})),
            (
                "rust x=oops y",
                "rust",
                json!({"y": null, UNREADABLE: "x=oops"}),
            ),
            (
                "rust fig-cap=\"a = b\"",
                "rust",
                json!({"fig-cap": "a = b"}),
            ),
        ] {
            assert_eq!(
                read(text),
                (language.to_owned(), json_map(metadata)),
                "{text}"
            );
        }
        for (text, title, metadata) in [
            (
                "[markdown] tags=[\"x\"]",
                "[markdown]",
                json!({"tags": ["x"]}),
            ),
            ("A title [raw]", "A title [raw]", json!({})),
            ("A title .class", "A title", json!({".class": null})),
        ] {
            assert_eq!(
                read_with_title(text),
                (title.to_owned(), json_map(metadata)),
                "{text}"
            );
        }
    }

    fn json_map(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap_or_default()
    }
}
