//! The Rust of the documentation, run as the cells of a notebook.

mod common;

use common::{describe, holoscope, read_cells, text, write_notebook};
use std::path::Path;

/// The fenced blocks of a language in a Markdown text.
fn blocks(markdown: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let parts = markdown.split(fence.as_str()).skip(1);
    let block = |part: &str| part.split("\n```").next().unwrap_or_default().to_owned();
    parts.map(block).collect()
}

#[test]
fn the_tasks_side_by_side_run_in_one_session() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/side_by_side.md");
    let cells = blocks(&std::fs::read_to_string(page).unwrap(), "rust");
    assert_eq!(cells.len(), 10, "{cells:?}");
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (
        folder.path().join("in.ipynb"),
        folder.path().join("out.ipynb"),
    );
    let sources: Vec<&str> = cells.iter().map(String::as_str).collect();
    write_notebook(&input, &sources);
    let run = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .output();
    let run = run.expect("the binary runs");
    assert!(run.status.success(), "{}", describe(&run));
    let results: Vec<String> = read_cells(&out)
        .iter()
        .map(|cell| {
            let outputs = cell["outputs"].as_array().into_iter().flatten();
            outputs.map(|o| text(&o["data"]["text/plain"])).collect()
        })
        .collect();
    // The first cell is a `use`; each other one ends in what its task asks for.
    for (cell, result) in cells.iter().zip(&results).skip(1) {
        assert!(!result.is_empty(), "nothing is shown by:\n{cell}");
    }
    assert!(results[2].contains("512"), "{}", results[2]);
    assert!(results[9].contains("TopK (k = 16)"), "{}", results[9]);
}
