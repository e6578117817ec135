//! The charts of an exported page in a browser. Needs a Python with playwright (`HOLOSCOPE_PYTHON`) and
//! Chromium; skipped, with the reason printed, where one is missing.

mod common;

use common::{chromium, describe, holoscope, python, root};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A chart of the library's tests, as it is drawn now.
fn drawn(name: &str) -> String {
    let path = format!("tests/snapshots/show_snapshots__{name}.snap");
    let text = std::fs::read_to_string(root().join(path)).expect("the snapshot is there");
    let start = text.find("<svg").expect("it is a picture");
    text[start..].trim().replace(">\n<", "><")
}

/// A chart as it was drawn before charts carried data.
fn stored() -> String {
    let path = "kernel/src/export/charts/stored_chart.svg";
    std::fs::read_to_string(root().join(path)).expect("the chart is there")
}

fn cell(n: usize, svg: &str) -> Value {
    let output =
        json!({"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": svg}});
    json!({"cell_type": "code", "id": format!("cell-{n}"), "metadata": {}, "source": "chart()",
        "outputs": [output], "execution_count": 1})
}

#[test]
#[ignore = "needs HOLOSCOPE_PYTHON with playwright, and Chromium"]
fn charts_answer_to_pointer_keys_and_touch() {
    let (python, chromium) = (python(), chromium());
    let dir = tempfile::tempdir().unwrap();
    let charts = [
        drawn("a_loss_chart_has_baselines"),
        drawn("stacked_panels_keep_their_axes"),
        drawn("a_small_heat_map_has_its_values"),
        stored(),
    ];
    let cells: Vec<Value> = charts
        .iter()
        .enumerate()
        .map(|(n, svg)| cell(n, svg))
        .collect();
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    std::fs::write(dir.path().join("a.ipynb"), notebook.to_string()).unwrap();
    let output = holoscope()
        .current_dir(dir.path())
        .args(["export", "--to", "html", "a.ipynb", "-o", "a.html"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/charts.py");
    let output = Command::new(&python)
        .arg(script)
        .arg(dir.path().join("a.html"))
        .arg(chromium)
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{}", describe(&output));
}
