//! Differences in code, data and machine between stored and new results, reported with output
//! differences, which they may explain.

use crate::notebook::Notebook;
use serde_json::Value;

/// The compared metadata keys, and their names in reports.
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

/// One line for each value that both notebooks record and that differs.
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

/// A value as readable text; digests shortened to their first digits.
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
