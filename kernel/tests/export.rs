//! `holoscope export` as a user meets it: pages and PDFs of notebooks as they are stored.

mod common;

use common::{describe, holoscope, write_notebook};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

fn export(dir: &Path, words: &[&str], browser: Option<&Path>) -> Output {
    let mut command = holoscope();
    command.current_dir(dir).arg("export").args(words);
    if let Some(browser) = browser {
        command.env("HOLOSCOPE_CHROMIUM", browser);
    }
    command.output().expect("the binary runs")
}

fn article() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/article/article.ipynb")
}

/// A script in the browser's place.
fn script(dir: &Path, text: &str) -> PathBuf {
    let path = dir.join("browser");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_page_has_the_outputs_that_are_stored_and_pictures_from_beside_the_notebook() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = article();
    let output = export(
        dir.path(),
        &["--to", "html", notebook.to_str().unwrap()],
        None,
    );
    assert!(output.status.success(), "{}", describe(&output));
    let page = std::fs::read_to_string(dir.path().join("out/article.html")).unwrap();
    let stored: Value = serde_json::from_slice(&std::fs::read(&notebook).unwrap()).unwrap();
    assert_eq!(stored["nbformat"], 4);
    assert!(page.contains("Figure\u{a0}1:"), "no numbered figure");
    assert!(
        page.contains("data:image/png;base64,"),
        "no picture from pentagon.png"
    );
    assert!(!page.contains("http-equiv=\"refresh\""));
}

#[test]
fn an_article_with_a_fault_is_not_exported() {
    let dir = tempfile::tempdir().unwrap();
    let cells = json!([{"cell_type": "markdown", "id": "a", "metadata": {},
        "source": "---\ntitle: A\n---\n\nSee @fig-none."}]);
    let notebook = json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells});
    std::fs::write(dir.path().join("a.ipynb"), notebook.to_string()).unwrap();
    let output = export(
        dir.path(),
        &["--to", "html", "a.ipynb", "-o", "a.html"],
        None,
    );
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(
        describe(&output).contains("@fig-none refers to nothing"),
        "{}",
        describe(&output)
    );
    assert!(!dir.path().join("a.html").exists());
}

#[test]
fn what_was_never_run_is_said_and_the_notebook_is_not_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    write_notebook(&dir.path().join("a.ipynb"), &["1 + 1", "2 + 2"]);
    let before = std::fs::read(dir.path().join("a.ipynb")).unwrap();
    let output = export(dir.path(), &["--to", "html", "a.ipynb"], None);
    assert!(output.status.success(), "{}", describe(&output));
    assert!(
        describe(&output).contains("none of the 2 cells of a.ipynb has been run"),
        "{}",
        describe(&output)
    );
    let output = export(
        dir.path(),
        &["--to", "html", "a.ipynb", "-o", "./a.ipynb"],
        None,
    );
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert_eq!(std::fs::read(dir.path().join("a.ipynb")).unwrap(), before);
}

/// The text that a PDF's pages show cannot be read without inflating them; its page tree can.
#[test]
#[ignore = "needs Chromium"]
fn a_pdf_has_pages_and_an_outline() {
    let dir = tempfile::tempdir().unwrap();
    let notebook = article();
    let words = ["--to", "pdf", notebook.to_str().unwrap(), "-o", "a.pdf"];
    let output = export(dir.path(), &words, None);
    let said = describe(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("printed by"), "{said}");
    let pdf = std::fs::read(dir.path().join("a.pdf")).unwrap();
    assert!(pdf.starts_with(b"%PDF-"));
    let has = |what: &[u8]| pdf.windows(what.len()).any(|part| part == what);
    assert!(
        has(b"/Type /Page\n") || has(b"/Type /Page ") || has(b"/Type /Page/"),
        "no page"
    );
    assert!(has(b"/Outlines"), "no outline");
}

/// Spaces, `#`, `%` and letters of any alphabet in the folders' names.
fn oddly_named(dir: &Path) -> PathBuf {
    let odd = dir.join("a #b 50%41 \u{e9}?");
    std::fs::create_dir(&odd).unwrap();
    odd
}

