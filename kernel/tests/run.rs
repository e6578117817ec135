//! `holoscope run` as a user meets it: real evcxr, real processes.

mod common;

use common::{describe, holoscope, read_cells, text, write_notebook};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

fn run(dir: &Path, cells: &[&str], more: &[&str]) -> (Output, Vec<Value>) {
    let input = dir.join("in.ipynb");
    let out = dir.join("done.ipynb");
    write_notebook(&input, cells);
    let output = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .args(more)
        .output()
        .expect("the binary runs");
    let cells = if out.exists() {
        read_cells(&out)
    } else {
        Vec::new()
    };
    (output, cells)
}

fn outputs(cell: &Value) -> &Vec<Value> {
    cell["outputs"].as_array().expect("a code cell has outputs")
}

#[test]
fn a_folder_of_data_is_meant_from_where_the_command_was_given() {
    let dir = tempfile::tempdir().unwrap();
    let notebooks = dir.path().join("notebooks");
    std::fs::create_dir_all(&notebooks).unwrap();
    let data = "std::env::var(\"HOLOSCOPE_DATA\").is_ok_and(|d| std::path::Path::new(&d).join(\"here\").is_file())";
    write_notebook(&notebooks.join("in.ipynb"), &[data]);
    // From the shell's folder, or, where that is none, from the notebook's.
    for (folder, named) in [("data", "data"), ("beside", "../beside")] {
        let folder = dir.path().join(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("here"), "").unwrap();
        let output = holoscope()
            .current_dir(dir.path())
            .args(["run", "notebooks/in.ipynb", "-o", "out.ipynb"])
            .env("HOLOSCOPE_DATA", named)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", describe(&output));
        let cells = read_cells(&dir.path().join("out.ipynb"));
        assert_eq!(
            text(&outputs(&cells[0])[0]["data"]["text/plain"]).trim(),
            "true",
            "{named}"
        );
    }
}

#[test]
fn variables_prints_and_displays_keep_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let (output, cells) = run(
        dir.path(),
        &[
            ":dep holoscope = { path = \"..\" }",
            "use holoscope::prelude::*;\nlet sizes: Vec<usize> = vec![1, 2, 3];",
            "println!(\"one\");\ndisplay(&Html::new(\"<b>first</b>\", \"first\"));\nprint!(\"two\");\ndisplay(&Html::new(\"<b>second</b>\", \"second\"));\neprintln!(\"three\");",
            "sizes.len()",
        ],
        &[],
    );
    assert!(output.status.success(), "{}", describe(&output));
    let shown: Vec<String> = outputs(&cells[2])
        .iter()
        .map(|o| match o["output_type"].as_str() {
            Some("stream") => format!("{}:{}", o["name"].as_str().unwrap(), text(&o["text"])),
            _ => text(&o["data"]["text/html"]),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "stdout:one\n",
            "<b>first</b>",
            "stdout:two",
            "<b>second</b>",
            "stderr:three\n"
        ]
    );
    assert_eq!(outputs(&cells[3])[0]["output_type"], "execute_result");
    assert_eq!(text(&outputs(&cells[3])[0]["data"]["text/plain"]), "3");
    let page = std::fs::read_to_string(dir.path().join("done.html")).unwrap();
    assert!(page.contains("<b>second</b>"));
}

#[test]
fn a_panic_stops_the_run_and_what_ran_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (output, cells) = run(
        dir.path(),
        &[
            "println!(\"before\");",
            "let v: Vec<i32> = vec![];\nprintln!(\"{}\", v[3]);",
            "1",
        ],
        &[],
    );
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("code cell 2 of 3"), "{said}");
    assert!(said.contains("index out of bounds"), "{said}");
    assert!(said.contains("at line 2 of this cell"), "{said}");
    assert_eq!(text(&outputs(&cells[0])[0]["text"]), "before\n");
    let error = outputs(&cells[1]).last().unwrap();
    assert_eq!(error["output_type"], "error");
    assert_eq!(error["ename"], "panic");
    assert!(outputs(&cells[2]).is_empty());
}

