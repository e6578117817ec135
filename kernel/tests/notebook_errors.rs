//! `holoscope run` on what it cannot run: a clear message, a status that is not
//! zero, and nothing overwritten. None of these gets as far as building anything.

use std::path::Path;
use std::process::{Command, Output};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_holoscope"))
        .arg("run")
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts")
}

/// Runs in a folder that holds `broken.ipynb`, `good.ipynb` and an old result.
fn fails(arguments: &[&str], expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("broken.ipynb", "{\n \"cells\": [\n");
    write("v2.ipynb", "{\"nbformat\": 2, \"worksheets\": []}");
    write("good.ipynb", include_str!("fixtures/parameters.ipynb"));
    write("old.ipynb", "old");
    let output = run(folder.path(), arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(message.contains(expected), "{message}");
    let old = std::fs::read_to_string(folder.path().join("old.ipynb")).unwrap();
    assert_eq!(old, "old");
}

#[test]
fn a_missing_notebook_is_named() {
    fails(&["none.ipynb", "-o", "old.ipynb"], "none.ipynb");
}

#[test]
fn a_truncated_notebook_is_named_with_its_line() {
    fails(
        &["broken.ipynb", "-o", "old.ipynb"],
        "broken.ipynb:3: the file ends too early",
    );
}

#[test]
fn an_old_format_is_named_with_what_to_do() {
    fails(
        &["v2.ipynb", "-o", "old.ipynb"],
        "v2.ipynb: nbformat 2; only nbformat 3 and 4 are read (convert it with",
    );
}

#[test]
fn an_unknown_parameter_lists_the_known_ones() {
    fails(
        &["good.ipynb", "-o", "old.ipynb", "-p", "stepz=3"],
        "there are: profile: &str = \"paper\", steps: usize = 400",
    );
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    fails(
        &["good.ipynb", "-o", "old.ipynb", "-p", "steps=many"],
        "\"many\" is text (&str), not usize: usize holds whole numbers from 0 to",
    );
}

#[test]
fn an_output_that_is_a_folder_is_refused_before_the_run() {
    fails(&["good.ipynb", "-o", "."], "cannot write");
}
