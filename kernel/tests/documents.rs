//! The documentation: the Rust and the commands of every page run, and its links lead somewhere.
//!
//! The blocks of a page marked `rust` are the cells of one notebook. Those marked `rust,no_run` are
//! compiled (they need a network or files), `rust,compile_fail` must not compile, and `rust,ignore` says
//! in the text before it what it needs.

mod common;

use common::{describe, find_chromium, holoscope, read_cells, root, text, write_notebook};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The pages: the book's, and those that GitHub shows.
fn pages() -> Vec<PathBuf> {
    let root = root();
    let book = std::fs::read_dir(root.join("docs")).unwrap();
    let mut pages: Vec<PathBuf> = book
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    for name in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        pages.push(root.join(name));
    }
    pages.extend(["kernel/README.md", "benches/README.md"].map(|name| root.join(name)));
    pages.sort();
    pages
}

/// The fenced blocks of a page: what stands behind the fence, and the lines.
fn blocks(page: &Path) -> Vec<(String, String)> {
    let markdown = std::fs::read_to_string(page).unwrap();
    let (mut blocks, mut open): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in markdown.lines() {
        match (line.strip_prefix("```"), open) {
            (Some(info), false) => {
                blocks.push((info.trim().to_owned(), String::new()));
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let (_, block) = blocks.last_mut().unwrap();
                *block += line;
                *block += "\n";
            }
            (None, false) => {}
        }
    }
    assert!(!open, "{} ends within a block", page.display());
    blocks
}

/// The Rust of a page as cells, and which of them must fail.
fn cells(page: &Path) -> (Vec<String>, Vec<bool>) {
    let (mut cells, mut fails, mut compiled) = (Vec::new(), Vec::new(), String::new());
    for (info, block) in blocks(page) {
        match info.as_str() {
            "rust" => (cells.push(block), fails.push(false)),
            "rust,compile_fail" => (cells.push(block), fails.push(true)),
            "rust,no_run" => {
                compiled += block.trim_end();
                compiled += ";\n";
                continue;
            }
            _ => continue,
        };
    }
    if !compiled.is_empty() {
        // True of no program, which the compiler does not know.
        cells.push(format!(
            "if std::env::args_os().len() > 9_999 {{\n{compiled}}}"
        ));
        fails.push(false);
    }
    (cells, fails)
}

/// Runs the Rust of a page; the text of each cell's outputs.
fn run(page: &Path) -> Vec<String> {
    let (cells, fails) = cells(page);
    let folder = tempfile::tempdir().unwrap();
    let (input, out) = (
        folder.path().join("in.ipynb"),
        folder.path().join("out.ipynb"),
    );
    let sources: Vec<&str> = cells.iter().map(String::as_str).collect();
    write_notebook(&input, &sources);
    let mut notebook: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&input).unwrap()).unwrap();
    for (i, _) in fails.iter().enumerate().filter(|(_, fails)| **fails) {
        notebook["cells"][i]["metadata"]["tags"] = serde_json::json!(["raises-exception"]);
    }
    std::fs::write(&input, notebook.to_string()).unwrap();
    let run = holoscope()
        .arg("run")
        .arg(&input)
        .arg("-o")
        .arg(&out)
        .output();
    let run = run.expect("the binary runs");
    assert!(
        run.status.success(),
        "{}: {}",
        page.display(),
        describe(&run)
    );
    let ran = read_cells(&out);
    let outputs =
        |cell: &serde_json::Value| cell["outputs"].as_array().cloned().unwrap_or_default();
    for (cell, must_fail) in ran.iter().zip(&fails) {
        let failed = outputs(cell).iter().any(|o| o["output_type"] == "error");
        assert_eq!(failed, *must_fail, "{}: {cell:#}", page.display());
    }
    ran.iter()
        .map(|cell| {
            outputs(cell)
                .iter()
                .map(|o| text(&o["data"]["text/plain"]))
                .collect()
        })
        .collect()
}

#[test]
fn the_rust_of_every_page_runs_or_compiles() {
    let mut n = 0;
    for page in pages() {
        if page.ends_with("docs/side_by_side.md") || cells(&page).0.is_empty() {
            continue; // The first has a test of its own.
        }
        n += run(&page).len();
    }
    println!("{n} cells");
    assert!(n > 30, "{n} cells");
}

#[test]
fn the_tasks_side_by_side_run_in_one_session() {
    let page = root().join("docs/side_by_side.md");
    let (cells, results) = (cells(&page).0, run(&page));
    assert_eq!(cells.len(), 10, "{cells:?}");
    // The first cell is a `use`; each other one ends in what its task asks for.
    for (cell, result) in cells.iter().zip(&results).skip(1) {
        assert!(!result.is_empty(), "nothing is shown by:\n{cell}");
    }
    assert!(results[2].contains("512"), "{}", results[2]);
    assert!(results[9].contains("TopK (k = 16)"), "{}", results[9]);
}

/// Commands of the pages that run elsewhere, with where.
const ELSEWHERE: [(&str, &str); 11] = [
    ("git clone ", "needs a network"),
    ("cd holoscope", "is for the clone"),
    ("cargo ", "`.ci/run` builds and tests"),
    (".ci/run", "runs this test"),
    ("export PATH=", "the test's own has the binary"),
    ("pip install ", "`.ci/run` does"),
    ("holoscope install", "`tests/conformance.rs` installs"),
    ("jupyter lab", "`tests/conformance/lab.py` drives it"),
    (
        "holoscope watch ",
        "`tests/watch.rs` runs it until it is stopped",
    ),
    (
        "holoscope assign --verify ",
        "`tests/lessons.rs` verifies every lesson",
    ),
    ("holoscope grade ", "`tests/lessons.rs` grades"),
];