#[test]
fn an_error_through_the_question_mark_fails_the_cell() {
    let dir = tempfile::tempdir().unwrap();
    let (output, cells) = run(dir.path(), &["let n: i32 = \"x\".parse::<i32>()?;"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let error = outputs(&cells[0]).last().unwrap();
    assert_eq!(error["output_type"], "error");
    assert!(text(&error["evalue"]).contains("invalid digit"), "{error}");
}

#[test]
fn a_compile_error_shows_the_users_line() {
    let dir = tempfile::tempdir().unwrap();
    let (output, cells) = run(
        dir.path(),
        &["let a: i32 = 1;\nlet b: i32 = a + \"x\";"],
        &[],
    );
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let error = outputs(&cells[0]).last().unwrap();
    assert_eq!(error["ename"], "compile error");
    let story: String = error["traceback"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| format!("{}\n", l.as_str().unwrap()))
        .collect();
    assert!(story.contains("2 | let b: i32 = a + \"x\";"), "{story}");
}

#[test]
fn a_cell_that_kills_the_process_is_an_error_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (output, cells) = run(dir.path(), &["std::process::abort()"], &[]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let error = outputs(&cells[0]).last().unwrap();
    assert_eq!(error["ename"], "died");
    assert!(text(&error["evalue"]).contains("signal 6"), "{error}");
}

/// `println!` holds stdout while `Display` runs, and the thread that panics wants to flush it.
#[test]
fn a_panic_is_reported_while_another_thread_prints() {
    let dir = tempfile::tempdir().unwrap();
    let waits = "struct Waits;\nimpl std::fmt::Display for Waits {\n    \
                 fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {\n        \
                 let inner = std::thread::spawn(|| panic!(\"from inside\")).join();\n        \
                 write!(f, \"printed, {}\", inner.is_err())\n    }\n}\n";
    let (output, cells) = run(
        dir.path(),
        &[waits, "println!(\"{Waits}\");"],
        &["--timeout", "120"],
    );
    assert!(output.status.success(), "{}", describe(&output));
    let shown = serde_json::to_string(outputs(&cells[1])).unwrap();
    assert!(shown.contains("printed, true"), "{shown}");
    assert!(shown.contains("from inside"), "{shown}");
}

#[test]
fn the_folder_of_the_sessions_may_have_spaces() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.ipynb");
    let out = dir.path().join("done.ipynb");
    write_notebook(&input, &["fn two() -> i32 { 2 }", "two() + 1"]);
    let output = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .env("HOLOSCOPE_SESSIONS", dir.path().join("my own sessions"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&out);
    assert_eq!(
        text(&outputs(&cells[1])[0]["data"]["text/plain"]).trim(),
        "3"
    );
}

/// `cargo run` puts its folders of libraries first, and a build of the whole workspace leaves an
/// image there that is not the one which cells are linked with.
#[test]
fn an_image_of_another_build_is_not_taken_for_ours() {
    let dir = tempfile::tempdir().unwrap();
    let (other, plain) = (dir.path().join("other"), dir.path().join("plain"));
    std::fs::create_dir_all(&other).unwrap();
    std::fs::create_dir_all(&plain).unwrap();
    std::fs::write(other.join("libholoscope_image.so"), "of another build").unwrap();
    let folders = std::env::join_paths([&other, &plain]).unwrap();
    let input = dir.path().join("in.ipynb");
    let cell = "std::env::var(\"LD_LIBRARY_PATH\").unwrap()";
    write_notebook(&input, &[cell]);
    let done = dir.path().join("done.ipynb");
    let output = holoscope()
        .env("LD_LIBRARY_PATH", folders)
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&done)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    let cells = read_cells(&done);
    let shown = text(&outputs(&cells[0])[0]["data"]["text/plain"]);
    // What else the user has set stays.
    assert_eq!(shown.trim(), format!("{:?}", plain.to_str().unwrap()));
}

/// Writes a notebook of code cells with tags.
fn write_tagged(path: &Path, cells: &[(&str, &[&str])]) {
    let cells = cells.iter().enumerate().map(|(n, (source, tags))| {
        json!({"cell_type": "code", "id": format!("cell-{n}"), "metadata": {"tags": tags},
            "source": source, "execution_count": 9,
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "of an earlier run\n"}]})
    });
    let cells: Vec<Value> = cells.collect();
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    std::fs::write(path, notebook.to_string()).unwrap();
}

/// What a cell has printed, and the kind of its error.
fn shown(cell: &Value) -> (String, String) {
    let of_type = |wanted: &str, key: &str| -> String {
        let found = outputs(cell)
            .iter()
            .filter(|output| output["output_type"] == wanted);
        found.map(|output| text(&output[key])).collect()
    };
    (of_type("stream", "text"), of_type("error", "ename"))
}

#[test]
fn tags_of_cells_are_obeyed() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("in.ipynb"), dir.path().join("out.ipynb"));
    write_tagged(
        &input,
        &[
            ("println!(\"one\");", &[]),
            (
                "std::fs::write(\"ran\", \"\").unwrap();",
                &["skip-execution"],
            ),
            (
                "println!(\"two\"); panic!(\"wanted\");",
                &["raises-exception"],
            ),
            ("let n: i32 = \"a compile error\";", &["raises-exception"]),
            ("println!(\"three\");", &["unknown"]),
            ("1 + 1;", &["raises-exception"]),
            ("println!(\"never\");", &[]),
        ],
    );
    let output = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .output()
        .unwrap();
    // The last tagged cell raises nothing, which is an error.
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("code cell 5 of 6"), "{said}");
    assert!(said.contains("`raises-exception`"), "{said}");
    let cells = read_cells(&out);
    let found: Vec<(String, String)> = cells.iter().map(shown).collect();
    let wanted = [
        ("one\n", ""),
        ("of an earlier run\n", ""),
        ("two\n", "panic"),
        ("", "compile error"),
        ("three\n", ""),
        ("", "no exception"),
        ("", ""),
    ];
    assert_eq!(
        found,
        wanted.map(|(text, error)| (text.to_owned(), error.to_owned()))
    );
    assert!(!dir.path().join("ran").exists());
    let counts: Vec<Option<u64>> = cells
        .iter()
        .map(|c| c["execution_count"].as_u64())
        .collect();
    assert_eq!(
        counts,
        [Some(1), Some(9), Some(2), Some(3), Some(4), Some(5), None]
    );
}

