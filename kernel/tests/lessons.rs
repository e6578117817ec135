//! `holoscope assign` and `holoscope grade` as a teacher meets them, and the lessons of `notebooks/tutorial`.

mod common;

use common::{describe, holoscope, root, text};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Output;

const SOLUTION: &str = "fn mean(x: &[f64]) -> f64 {\n    // BEGIN SOLUTION\n    x.iter().sum::<f64>() / x.len() as f64\n    // END SOLUTION\n}";
const SUM: &str = "fn mean(x: &[f64]) -> f64 {\n    x.iter().sum()\n}";

fn cell(kind: &str, id: &str, tags: &[&str], source: &str) -> Value {
    let mut cell =
        json!({"cell_type": kind, "id": id, "metadata": {"tags": tags}, "source": source});
    if kind == "code" {
        cell["outputs"] = json!([]);
        cell["execution_count"] = Value::Null;
    }
    cell
}

/// A lesson of two exercises: one whose check shows its result by the library, one that asserts.
fn lesson(expected: &str) -> Value {
    let check = "check(\"1 The mean\", \"How many are there?\", || {\n    let found = mean(&[1.0, 3.0]);\n    \
                 assert!(found != 4.0, \"4 is the sum: divide by the number of values\");\n    \
                 assert!(found == 2.0, \"the mean of 1 and 3 is 2, not {found}\");\n})";
    let cells = json!([
        cell(
            "markdown",
            "title",
            &[],
            "# Means\n\n## Exercise 1: The mean"
        ),
        cell("code", "use", &[], "use holoscope::prelude::*;"),
        cell("code", "mean", &["exercise"], SOLUTION),
        cell(
            "raw",
            "mean-wrong",
            &["wrong"],
            &format!("//| message: \"{expected}\"\n{SUM}")
        ),
        cell("code", "mean-check", &["check"], check),
        cell("markdown", "second", &[], "## Exercise 2: Largest"),
        cell(
            "code",
            "largest",
            &["exercise"],
            "fn largest(x: &[u32]) -> u32 {\n    // BEGIN SOLUTION\n    *x.iter().max().unwrap()\n    // END SOLUTION\n}"
        ),
        cell(
            "raw",
            "largest-wrong",
            &["wrong"],
            "//| message: \"not 3\"\nfn largest(x: &[u32]) -> u32 {\n    x[0]\n}"
        ),
        cell(
            "code",
            "largest-check",
            &["check"],
            "assert!(largest(&[3, 5]) == 5, \"5 is larger, not 3\");\n// BEGIN HIDDEN TESTS\nassert!(largest(&[5, 3]) == 5, \"the first\");\n// END HIDDEN TESTS"
        ),
    ]);
    json!({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
}

fn write(path: &Path, notebook: &Value) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, notebook.to_string()).unwrap();
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn command(dir: &Path, words: &[&str]) -> Output {
    let output = holoscope().current_dir(dir).args(words).output();
    output.expect("the binary runs")
}

/// The lines of standard output, without the blanks around them.
fn lines(output: &Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_lesson_is_verified_and_makes_both_versions() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("means.ipynb"), &lesson("4 is the sum"));
    let output = command(dir.path(), &["assign", "--verify", "means.ipynb"]);
    assert!(output.status.success(), "{}", describe(&output));
    assert_eq!(
        lines(&output),
        [
            "means.ipynb",
            "Exercise 1: The mean",
            "solution        passed",
            "starting code   not started",
            "wrong answer 1  failed: 4 is the sum: divide by the number of values",
            "Exercise 2: Largest",
            "solution        passed",
            "starting code   not started",
            "wrong answer 1  failed: 5 is larger, not 3",
        ]
    );
    let student = read(&dir.path().join("out/lessons/student/means.ipynb")).to_string();
    assert!(student.contains("todo!(") && student.contains("<summary>Solution</summary>"));
    assert!(
        !student.contains("BEGIN") && !student.contains("the first"),
        "{student}"
    );
    let teacher = read(&dir.path().join("out/lessons/teacher/means.ipynb")).to_string();
    assert!(
        teacher.contains("the first") && !teacher.contains("todo!("),
        "{teacher}"
    );
}

#[test]
fn the_template_of_a_lesson_is_right() {
    let dir = tempfile::tempdir().unwrap();
    let output = command(dir.path(), &["new", "first", "--template", "lesson"]);
    assert!(output.status.success(), "{}", describe(&output));
    let output = command(dir.path(), &["assign", "--verify", "first.ipynb"]);
    assert!(output.status.success(), "{}", describe(&output));
}

#[test]
fn a_lesson_without_ids_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut old = lesson("4 is the sum");
    old["nbformat_minor"] = json!(4);
    for cell in old["cells"].as_array_mut().unwrap() {
        cell.as_object_mut().unwrap().remove("id");
    }
    write(&dir.path().join("means.ipynb"), &old);
    let output = command(dir.path(), &["assign", "means.ipynb"]);
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cell 1: it has no id"), "{said}");
}

#[test]
fn a_check_that_says_something_else_of_a_wrong_answer_is_found() {
    let dir = tempfile::tempdir().unwrap();
    write(
        &dir.path().join("means.ipynb"),
        &lesson("you have forgotten"),
    );
    let output = command(dir.path(), &["assign", "--verify", "means.ipynb"]);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let wrong = "WRONG: its message must contain \"you have forgotten\"";
    assert!(
        lines(&output).contains(&wrong.to_owned()),
        "{}",
        describe(&output)
    );
    assert!(!dir.path().join("out/lessons").exists());
}

