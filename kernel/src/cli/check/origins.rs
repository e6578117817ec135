//! Whether stored and new results come from the same code, data and machine: said beside differences,
//! which it may explain.

use crate::notebook::Notebook;
use serde_json::Value;

/// What is told of, and in which words.
const KEYS: [(&str, &str); 9] = [
    ("processor", "processor"),
    ("cores", "cores"),
    ("holoscope", "holoscope"),
    ("rustc", "compiler"),
    ("lock_digest", "lock file"),
    ("commit", "commit of the library"),
    ("seeds", "seeds"),
    ("parameters", "parameters"),
    ("data_digests", "data"),
];

/// A line for each thing that both notebooks record, and that differs.
pub fn differences(stored: &Notebook, fresh: &Notebook) -> Vec<String> {
    let recorded = |notebook: &'_ Notebook, key: &str| -> Option<Value> {
        notebook.metadata.get("holoscope")?.get(key).cloned()
    };
    let line = |(key, name): &(&str, &str)| {
        let (old, new) = (recorded(stored, key)?, recorded(fresh, key)?);
        (old != new).then(|| format!("{name}: {} -> {}", text(&old), text(&new)))
    };
    KEYS.iter().filter_map(line).collect()
}

/// A value as people read it; digests by their first digits.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() == 64 => text[..12].to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_both_record_is_compared() {
        let with = |ours: Value| {
            let mut notebook = Notebook::new();
            notebook.metadata.insert("holoscope".into(), ours);
            notebook
        };
        let digest = |c: &str| c.repeat(64);
        let stored = with(json!({"processor": "A", "rustc": "1", "lock_digest": digest("a")}));
        let fresh =
            with(json!({"processor": "B", "cores": 2, "rustc": "1", "lock_digest": digest("b")}));
        assert_eq!(
            differences(&stored, &fresh),
            [
                "processor: A -> B",
                "lock file: aaaaaaaaaaaa -> bbbbbbbbbbbb"
            ]
        );
        assert_eq!(differences(&stored, &Notebook::new()), Vec::<String>::new());
    }
}