#[test]
fn errors_that_are_allowed_stay_in_the_notebook_and_the_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let cells = ["panic!(\"one\")", "println!(\"two\");"];
    let (output, cells) = run(dir.path(), &cells, &["--allow-errors"]);
    assert!(output.status.success(), "{}", describe(&output));
    let found: Vec<(String, String)> = cells.iter().map(shown).collect();
    let wanted = [("", "panic"), ("two\n", "")];
    assert_eq!(
        found,
        wanted.map(|(text, error)| (text.to_owned(), error.to_owned()))
    );
}

#[test]
fn a_notebook_is_run_in_place_only_when_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.ipynb");
    write_notebook(&input, &["println!(\"ran\");"]);
    let before = std::fs::read(&input).unwrap();
    for refused in [
        &["-o", "in.ipynb"][..],
        &["-o", "out.html"],
        &["--html", "in.ipynb"],
    ] {
        let output = holoscope()
            .current_dir(dir.path())
            .args(["run", "in.ipynb"])
            .args(refused)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{refused:?}: {}",
            describe(&output)
        );
        assert_eq!(std::fs::read(&input).unwrap(), before, "{refused:?}");
    }
    let output = holoscope()
        .arg("run")
        .arg(&input)
        .arg("--in-place")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", describe(&output));
    assert_eq!(shown(&read_cells(&input)[0]).0, "ran\n");
    assert!(dir.path().join("in.html").exists());
}

#[test]
fn faults_before_the_first_cell_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    std::fs::write(path("broken.ipynb"), "{\"cells\": [").unwrap();
    write_notebook(&path("fine.ipynb"), &["1"]);
    std::fs::write(path("kept.ipynb"), "precious").unwrap();
    let cases: [(&str, &str, &str, &str); 4] = [
        ("absent.ipynb", "kept.ipynb", "", "absent.ipynb"),
        ("broken.ipynb", "kept.ipynb", "", "broken.ipynb"),
        ("fine.ipynb", "kept.ipynb/x.ipynb", "", "kept.ipynb"),
        ("fine.ipynb", "kept.ipynb", "nosuch=1", "nosuch"),
    ];
    for (input, out, parameter, said) in cases {
        let mut command = holoscope();
        command.arg("run").arg(path(input)).arg("-o").arg(path(out));
        if !parameter.is_empty() {
            command.args(["-p", parameter]);
        }
        let output = command.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(2),
            "{input}: {}",
            describe(&output)
        );
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(said), "{input}: {stderr}");
        assert_eq!(
            std::fs::read_to_string(path("kept.ipynb")).unwrap(),
            "precious"
        );
    }
}

#[test]
fn an_installation_tries_a_session() {
    let dir = tempfile::tempdir().unwrap();
    let install = |sessions: &str| {
        let mut command = holoscope();
        command.args(["install", "--prefix"]).arg(dir.path());
        command.env("HOLOSCOPE_SESSIONS", dir.path().join(sessions));
        command.output().expect("the binary runs")
    };
    let spec = dir
        .path()
        .join("share/jupyter/kernels/holoscope/kernel.json");
    // Where cells cannot be compiled, nothing is installed, and the reason is said.
    std::fs::create_dir(dir.path().join("below")).unwrap();
    let manifest = dir.path().join("below/Cargo.toml");
    std::fs::write(&manifest, "[workspace]\n").unwrap();
    let refused = install("below/sessions");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains(&*manifest.to_string_lossy()), "{said}");
    assert!(said.contains("HOLOSCOPE_SESSIONS"), "{said}");
    assert!(!spec.exists());
    let done = install("sessions");
    assert!(done.status.success(), "{}", describe(&done));
    assert!(spec.exists());
    // The cells that every session begins with are there for the next one.
    let kept = std::fs::read_dir(dir.path().join("sessions/kept")).unwrap();
    assert!(kept.count() > 0);
}

#[test]
fn help_is_everywhere() {
    for command in [
        &[][..],
        &["run"],
        &["check"],
        &["watch"],
        &["install"],
        &["uninstall"],
        &["kernel"],
        &["doctor"],
    ] {
        let output = holoscope().args(command).arg("-h").output().unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("Usage:"));
    }
}
