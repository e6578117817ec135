//! The suites in `conformance/`: real clients, over real sockets, on the real kernel.
//!
//! They need a Python with their packages (`HOLOSCOPE_PYTHON`), Chromium and tmux, and take minutes:
//! `cargo test -p holoscope-kernel --test conformance -- --ignored --show-output`.

mod common;

use common::{describe, install, python};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One suite at a time: they measure what is late.
static TURN: Mutex<()> = Mutex::new(());

fn suite(script: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let jupyter = install(dir.path());
    let output = Command::new(python())
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/conformance")
                .join(script),
        )
        .arg("-v")
        .current_dir(dir.path())
        .env("JUPYTER_PATH", jupyter)
        .env("HOLOSCOPE_HISTORY", dir.path().join("history.jsonl"))
        .output()
        .expect("Python runs");
    assert!(output.status.success(), "{script}: {}", describe(&output));
    // The suites' counts are results, too.
    let said = String::from_utf8_lossy(&output.stdout);
    println!(
        "{script}: {}",
        said.trim().lines().last().unwrap_or_default()
    );
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn jupyter_kernel_test_passes_with_nothing_skipped() {
    suite("kernel_suite.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn the_usual_frontends_work() {
    suite("frontends.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn widgets_speak_ipywidgets_protocol() {
    suite("widgets.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn widgets_work_in_jupyterlab() {
    suite("lab_widgets.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn every_fault_is_an_error_and_the_next_cell_runs() {
    suite("faults.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn every_message_gets_its_answer() {
    suite("wire.py");
}

#[test]
#[ignore = "takes minutes, needs HOLOSCOPE_PYTHON, Chromium and tmux"]
fn nothing_is_left_behind() {
    suite("lifecycle.py");
}
