//! The write-up's summary of section 4 says what `supersymmetry.ipynb` printed, word for word.

use serde_json::Value;
use std::path::Path;

fn cells(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("notebooks")
        .join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let notebook: Value = serde_json::from_str(&text).unwrap();
    notebook["cells"].as_array().unwrap().clone()
}

/// A text of a notebook: one string, or one a line.
fn text(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

fn printed(cell: &Value) -> String {
    let outputs = cell["outputs"].as_array().into_iter().flatten();
    let kinds = ["text/markdown", "text/plain"];
    outputs
        .map(|o| {
            let shown = kinds.iter().map(|kind| text(&o["data"][kind]));
            text(&o["text"]) + &shown.collect::<String>()
        })
        .collect()
}

#[test]
fn what_the_summary_quotes_is_what_the_notebook_printed() {
    let printed: String = cells("supersymmetry.ipynb").iter().map(printed).collect();
    let summary: String = cells("dictionary_learning.ipynb")
        .iter()
        .map(|cell| text(&cell["source"]))
        .filter(|source| source.contains("## 4.5 `Verdict`"))
        .collect();
    let quotes: Vec<&str> = summary
        .lines()
        .filter_map(|line| line.strip_prefix("> "))
        .collect();
    assert!(quotes.len() >= 5, "{quotes:?}");
    for quote in quotes {
        assert!(
            printed.contains(quote),
            "not in supersymmetry.ipynb's outputs: {quote}"
        );
    }
}
