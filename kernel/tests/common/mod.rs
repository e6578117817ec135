//! What the kernel's integration tests share.
#![allow(
    dead_code,
    reason = "no test binary that includes this module needs all of it"
)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The command line under test.
pub fn holoscope() -> Command {
    Command::new(env!("CARGO_BIN_EXE_holoscope"))
}

/// The project's root.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the kernel lies in the workspace")
        .to_path_buf()
}

/// A Python with nbclient (`HOLOSCOPE_PYTHON`). `None`, with the reason
/// printed, where there is none; CI must have one.
pub fn python() -> Option<PathBuf> {
    match std::env::var_os("HOLOSCOPE_PYTHON") {
        Some(python) => Some(PathBuf::from(python)),
        None if std::env::var_os("HOLOSCOPE_CONFORMANCE").is_some() => {
            panic!(
                "HOLOSCOPE_CONFORMANCE is set, but HOLOSCOPE_PYTHON names no Python with nbclient"
            )
        }
        None => {
            println!("skipped: HOLOSCOPE_PYTHON names no Python with nbclient");
            None
        }
    }
}

/// Writes a notebook of these code cells.
pub fn write_notebook(path: &Path, cells: &[&str]) {
    let cells: Vec<Value> = cells
        .iter()
        .enumerate()
        .map(|(n, source)| {
            json!({"cell_type": "code", "id": format!("cell-{n}"), "metadata": {},
                "source": source, "outputs": [], "execution_count": null})
        })
        .collect();
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    std::fs::write(path, notebook.to_string()).expect("the test's folder can be written");
}

/// Reads an executed notebook's cells.
pub fn read_cells(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the run wrote its notebook");
    let notebook: Value = serde_json::from_str(&text).expect("it is JSON");
    notebook["cells"].as_array().expect("with cells").clone()
}

/// A string-or-list field of nbformat as one string.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

/// A finished command's status and both streams, for messages of failed tests.
pub fn describe(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