/// The student's version with these answers, by the ids of their cells.
fn handed_in(student: &Value, answers: &[(&str, &str)]) -> Value {
    let mut notebook = student.clone();
    for cell in notebook["cells"].as_array_mut().unwrap() {
        let answer = answers.iter().find(|(id, _)| cell["id"] == *id);
        if let Some((_, answer)) = answer {
            cell["source"] = json!(answer);
        }
    }
    notebook
}

#[test]
fn submissions_are_graded_within_their_limits() {
    let dir = tempfile::tempdir().unwrap();
    let at = |path: &str| dir.path().join(path);
    write(&at("means.ipynb"), &lesson("4 is the sum"));
    let output = command(dir.path(), &["assign", "--no-solutions", "means.ipynb"]);
    assert!(output.status.success(), "{}", describe(&output));
    let student = read(&at("out/lessons/student/means.ipynb"));
    let right = SOLUTION
        .replace("// BEGIN SOLUTION", "")
        .replace("// END SOLUTION", "");
    let endless = "fn mean(x: &[f64]) -> f64 {\n    loop {\n        std::thread::sleep(std::time::Duration::from_millis(1));\n    }\n}";
    let greedy = "fn mean(x: &[f64]) -> f64 {\n    let all = vec![1u8; 40_000_000_000];\n    all[x.len()] as f64\n}";
    // Ada passes what she can see, and her check is weakened.
    let first = "fn largest(x: &[u32]) -> u32 {\n    x[x.len() - 1]\n}";
    for (name, answers) in [
        (
            "ada",
            vec![
                ("mean", right.as_str()),
                ("largest", first),
                ("largest-check", "1"),
            ],
        ),
        ("bo", vec![("mean", SUM)]),
        ("cy", vec![("mean", endless)]),
        ("di", vec![("mean", greedy)]),
    ] {
        write(
            &at(&format!("in/{name}.ipynb")),
            &handed_in(&student, &answers),
        );
    }
    for copy in ["means", "means-Copy1"] {
        let path = at(&format!("in/flo/{copy}.ipynb"));
        write(&path, &handed_in(&student, &[]));
    }
    write(
        &at("in/ed.ipynb"),
        &json!({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}),
    );
    let words = [
        "grade",
        "in",
        "--lesson",
        "means.ipynb",
        "--cell-time",
        "20",
        "--memory",
        "12",
    ];
    let output = command(dir.path(), &words);
    assert_eq!(output.status.code(), Some(1), "{}", describe(&output));
    let rows = std::fs::read_to_string(at("out/grades/grades.csv")).unwrap();
    let starts = |line: &str| {
        assert!(
            rows.lines().any(|row| row.starts_with(line)),
            "{line}\n{rows}"
        )
    };
    starts("student,lesson,exercise,points,of,result");
    starts("ada,means,Exercise 1: The mean,1,1,passed");
    starts("ada,means,Exercise 2: Largest,0,1,failed: the first");
    starts(
        "bo,means,Exercise 1: The mean,0,1,failed: 4 is the sum: divide by the number of values",
    );
    starts("bo,means,Exercise 2: Largest,0,1,not started");
    starts(
        "cy,means,Exercise 1: The mean,0,1,\"did not run: timeout: the cell took longer than the 20 s",
    );
    starts("cy,means,Exercise 2: Largest,0,1,not started");
    starts("di,means,Exercise 1: The mean,0,1,\"did not run: died: ");
    starts("ed,means,,,,");
    starts("flo,means,Exercise 1: The mean,0,1,not started");
    starts("flo,means,,,,\"in/flo/means-Copy1.ipynb was handed in for the same lesson");
    let output = command(
        dir.path(),
        &["grade", "in", "--lesson", "means.ipynb", "-o", "in"],
    );
    assert_eq!(output.status.code(), Some(2), "{}", describe(&output));
    let feedback = at("out/grades/bo/means.html");
    assert!(
        std::fs::read_to_string(feedback)
            .unwrap()
            .contains("4 is the sum")
    );
}

/// Each lesson of the tutorial: its solutions pass, and each of three wrong answers an exercise gets its message.
#[test]
fn the_lessons_of_the_tutorial_are_verified() {
    let folder = root().join("notebooks/tutorial");
    let entries = std::fs::read_dir(&folder).expect("the tutorial is there");
    let mut lessons: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    lessons.retain(|path| path.extension().is_some_and(|end| end == "ipynb"));
    lessons.sort();
    assert_eq!(lessons.len(), 6, "{lessons:?}");
    for lesson in &lessons {
        let cells = read(lesson)["cells"].as_array().unwrap().clone();
        let tagged = |tag: &str| {
            let has = |cell: &&Value| {
                let tags = cell["metadata"]["tags"].as_array();
                tags.is_some_and(|tags| tags.contains(&json!(tag)))
            };
            cells.iter().filter(has).count()
        };
        let counts = ["exercise", "wrong", "check", "solution"].map(tagged);
        assert_eq!(counts, [3, 9, 3, 3], "{}", lesson.display());
        let titled = cells
            .iter()
            .any(|cell| text(&cell["source"]).starts_with("# "));
        assert!(titled, "{}: no title", lesson.display());
    }
    let dir = tempfile::tempdir().unwrap();
    let mut command = holoscope();
    command
        .current_dir(dir.path())
        .args(["assign", "--verify"])
        .args(&lessons);
    let output = command.output().expect("the binary runs");
    assert!(output.status.success(), "{}", describe(&output));
}