/// A notebook with a parameter, which has run.
fn ran() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ran.ipynb");
    write_notebook(
        &path,
        &["let profile = String::from(\"paper\");", "profile.len()"],
    );
    let mut notebook: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    notebook["cells"][0]["metadata"]["tags"] = serde_json::json!(["parameters"]);
    std::fs::write(&path, notebook.to_string()).unwrap();
    let run = holoscope().arg("run").arg(&path).arg("--in-place").output();
    let run = run.expect("the binary runs");
    assert!(run.status.success(), "{}", describe(&run));
    std::fs::read(path).unwrap()
}

/// A folder with the notebooks that the pages' commands name, under version control.
fn folder_of_commands(notebook: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let tutorial = folder.path().join("notebooks/tutorial");
    std::fs::create_dir_all(&tutorial).unwrap();
    for name in [
        "paper.ipynb",
        "old.ipynb",
        "new.ipynb",
        "notebooks/dictionary_learning.ipynb",
        "notebooks/sparse_autoencoders.ipynb",
    ] {
        std::fs::write(folder.path().join(name), notebook).unwrap();
    }
    let lessons = std::fs::read_dir(root().join("notebooks/tutorial")).unwrap();
    for lesson in lessons.map(|entry| entry.unwrap().path()) {
        if lesson.extension().is_some_and(|e| e == "ipynb") {
            std::fs::copy(&lesson, tutorial.join(lesson.file_name().unwrap())).unwrap();
        }
    }
    let rule = "[numbers]\nregex: [0-9]+\nreplace: N\n";
    std::fs::write(folder.path().join("sanitize.cfg"), rule).unwrap();
    let git = ["init", "-q"];
    let git = Command::new("git")
        .args(git)
        .current_dir(folder.path())
        .status();
    assert!(git.expect("git runs").success());
    folder
}

#[test]
fn the_commands_of_every_page_succeed() {
    let binary = Path::new(env!("CARGO_BIN_EXE_holoscope")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let notebook = ran();
    let mut n = 0;
    for page in pages() {
        let folder = folder_of_commands(&notebook);
        let blocks = blocks(&page);
        let commands = blocks.iter().filter(|(info, _)| info == "sh");
        let commands: String = commands.map(|(_, block)| block.as_str()).collect();
        for command in commands.replace("\\\n", " ").lines() {
            let command = command.split(" # ").next().unwrap().trim();
            let elsewhere = ELSEWHERE
                .iter()
                .any(|(begin, _)| command.starts_with(begin));
            let draws = command.ends_with("--to pdf") && find_chromium().is_none();
            if command.is_empty() || elsewhere || draws {
                continue;
            }
            // A page about sources begins `paper.ipynb` twice, in two stories.
            if command.starts_with("holoscope new paper") {
                let _ = std::fs::remove_file(folder.path().join("paper.ipynb"));
            }
            let mut shell = Command::new("sh");
            shell.args(["-c", command]).current_dir(folder.path());
            shell.env("PATH", format!("{}:{path}", binary.display()));
            let output = shell.output().expect("a shell runs");
            // As `diff` does, these say with 1 that there is something to say.
            let tells = command.starts_with("holoscope diff ") || command.contains(" --check ");
            let done = output.status.success() || (tells && output.status.code() == Some(1));
            assert!(done, "{}: {command}: {}", page.display(), describe(&output));
            n += 1;
        }
    }
    println!("{n} commands");
    assert!(n > 15, "{n} commands");
}

/// A heading's anchor, as GitHub and mdBook make it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    heading
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

/// A page without its fenced blocks and code spans.
fn prose(page: &Path) -> String {
    let markdown = std::fs::read_to_string(page).unwrap();
    let outside = markdown.split("```").step_by(2).collect::<String>();
    outside.split('`').step_by(2).collect()
}

fn anchors(page: &Path) -> Vec<String> {
    let markdown = std::fs::read_to_string(page).unwrap();
    let outside = markdown
        .split("\n```")
        .step_by(2)
        .collect::<Vec<_>>()
        .join("\n");
    outside
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(anchor)
        .collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_a_heading() {
    let mut missing = Vec::new();
    let mut n = 0;
    for page in pages() {
        let prose = prose(&page);
        for link in prose.split("](").skip(1) {
            let link = link.split([')', ' ']).next().unwrap();
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match file.is_empty() {
                true => page.clone(),
                false => page.parent().unwrap().join(file),
            };
            let has_heading =
                || heading.is_empty() || anchors(&target).contains(&heading.to_owned());
            if !target.exists() || !has_heading() {
                missing.push(format!("{}: {link}", page.display()));
            }
            n += 1;
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(n > 50, "{n} links");
}

#[test]
fn the_book_has_every_page_once() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for link in summary.split("](").skip(1) {
        *listed.entry(link.split(')').next().unwrap()).or_default() += 1;
    }
    for page in pages()
        .iter()
        .filter(|page| page.parent() == Some(&root().join("docs")))
    {
        let name = page.file_name().unwrap().to_str().unwrap();
        if name != "SUMMARY.md" {
            assert_eq!(listed.get(name), Some(&1), "{name} in docs/SUMMARY.md");
        }
    }
}
