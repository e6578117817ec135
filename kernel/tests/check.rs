//! `holoscope check` as a user meets it.

mod common;

use common::{describe, holoscope, read_cells, text, write_notebook};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

const TABLE: &str =
    "<table><tr><th>name</th><th>L0</th></tr><tr><td>topk</td><td>32.5</td></tr></table>";
const FIGURE: &str = "<svg viewBox=\"0 0 100 100\"><circle cx=\"10\" cy=\"20\" r=\"3\"/></svg>";

fn stream(text: &str) -> Value {
    json!({"output_type": "stream", "name": "stdout", "text": text})
}

fn display(mime: &str, content: &str) -> Value {
    json!({"output_type": "display_data", "metadata": {}, "data": {mime: content}})
}

/// A notebook with stored outputs: a line, a figure, a table.
fn sample() -> Value {
    let cell = |id: &str, source: &str, outputs: Vec<Value>| {
        json!({"cell_type": "code", "id": id, "metadata": {}, "source": source,
            "outputs": outputs, "execution_count": 1})
    };
    let line = stream("loss 3.437 after 500 steps in 12.5 s (5341 tok/s)\n");
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [
        {"cell_type": "markdown", "id": "head", "metadata": {}, "source": "# Training"},
        cell("line", "train()", vec![line]),
        cell("figure", "chart", vec![display("image/svg+xml", FIGURE)]),
        cell("table", "table", vec![display("text/html", TABLE)]),
    ]})
}

/// Compares the sample with itself after a change.
fn against(change: impl Fn(&mut Value), options: &[&str]) -> (Output, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut other = sample();
    change(&mut other["cells"]);
    std::fs::write(dir.path().join("a.ipynb"), sample().to_string()).unwrap();
    std::fs::write(dir.path().join("b.ipynb"), other.to_string()).unwrap();
    std::fs::write(
        dir.path().join("sanitise.cfg"),
        "regex: loss \\d\\.\\d+\nreplace: LOSS\n",
    )
    .unwrap();
    let output = holoscope()
        .current_dir(dir.path())
        .args(["check", "a.ipynb", "--against", "b.ipynb"])
        .args(options)
        .output()
        .expect("the binary runs");
    let said = describe(&output);
    (output, said)
}

fn set(at: usize, outputs: Value) -> impl Fn(&mut Value) {
    move |cells: &mut Value| cells[at]["outputs"] = outputs.clone()
}

#[test]
fn what_differs_is_named_and_the_exit_status_is_1() {
    let line = |text: &str| set(1, json!([stream(text)]));
    let error = json!([{"output_type": "error", "ename": "panic", "evalue": "at the end", "traceback": []}]);
    let source = |cells: &mut Value| cells[2]["source"] = json!("chart(2)");
    let gone = |cells: &mut Value| drop(cells.as_array_mut().unwrap().remove(3));
    type Change = Box<dyn Fn(&mut Value)>;
    let cases: Vec<(Change, &[&str], &[&str])> = vec![
        (
            Box::new(line("cost 3.437 after 500 steps in 1.0 s (1 tok/s)\n")),
            &[],
            &[
                "code cell 1 (Training) [id line]",
                "text differs: stdout, line 1",
                "+ cost",
            ],
        ),
        (
            Box::new(line("loss 3.500 after 500 steps in 1.0 s (1 tok/s)\n")),
            &["--tolerance", "1e-3"],
            &[
                "number outside its tolerance",
                "3.437 -> 3.500",
                "off by 0.063 (1.80 %)",
            ],
        ),
        (
            Box::new(set(
                2,
                json!([display("image/svg+xml", &FIGURE.replace("20", "40"))]),
            )),
            &["--tolerance", "1e-3"],
            &[
                "figure differs",
                "circle), point 1 of 1",
                "- (10, 20)",
                "+ (10, 40)",
            ],
        ),
        (
            Box::new(set(
                3,
                json!([display("text/html", &TABLE.replace("32.5", "33.5"))]),
            )),
            &["--tolerance", "1e-3"],
            &[
                "table differs",
                "column `L0`, row 1 (`topk`)",
                "- 32.5",
                "+ 33.5",
            ],
        ),
        (
            Box::new(set(2, json!([]))),
            &[],
            &["missing output: output 1 (figure)"],
        ),
        (
            Box::new(set(
                3,
                json!([display("text/html", TABLE), stream("more\n")]),
            )),
            &[],
            &["extra output: stdout", "+ more"],
        ),
        (
            Box::new(set(1, error)),
            &[],
            &["error instead of the stored output", "+ panic: at the end"],
        ),
        (
            Box::new(source),
            &[],
            &["source changed", "- chart", "+ chart(2)"],
        ),
        (
            Box::new(gone),
            &[],
            &["code cell 3 (Training)", "the cell is missing"],
        ),
    ];
    for (change, options, said) in cases {
        let (output, text) = against(change, options);
        assert_eq!(output.status.code(), Some(1), "{said:?}: {text}");
        for part in said {
            assert!(text.contains(part), "{part:?} is missing in: {text}");
        }
        assert!(text.contains("1 cell differs"), "{text}");
    }
}

