//! What a run records of how its results came about.

mod common;

use common::{describe, holoscope, read_cells};
use serde_json::{Value, json};

#[test]
fn a_run_records_seeds_data_versions_and_the_machine() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let git = |arguments: &[&str]| {
        let name = ["-c", "user.name=t", "-c", "user.email=t@example.org"];
        let mut git = std::process::Command::new("git");
        let done = git
            .current_dir(dir.path())
            .args(name)
            .args(arguments)
            .output();
        assert!(done.unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["commit", "-q", "--allow-empty", "-m", "one"]);
    // As the library reports what it has read.
    let data = "print!(\"\\u{1e}HOLOSCOPE {}\\n\", r#\"{\"type\":\"data\",\"name\":\"Tiny\",\"sha256\":\"abc123\"}\"#);";
    let cell = |id: &str, source: &str, tags: Value| {
        json!({"cell_type": "code", "id": id, "metadata": {"tags": tags}, "source": source,
            "outputs": [], "execution_count": null})
    };
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5,
    "metadata": {"holoscope": {"check": {"tolerance": 1e-3}, "processor": "another"}},
    "cells": [
        cell("a", "let seed: u64 = 42_069;\nlet data_seed: u64 = 1;\nlet steps: usize = 10;", json!(["parameters"])),
        cell("b", data, json!([])),
    ]});
    std::fs::write(path("in.ipynb"), notebook.to_string()).unwrap();
    let output = holoscope()
        .current_dir(dir.path())
        .args(["run", "in.ipynb", "-o", "out.ipynb", "-p", "data_seed=7"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let text = std::fs::read_to_string(path("out.ipynb")).unwrap();
    let done: Value = serde_json::from_str(&text).unwrap();
    let ours = &done["metadata"]["holoscope"];
    assert_eq!(ours["seeds"], json!({"seed": 42069, "data_seed": 7}));
    assert_eq!(ours["parameters"], json!({"data_seed": "7"}));
    assert_eq!(ours["default_parameters"], json!({"steps": "10"}));
    assert_eq!(ours["data_digests"], json!({"Tiny": "abc123"}));
    assert_eq!(ours["status"], "complete");
    assert_eq!(ours["check"], json!({"tolerance": 1e-3}));
    // The notebook's own repository has a commit, and a file that is not in it does not count as a
    // change of one that is (`git describe --dirty`).
    assert_eq!(
        ours["notebook_commit"].as_str().unwrap().len(),
        12,
        "{ours}"
    );
    assert_eq!(ours["lock_digest"].as_str().unwrap().len(), 64);
    assert!(ours["rustc"].as_str().unwrap().starts_with("rustc 1."));
    assert_ne!(ours["processor"], "another");
    assert!(ours["wall_seconds"].as_f64().unwrap() > 0.0);
    // What is recorded is no output, and each cell says how long it ran.
    let cells = read_cells(&path("out.ipynb"));
    assert_eq!(cells[2]["outputs"], json!([]));
    assert!(
        cells[2]["metadata"]["holoscope"]["seconds"]
            .as_f64()
            .unwrap()
            > 0.0
    );
    let page = std::fs::read_to_string(path("out.html")).unwrap();
    for part in [
        "Seeds",
        "42069",
        "Tiny abc123",
        "Processor",
        "Lock file",
        "Commit of the notebook",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("tolerance"));
}
