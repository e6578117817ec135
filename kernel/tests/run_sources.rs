//! `holoscope run` of texts, of options in sources, and of values in the text.

mod common;

use common::{describe, holoscope, read_cells, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

fn run(folder: &Path, name: &str, more: &[&str]) -> (Output, Vec<Value>) {
    let output = holoscope()
        .current_dir(folder)
        .args(["run", name, "-o", "out.ipynb"])
        .args(more)
        .output()
        .expect("the binary runs");
    let out = folder.join("out.ipynb");
    let cells = if out.exists() {
        read_cells(&out)
    } else {
        Vec::new()
    };
    (output, cells)
}

fn write(path: &Path, cells: &[(&str, &str)]) {
    let cells: Vec<Value> = cells
        .iter()
        .enumerate()
        .map(|(n, (kind, source))| {
            let mut cell = json!({"cell_type": kind, "id": format!("cell-{n}"), "metadata": {}, "source": source});
            if *kind == "code" {
                cell["outputs"] = json!([]);
                cell["execution_count"] = Value::Null;
            }
            cell
        })
        .collect();
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    std::fs::write(path, notebook.to_string()).unwrap();
}

#[test]
fn values_stand_in_the_text_and_in_captions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        &folder.join("in.ipynb"),
        &[
            (
                "code",
                "let score = 2.0_f64 / 3.0; let name = String::from(\"a*b\");",
            ),
            (
                "markdown",
                "Score `{rust} score ; .3`, `{rust} score ; .1%`, name `{rust} name`.",
            ),
            ("code", "let score = 1.0; let n = 7_usize;"),
            (
                "markdown",
                "Now `{rust} score`; `{rust} format!(\"{n:03}\")`.",
            ),
            (
                "code",
                "#| label: fig-a\n#| fig-cap: \"Of `{rust} n + 1`.\"\nprintln!(\"{name}\");",
            ),
        ],
    );
    let (output, cells) = run(folder, "in.ipynb", &[]);
    assert!(output.status.success(), "{}", describe(&output));
    let values = |cell: &Value| -> Vec<(String, String)> {
        let list = cell["metadata"]["user_expressions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let pair = |entry: &Value| {
            (
                text(&entry["expression"]),
                text(&entry["result"]["data"]["text/plain"]),
            )
        };
        list.iter().map(pair).collect()
    };
    let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    assert_eq!(
        values(&cells[1]),
        pairs(&[
            ("score ; .3", "0.667"),
            ("score ; .1%", "66.7%"),
            ("name", "a*b")
        ])
    );
    assert_eq!(
        values(&cells[3]),
        pairs(&[("score", "1.0"), ("format!(\"{n:03}\")", "007")])
    );
    assert_eq!(values(&cells[4]), pairs(&[("n + 1", "8")]));
    // Expressions count nothing, and the variable that one has shown is still there.
    let counts: Vec<Option<u64>> = cells
        .iter()
        .map(|cell| cell["execution_count"].as_u64())
        .collect();
    assert_eq!(counts, [Some(1), None, Some(2), None, Some(3)]);
    assert_eq!(text(&cells[4]["outputs"][0]["text"]), "a*b\n");
    assert_eq!(cells[4]["metadata"]["label"], "fig-a");
    let page = std::fs::read_to_string(folder.join("out.html")).unwrap();
    assert!(page.contains("Score 0.667, 66.7%, name a*b."), "{page}");
    assert!(page.contains("Now 1.0; 007."), "{page}");
}

#[test]
fn a_value_that_fails_fails_the_run_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cells = [
        ("markdown", "fine\n\nbut `{rust} missing` is not"),
        ("code", "println!(\"after\");"),
    ];
    write(&folder.join("in.ipynb"), &cells);
    let (output, cells) = run(folder, "in.ipynb", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("cell 1 (markdown), line 3"), "{said}");
    assert!(said.contains("`{rust} missing`"), "{said}");
    assert_eq!(cells[1]["outputs"], json!([]));
    let (output, cells) = run(folder, "in.ipynb", &["--allow-errors"]);
    assert!(output.status.success(), "{}", describe(&output));
    assert_eq!(
        cells[0]["metadata"]["user_expressions"][0]["result"]["status"],
        "error"
    );
    assert_eq!(text(&cells[1]["outputs"][0]["text"]), "after\n");
}

#[test]
fn option_lines_of_both_kinds_are_no_rust_and_are_mirrored() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cells = [
        (
            "code",
            "#| label: fig-a\n#| echo: false\nprintln!(\"{}\", line!() > 0);",
        ),
        (
            "code",
            "//| label: tbl-b\n//| layout-ncol: 2\nlet x: i32 = 1;",
        ),
        ("code", "#| label: fig-c\nlet y: i32 = \"no\";"),
    ];
    write(&folder.join("in.ipynb"), &cells);
    let (output, cells) = run(folder, "in.ipynb", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    assert_eq!(text(&cells[0]["outputs"][0]["text"]), "true\n");
    assert_eq!(cells[0]["metadata"]["echo"], false);
    assert_eq!(cells[1]["metadata"]["layout-ncol"], 2);
    // The error is where it was written.
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("2 | let y: i32 = \"no\";"), "{said}");
}

#[test]
fn a_text_is_run_in_place_of_its_notebook() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, source) in [
        (
            "a.md",
            "# Title\n\n```rust\nprintln!(\"{}\", 6 * 7);\n```\n",
        ),
        (
            "b.md",
            "# Title\n\n```{code-cell}\nprintln!(\"{}\", 6 * 7);\n```\n",
        ),
        (
            "a.rs",
            "// %% [markdown]\n// # Title\n\n// %%\nprintln!(\"{}\", 6 * 7);\n",
        ),
        (
            "a.qmd",
            "# Title\n\n```{rust}\n#| label: x\nprintln!(\"{}\", 6 * 7);\n```\n",
        ),
    ] {
        std::fs::write(folder.join(name), source).unwrap();
        let (output, cells) = run(folder, name, &[]);
        assert!(output.status.success(), "{name}: {}", describe(&output));
        assert_eq!(text(&cells[1]["outputs"][0]["text"]), "42\n", "{name}");
    }
    let output = holoscope()
        .current_dir(folder)
        .args(["run", "a.md", "--in-place"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    let output = holoscope()
        .current_dir(folder)
        .args(["run", "a.md"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    assert!(folder.join("out/a.ipynb").exists() && folder.join("out/a.html").exists());
}
