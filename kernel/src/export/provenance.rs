//! The origin of a page's numbers: the notebook's `holoscope` metadata as a list
//! at its end, and times in words.

use super::escape::Escaped;
use crate::notebook::Notebook;
use serde_json::{Map, Value};
use std::fmt::Write;

/// The label of each key, in the order of the page; other keys follow.
const LABELS: [(&str, &str); 19] = [
    ("date", "Date"),
    ("seed", "Seed"),
    ("seeds", "Seeds"),
    ("parameters", "Parameters"),
    ("default_parameters", "Parameters left at their defaults"),
    ("data", "Data"),
    ("data_digest", "Data digest (SHA-256)"),
    ("data_digests", "Data (SHA-256)"),
    ("holoscope", "Holoscope"),
    ("rustc", "Rust compiler"),
    ("versions", "Versions"),
    ("lock_digest", "Lock file (SHA-256)"),
    ("commit", "Commit"),
    ("notebook_commit", "Commit of the notebook"),
    ("machine", "Machine"),
    ("processor", "Processor"),
    ("cores", "Cores"),
    ("wall_seconds", "Wall time"),
    ("status", "Status"),
];

/// Settings of other commands, stored next to the record of a run.
const HIDDEN: [&str; 2] = ["check", "sync"];

/// The footer of the page; empty where the notebook records nothing.
pub fn footer(notebook: &Notebook) -> String {
    let known = notebook
        .metadata
        .get("holoscope")
        .and_then(Value::as_object);
    let Some(known) = known.filter(|map| !map.is_empty()) else {
        return String::new();
    };
    let mut html = String::from(
        "<footer class=\"provenance\" aria-label=\"Provenance\">\n<h2>Provenance</h2>\n<dl>\n",
    );
    for (key, label) in LABELS {
        if let Some(value) = known.get(key) {
            row(&mut html, label, key, value);
        }
    }
    for (key, value) in known {
        if LABELS.iter().all(|(label, _)| label != key) && !HIDDEN.contains(&key.as_str()) {
            row(&mut html, &words(key), key, value);
        }
    }
    html + "</dl>\n</footer>\n"
}

fn row(html: &mut String, label: &str, key: &str, value: &Value) {
    let text = match value {
        Value::Number(n) if key.ends_with("seconds") => duration(n.as_f64().unwrap_or(0.0)),
        Value::Object(map) => list(map),
        other => plain(other),
    };
    if !text.is_empty() {
        let _ = writeln!(
            html,
            "<div><dt>{}</dt><dd>{}</dd></div>",
            Escaped(label),
            Escaped(&text)
        );
    }
}

fn list(map: &Map<String, Value>) -> String {
    let parts: Vec<_> = map
        .iter()
        .map(|(key, value)| match value {
            Value::Object(inner) => format!("{key} ({})", list(inner)),
            other => format!("{key} {}", plain(other)),
        })
        .collect();
    parts.join(" · ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `data_digest` as "Data digest".
fn words(key: &str) -> String {
    let text = key.replace(['_', '-'], " ");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}

/// A duration for readers: "0.42 s", "8.3 s", "2 min 5 s", "1 h 3 min".
pub fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match seconds {
        s if !s.is_finite() => String::new(),
        s if s < 1.0 => format!("{:.2} s", s.max(0.0)),
        s if s < 9.95 => format!("{s:.1} s"),
        _ if whole < 60 => format!("{whole} s"),
        _ if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_in_words() {
        let seconds = [0.0, 0.424, 8.26, 59.6, 125.0, 3780.0, f64::NAN];
        assert_eq!(
            seconds.map(duration),
            [
                "0.00 s",
                "0.42 s",
                "8.3 s",
                "1 min 0 s",
                "2 min 5 s",
                "1 h 3 min",
                ""
            ]
        );
    }

    #[test]
    fn the_footer_lists_what_is_recorded_escaped() {
        let mut notebook = Notebook::new();
        assert_eq!(footer(&notebook), "");
        let ours = json!({"wall_seconds": 125, "seed": 42069, "new_key": ["<a>", 1],
            "versions": {"holoscope": "0.1.0", "rustc": "1.95.0"}});
        notebook.metadata.insert("holoscope".into(), ours);
        insta::assert_snapshot!(footer(&notebook));
    }
}
