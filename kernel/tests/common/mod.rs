//! What the kernel's integration tests share.
#![allow(
    dead_code,
    reason = "no test binary that includes this module needs all of it"
)]

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Where the files outside the repository are: as for the library's tests.
#[path = "../../../tests/common/mod.rs"]
mod outside;

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

/// The Python of the tests that need one. They are ignored by default; `.ci/run` runs them, and lists
/// the packages.
pub fn python() -> PathBuf {
    std::env::var_os("HOLOSCOPE_PYTHON")
        .expect("HOLOSCOPE_PYTHON names a Python with the packages that `.ci/run` installs")
        .into()
}

/// A browser (`HOLOSCOPE_CHROMIUM`, or where it is usually installed).
pub fn chromium() -> PathBuf {
    find_chromium().expect("Chromium is installed, or HOLOSCOPE_CHROMIUM names it")
}

/// The same, `None` where there is none.
pub fn find_chromium() -> Option<PathBuf> {
    let named = std::env::var_os("HOLOSCOPE_CHROMIUM").map(PathBuf::from);
    let usual = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    named.or_else(|| usual.iter().map(PathBuf::from).find(|path| path.is_file()))
}

/// A file of the folder of shared files. `None`, with the reason printed, where
/// it is missing; CI must have it.
pub fn shared(rel: &str) -> Option<PathBuf> {
    outside::shared_beside(&root(), rel)
}

/// Makes the kernel under test known below `prefix`, with its image built, and
/// says which `JUPYTER_PATH` finds it before any other of its name.
pub fn install(prefix: &Path) -> PathBuf {
    let installed = holoscope()
        .args(["install", "--no-session", "--prefix"])
        .arg(prefix)
        .output()
        .expect("the binary runs");
    assert!(installed.status.success(), "{}", describe(&installed));
    prefix.join("share/jupyter")
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