#[test]
fn markdown_finds_its_pictures_whatever_the_folders_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let odd = oddly_named(dir.path());
    let notebook = article();
    let notebook = notebook.to_str().unwrap();
    let output = export(
        &odd,
        &["--to", "md", notebook, "-o", "my notes #1.md"],
        None,
    );
    assert!(output.status.success(), "{}", describe(&output));
    let text = std::fs::read_to_string(odd.join("my notes #1.md")).unwrap();
    assert!(
        text.contains("](my%20notes%20%231_files/picture-1."),
        "{text}"
    );
    assert!(odd.join("my notes #1_files").read_dir().unwrap().count() > 0);
}

#[test]
#[ignore = "needs Chromium"]
fn a_pdf_finds_its_page_whatever_the_folders_are_called() {
    let dir = tempfile::tempdir().unwrap();
    let odd = oddly_named(dir.path());
    let notebook = article();
    let notebook = notebook.to_str().unwrap();
    let mut command = holoscope();
    command.current_dir(&odd).env("TMPDIR", &odd);
    let output = command
        .args(["export", "--to", "pdf", notebook, "-o", "a.pdf"])
        .output()
        .unwrap();
    let said = describe(&output);
    assert!(output.status.success(), "{said}");
    // A page that says that there is no such file has one page and no outline.
    let pdf = std::fs::read(odd.join("a.pdf")).unwrap();
    assert!(
        pdf.windows(9).any(|part| part == b"/Outlines"),
        "not the article"
    );
}

#[test]
fn a_browser_that_fails_is_quoted_and_one_that_is_missing_is_named() {
    let dir = tempfile::tempdir().unwrap();
    write_notebook(&dir.path().join("a.ipynb"), &["1 + 1"]);
    let broken = script(dir.path(), "echo no display at all >&2; exit 1");
    let output = export(dir.path(), &["--to", "pdf", "a.ipynb"], Some(&broken));
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(
        describe(&output).contains("no display at all"),
        "{}",
        describe(&output)
    );
    // What the browser leaves running, with its standard error, must not hold the export up.
    let leaves = script(dir.path(), "sleep 1000 & echo gone before >&2; exit 0");
    let output = export(dir.path(), &["--to", "pdf", "a.ipynb"], Some(&leaves));
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    let gone = dir.path().join("no such browser");
    let output = export(dir.path(), &["--to", "pdf", "a.ipynb"], Some(&gone));
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    assert!(
        describe(&output).contains("HOLOSCOPE_CHROMIUM names"),
        "{}",
        describe(&output)
    );
    assert!(!dir.path().join("out/a.pdf").exists());
}

#[test]
fn a_folder_becomes_a_site_whose_pages_lead_to_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    for folder in [
        "notes",
        "notes/lessons",
        "notes/.ipynb_checkpoints",
        "notes/site",
    ] {
        std::fs::create_dir_all(at(folder)).unwrap();
    }
    let notebook = |path: &str, text: &str| {
        let cell = json!({"cell_type": "markdown", "id": "a", "metadata": {}, "source": text});
        let notebook = json!({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
        std::fs::write(at(path), notebook.to_string()).unwrap();
    };
    notebook(
        "notes/main.ipynb",
        "# Main\n\nBegin with [the lesson](lessons/1.ipynb#way).",
    );
    notebook(
        "notes/lessons/1.ipynb",
        "# Lesson\n\n## Way\n\nDistinctive words.",
    );
    notebook("notes/.ipynb_checkpoints/main.ipynb", "# Old");
    // Of an earlier export: no notebook of the site.
    notebook("notes/site/old.ipynb", "# Older");
    let output = export(dir.path(), &["notes", "--site", "notes/site"], None);
    assert!(output.status.success(), "{}", describe(&output));
    let page = |path: &str| std::fs::read_to_string(at("notes/site").join(path)).unwrap();
    assert!(page("main.html").contains("href=\"lessons/1.html#way\""));
    assert!(page("lessons/1.html").contains("href=\"../main.html\">\u{2190} Main</a>"));
    let index = page("index.html");
    assert!(index.contains("<h1 class=\"title\">notes</h1>"), "{index}");
    assert!(
        index.contains("Distinctive words") && !index.contains("Old"),
        "{index}"
    );
    assert!(!at("notes/site/old.html").exists());
    let output = export(dir.path(), &["notes/main.ipynb", "--site", "out"], None);
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
}
