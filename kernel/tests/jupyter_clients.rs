//! Real Jupyter clients on our kernel, and our write-up on stock evcxr.

mod common;

use common::{describe, install, python, read_cells, root, text, write_notebook};
use serde_json::json;
use std::path::Path;
use std::process::{Command, Output};

/// Longest that one cell may take: stock evcxr builds candle and polars in one.
const PATIENCE: &str = "3000";

fn execute(python: &Path, jupyter: &Path, kernel: &str, notebook: &Path, out: &Path) -> Output {
    Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/execute.py"))
        .arg(kernel)
        .args([notebook, out])
        .arg(PATIENCE)
        .env("JUPYTER_PATH", jupyter)
        .output()
        .expect("Python runs")
}

#[test]
#[ignore = "needs HOLOSCOPE_PYTHON with nbclient"]
fn nbclient_runs_a_notebook_on_our_kernel() {
    let python = python();
    let dir = tempfile::tempdir().unwrap();
    let jupyter = install(dir.path());
    let notebook = dir.path().join("in.ipynb");
    let out = dir.path().join("out.ipynb");
    write_notebook(
        &notebook,
        &[
            "use holoscope::prelude::*;\nlet n: usize = 20;",
            "println!(\"{}\", n + 1);\ndisplay(&Html::new(\"<b>x</b>\", \"x\"));",
            "n * 2",
        ],
    );
    let output = execute(&python, &jupyter, "holoscope", &notebook, &out);
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&out);
    assert_eq!(text(&cells[1]["outputs"][0]["text"]), "21\n");
    assert_eq!(
        text(&cells[1]["outputs"][1]["data"]["text/html"]),
        "<b>x</b>"
    );
    assert_eq!(cells[2]["outputs"][0]["output_type"], "execute_result");
    assert_eq!(text(&cells[2]["outputs"][0]["data"]["text/plain"]), "40");

    write_notebook(&notebook, &["panic!(\"on purpose\");", "1"]);
    let output = execute(&python, &jupyter, "holoscope", &notebook, &out);
    assert!(!output.status.success(), "a panic must fail the run");
    assert!(
        describe(&output).contains("on purpose"),
        "{}",
        describe(&output)
    );
}

/// The whole write-up on `evcxr_jupyter` 0.22 as it comes, with nothing of our
/// kernel: its first cell is the documented `:dep` line. CI has no time for it: run it before a
/// release, and after a change of the library's dependencies or of what the write-up's cells call.
#[test]
#[ignore = "stock evcxr builds everything anew, 15 minutes; run `cargo test --workspace stock_evcxr -- --ignored`"]
fn the_write_up_runs_on_stock_evcxr() {
    let python = python();
    let dir = tempfile::tempdir().unwrap();
    let spec = dir.path().join("kernels/stock");
    std::fs::create_dir_all(&spec).unwrap();
    let stock = stock_evcxr();
    std::fs::write(
        spec.join("kernel.json"),
        json!({"argv": [stock, "--control_file", "{connection_file}"],
            "display_name": "Rust (stock)", "language": "rust"})
        .to_string(),
    )
    .unwrap();
    let notebook = quick_write_up();
    let out = dir.path().join("out.ipynb");
    let output = execute(&python, dir.path(), "stock", &notebook, &out);
    std::fs::remove_file(&notebook).unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    // Stock evcxr answers `ok` to a panic; only its stderr tells.
    for cell in read_cells(&out) {
        for shown in cell["outputs"].as_array().into_iter().flatten() {
            assert!(
                !text(&shown["text"]).contains("panicked at"),
                "{}: {shown}",
                text(&cell["source"])
            );
        }
    }
}

/// `cargo test` builds examples beside the binary.
fn stock_evcxr() -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_holoscope"))
        .with_file_name("examples")
        .join("stock_evcxr");
    assert!(
        path.is_file(),
        "{} is missing: run `cargo test` without filters on targets",
        path.display()
    );
    path
}

/// The write-up with `profile = "quick"`, in its own folder: its `:dep` line has a relative path.
fn quick_write_up() -> std::path::PathBuf {
    let notebooks = root().join("notebooks");
    let source = std::fs::read_to_string(notebooks.join("dictionary_learning.ipynb")).unwrap();
    let quick = source.replace(
        "let profile = \\\"paper\\\";",
        "let profile = \\\"quick\\\";",
    );
    assert_ne!(quick, source, "the parameters cell has changed");
    let path = notebooks.join(".stock_evcxr_test.ipynb");
    std::fs::write(&path, quick).unwrap();
    path
}