#[test]
fn what_is_allowed_to_differ_does_not_count() {
    let line = |text: &str| set(1, json!([stream(text)]));
    let moved = || line("loss 3.441 after 500 steps in 1:03 (12 tok/s)\n");
    for options in [
        &["--tolerance", "0.01"][..],
        &["--tolerance", "loss=abs:0.01"],
        &["--sanitize-with", "sanitise.cfg"],
        &["--lax"],
    ] {
        let (output, text) = against(moved(), options);
        assert_eq!(output.status.code(), Some(0), "{options:?}: {text}");
        assert!(text.contains("no difference"), "{text}");
    }
    let (output, text) = against(moved(), &[]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    // Where nothing is masked, a duration is a number.
    let slower = || line("loss 3.437 after 500 steps in 13.5 s (5341 tok/s)\n");
    assert_eq!(against(slower(), &[]).0.status.code(), Some(0));
    let (output, text) = against(slower(), &["--mask", "rates,paths"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let tagged = |cells: &mut Value| {
        // Tags of the stored notebook count, not those of the other one.
        cells[1]["metadata"]["tags"] = json!(["nbval-ignore-output"]);
        cells[1]["outputs"] = json!([]);
    };
    assert_eq!(against(tagged, &[]).0.status.code(), Some(1));
}

#[test]
fn junit_has_a_case_a_cell() {
    let dir = tempfile::tempdir().unwrap();
    let mut other = sample();
    other["cells"][1]["outputs"] = json!([stream("<&>\n")]);
    std::fs::write(dir.path().join("a.ipynb"), sample().to_string()).unwrap();
    std::fs::write(dir.path().join("b.ipynb"), other.to_string()).unwrap();
    let output = holoscope()
        .current_dir(dir.path())
        .args([
            "check",
            "a.ipynb",
            "--against",
            "b.ipynb",
            "--junit",
            "out.xml",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let xml = std::fs::read_to_string(dir.path().join("out.xml")).unwrap();
    assert!(
        xml.contains("<testsuite name=\"a.ipynb\" tests=\"3\" failures=\"1\""),
        "{xml}"
    );
    assert_eq!(xml.matches("<testcase ").count(), 3);
    assert!(xml.contains("+ &lt;&amp;&gt;"), "{xml}");
}

#[test]
fn what_cannot_be_used_is_said_before_anything_runs() {
    let nothing = |_: &mut Value| {};
    for (options, said) in [
        (&["--tolerance", "much"][..], "\"much\" is no tolerance"),
        (&["--tolerance", "=1"], "no name before the `=`"),
        (
            &["--mask", "moods"],
            "durations, rates, paths, dates, addresses",
        ),
        (&["--sanitize-with", "absent.cfg"], "absent.cfg"),
        (&["--junit", "absent/out.xml"], "absent/out.xml"),
        (&["--update"], "cannot be used with"),
    ] {
        let (output, text) = against(nothing, options);
        assert_eq!(output.status.code(), Some(2), "{options:?}: {text}");
        assert!(text.contains(said), "{said:?} is missing in: {text}");
    }
    let help = holoscope().args(["check", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for part in ["nbval-ignore-output", "Exit status", "abs:0.5", "--junit"] {
        assert!(help.contains(part), "{help}");
    }
}

fn check(notebook: &Path, options: &[&str]) -> (Option<i32>, String) {
    let output = holoscope()
        .arg("check")
        .arg(notebook)
        .args(options)
        .output();
    let output = output.expect("the binary runs");
    (output.status.code(), describe(&output))
}

/// The outputs of a cell of a notebook's file.
fn printed(notebook: &Path, at: usize) -> String {
    let cells = read_cells(notebook);
    let outputs = cells[at]["outputs"].as_array().unwrap();
    outputs.iter().map(|output| text(&output["text"])).collect()
}

#[test]
fn a_notebook_is_run_afresh_and_compared_with_what_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = dir.path().join("a.ipynb");
    write_notebook(
        &notebook,
        &[
            "let factor: f64 = 2.0;",
            "println!(\"score {:.3}\", factor / 3.0);",
            "std::fs::write(\"ran\", \"\").unwrap();",
            "panic!(\"wanted\");",
        ],
    );
    let tag = |at: usize, tags: Value| {
        let text = std::fs::read_to_string(&notebook).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        document["cells"][at]["metadata"]["tags"] = tags;
        std::fs::write(&notebook, document.to_string()).unwrap();
    };
    tag(0, json!(["parameters"]));
    tag(2, json!(["nbval-skip"]));
    // Nothing is stored: an output and an error are new. With --update they are stored, but for a
    // failed cell.
    let (status, said) = check(&notebook, &["--update"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("extra output: stdout"), "{said}");
    assert!(
        said.contains("error instead of the stored output"),
        "{said}"
    );
    assert!(said.contains("nothing was stored"), "{said}");
    assert_eq!(printed(&notebook, 1), "");
    tag(3, json!(["raises-exception"]));
    let (status, said) = check(&notebook, &["--update"]);
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(printed(&notebook, 1), "score 0.667\n");
    assert!(!dir.path().join("ran").exists());
    // Twice in a row.
    for _ in 0..2 {
        let (status, said) = check(&notebook, &[]);
        assert_eq!(status, Some(0), "{said}");
        assert!(
            said.contains("3 cells compared, no difference, 1 skipped"),
            "{said}"
        );
    }
    // With another parameter.
    let out = dir.path().join("out.ipynb");
    let before = std::fs::read(&notebook).unwrap();
    let options = ["-p", "factor=2.1", "-o", out.to_str().unwrap()];
    let (status, said) = check(&notebook, &options);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("0.667 -> 0.700"), "{said}");
    let (status, said) = check(
        &notebook,
        &["-p", "factor=2.1", "--tolerance", "score=0.05"],
    );
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(std::fs::read(&notebook).unwrap(), before);
    assert_eq!(printed(&out, 2), "score 0.700\n");
}

#[test]
fn a_cell_that_fails_ends_the_check_and_the_rest_is_said_not_to_have_run() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = dir.path().join("a.ipynb");
    write_notebook(&notebook, &["println!(\"one\");", "println!(\"two\");"]);
    let (status, said) = check(&notebook, &["--update"]);
    assert_eq!(status, Some(0), "{said}");
    let text = std::fs::read_to_string(&notebook).unwrap();
    std::fs::write(
        &notebook,
        text.replace("println!(\\\"one\\\");", "panic!(\\\"now\\\");"),
    )
    .unwrap();
    let (status, said) = check(&notebook, &[]);
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("error instead of the stored output"),
        "{said}"
    );
    assert!(said.contains("the run ended before this cell"), "{said}");
    let (status, said) = check(&notebook, &["--allow-errors"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(!said.contains("the run ended before this cell"), "{said}");
}

#[test]
fn a_text_is_checked_with_the_outputs_of_its_notebook_and_is_never_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let in_folder = |args: &[&str]| {
        let output = holoscope().current_dir(dir.path()).args(args).output();
        let output = output.expect("the binary runs");
        (output.status.code(), describe(&output))
    };
    std::fs::write(path("a.ipynb"), sample().to_string()).unwrap();
    let (status, said) = in_folder(&["sync", "a.ipynb", "--to", "md"]);
    assert_eq!(status, Some(0), "{said}");
    let (status, said) = in_folder(&["check", "a.md", "--against", "a.ipynb"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("3 cells compared, no difference"), "{said}");

    let text = std::fs::read(path("a.md")).unwrap();
    let (status, said) = in_folder(&["check", "a.md", "--update"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("a text holds no outputs"), "{said}");
    assert_eq!(std::fs::read(path("a.md")).unwrap(), text);

    std::fs::remove_file(path("a.ipynb")).unwrap();
    let (status, said) = in_folder(&["check", "a.md"]);
    assert_eq!(status, Some(2), "{said}");
    assert!(said.contains("no a.ipynb next to it"), "{said}");
}
