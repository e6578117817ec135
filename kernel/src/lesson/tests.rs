//! Lessons end to end, without running them.

use super::exercises::{exercises, points};
use super::grading::{grades, to_grade};
use super::verdict::Verdict;
use super::verification::Verification;
use super::versions::{student, teacher};
use crate::notebook::{Cell, CellKind, Notebook, Output, OutputKind};
use serde_json::{Map, Value, json};

fn cell(kind: CellKind, id: &str, tags: &[&str], source: &str) -> Cell {
    let mut cell = Cell::of(kind, source);
    cell.id = id.to_owned();
    if !tags.is_empty() {
        cell.metadata.insert("tags".to_owned(), json!(tags));
    }
    cell
}

const SOLUTION: &str = "//| code-fold: true\n//| code-summary: \"Solution\"\nfn mean(x: &[f64]) -> f64 {\n    \
                        // BEGIN SOLUTION\n    x.iter().sum::<f64>() / x.len() as f64\n    // END SOLUTION\n}";
const CHECK: &str = "assert!(mean(&[1.0, 3.0]) == 2.0, \"no mean\");\n// BEGIN HIDDEN TESTS\n\
                     assert!(mean(&[]).is_nan(), \"no values\");\n// END HIDDEN TESTS";

fn lesson() -> Notebook {
    let mut lesson = Notebook::new();
    lesson.cells = vec![
        cell(
            CellKind::Markdown,
            "title",
            &[],
            "# Means\n\n## Exercise 1: The `mean`",
        ),
        cell(CellKind::code(), "solution", &["exercise"], SOLUTION),
        cell(
            CellKind::Raw,
            "wrong-1",
            &["wrong"],
            "//| message: \"no mean\"\nfn mean(x: &[f64]) -> f64 {\n    x.iter().sum()\n}",
        ),
        cell(CellKind::code(), "check", &["check"], CHECK),
        cell(
            CellKind::Markdown,
            "text",
            &["solution"],
            "**Common mistakes.** To forget `len`.",
        ),
        cell(CellKind::code(), "rest", &[], "1 + 1"),
    ];
    lesson
}

fn sources(notebook: &Notebook) -> String {
    let cells = notebook.cells.iter().map(|cell| {
        let kind = match cell.kind {
            CellKind::Code { .. } => "code",
            CellKind::Markdown => "markdown",
            CellKind::Raw => "raw",
        };
        let mut metadata = cell.metadata.clone();
        metadata.shift_remove("holoscope");
        format!(
            "=== {} {kind} {}\n{}",
            cell.id,
            Value::Object(metadata),
            cell.source
        )
    });
    cells.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_students_version_has_no_solution_but_a_folded_one() {
    insta::assert_snapshot!(sources(&student(&lesson(), true).unwrap()));
    let bare = sources(&student(&lesson(), false).unwrap());
    assert!(
        !bare.contains("x.len()") && !bare.contains("Common"),
        "{bare}"
    );
}

#[test]
fn the_teachers_version_shows_everything_without_markers() {
    insta::assert_snapshot!(sources(&teacher(&lesson()).unwrap()));
}

/// The executed form of a notebook: `fails` returns the error of a cell, given its id and source.
fn executed(
    notebook: &Notebook,
    fails: impl Fn(&Cell) -> Option<(&'static str, &'static str)>,
) -> Notebook {
    let mut notebook = notebook.clone();
    for (n, cell) in notebook.cells.iter_mut().enumerate() {
        cell.set_execution_count(Some(n as u64 + 1));
        if let Some((ename, evalue)) = fails(cell) {
            cell.set_outputs(vec![error(ename, evalue)]);
        }
    }
    notebook
}

fn error(ename: &str, evalue: &str) -> Output {
    Output::from(OutputKind::Error {
        ename: ename.to_owned(),
        evalue: evalue.to_owned(),
        traceback: Vec::new(),
    })
}

fn result(state: &str, message: &str) -> Output {
    let mut data = Map::new();
    data.insert(
        "application/vnd.holoscope.exercise+json".to_owned(),
        json!({"state": state, "message": message}),
    );
    Output::from(OutputKind::ExecuteResult {
        execution_count: None,
        data,
        metadata: Map::new(),
    })
}

#[test]
fn a_verification_runs_every_answer_and_the_solution_again() {
    let verification = Verification::of(&lesson()).unwrap();
    let ids: Vec<&str> = verification
        .notebook
        .cells
        .iter()
        .map(|c| c.id.as_str())
        .collect();
    assert_eq!(
        ids,
        [
            "title",
            "solution",
            "wrong-1",
            "check",
            "verify-1-0-answer",
            "verify-1-0-check-3",
            "verify-1-1-answer",
            "verify-1-1-check-3",
            "verify-1-again",
            "text",
            "rest",
        ]
    );
    let todo = &verification.notebook.cells[4].source;
    assert_eq!(
        todo,
        "fn mean(x: &[f64]) -> f64 {\n    todo!(\"Exercise 1: The mean\")\n}"
    );
}

#[test]
fn a_verification_finds_what_is_wrong_with_a_lesson() {
    let verification = Verification::of(&lesson()).unwrap();
    let faults = |answers: [Option<(&'static str, &'static str)>; 4]| {
        let ran = executed(&verification.notebook, |cell| match cell.id.as_str() {
            "check" => answers[0],
            "verify-1-0-check-3" => answers[1],
            "verify-1-1-check-3" => answers[2],
            "verify-1-1-answer" => answers[3],
            _ => None,
        });
        let findings = verification.findings(&ran);
        let faults = findings
            .into_iter()
            .filter_map(|finding| Some(format!("{}: {}", finding.answer, finding.fault?)));
        faults.collect::<Vec<_>>()
    };
    let todo = Some(("panic", "not yet implemented: Exercise 1"));
    let right = Some(("panic", "there is no mean of it"));
    assert_eq!(faults([None, todo, right, None]), [""; 0]);
    assert_eq!(
        faults([right, todo, right, None]),
        ["solution: it must pass"]
    );
    assert_eq!(
        faults([None, None, right, None]),
        ["starting code: it must not pass"]
    );
    assert_eq!(
        faults([None, todo, None, None]),
        ["wrong answer 1: it must not pass"]
    );
    assert_eq!(
        faults([None, todo, Some(("panic", "something else")), None]),
        ["wrong answer 1: its message must contain \"no mean\""]
    );
    assert_eq!(
        faults([None, todo, right, Some(("compile error", "no such name"))]),
        ["wrong answer 1: it must run"]
    );
}

#[test]
fn verdicts_come_from_results_and_from_assertions() {
    let of = |outputs: Vec<Output>| {
        let mut check = Cell::code("check");
        check.set_execution_count(Some(1));
        check.set_outputs(outputs);
        Verdict::of(&check)
    };
    assert_eq!(of(Vec::new()), Verdict::Passed);
    assert_eq!(of(vec![result("passed", "")]), Verdict::Passed);
    assert_eq!(of(vec![result("not started", "")]), Verdict::NotStarted);
    assert_eq!(
        of(vec![result("failed", "sum"), result("passed", "")]),
        Verdict::Failed("sum".to_owned())
    );
    assert_eq!(
        of(vec![error("panic", "no")]),
        Verdict::Failed("no".to_owned())
    );
    assert_eq!(
        of(vec![error("compile error", "no name")]),
        Verdict::Broken("compile error: no name".to_owned())
    );
    assert_eq!(Verdict::of(&Cell::code("check")), Verdict::NotRun);
}

#[test]
fn a_submission_is_graded_with_the_checks_of_the_source() {
    let lesson = lesson();
    let found = exercises(&lesson).unwrap();
    let mut handed_in = student(&lesson, true).unwrap();
    // The student weakens the check, adds a cell, and deletes the given one.
    for cell in &mut handed_in.cells {
        if cell.id == "check" {
            cell.source = "// fine".to_owned();
        }
    }
    handed_in.cells.retain(|cell| cell.id != "rest");
    handed_in
        .cells
        .push(cell(CellKind::code(), "mine", &[], "2"));
    let graded = to_grade(&lesson, &found, &handed_in).unwrap();
    let ids: Vec<&str> = graded.cells.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(
        ids,
        ["title", "solution", "check", "solution-solution", "mine"]
    );
    let source = &graded.cells[2].source;
    assert!(
        source.contains("no values") && !source.contains("HIDDEN"),
        "{source}"
    );

    let passed = grades(&lesson, &found, &executed(&graded, |_| None));
    assert_eq!((passed[0].points, passed[0].of), (1.0, 1.0));
    let failed = executed(&graded, |cell| {
        (cell.id == "check").then_some(("panic", "no mean"))
    });
    let failed = grades(&lesson, &found, &failed);
    assert_eq!((failed[0].points, failed[0].of), (0.0, 1.0));
    assert_eq!(failed[0].verdict, Verdict::Failed("no mean".to_owned()));
    assert_eq!(to_grade(&lesson, &found, &Notebook::new()), None);
}

/// The answer is in a cell that the student added, and the check follows it.
#[test]
fn a_check_stays_where_the_student_has_it() {
    let lesson = lesson();
    let found = exercises(&lesson).unwrap();
    let mut handed_in = student(&lesson, false).unwrap();
    handed_in
        .cells
        .insert(2, cell(CellKind::code(), "mine", &[], "fn mean"));
    let graded = to_grade(&lesson, &found, &handed_in).unwrap();
    let ids: Vec<&str> = graded.cells.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["title", "solution", "mine", "check", "rest"]);
}

#[test]
fn a_check_that_shows_no_result_has_not_passed() {
    let of = |source: &str, outputs: Vec<Output>| {
        let mut check = Cell::code(source);
        check.set_execution_count(Some(1));
        check.set_outputs(outputs);
        Verdict::of(&check)
    };
    let two =
        "let hint = \"check(\";\ncheck(\"a\", hint, || {});\ncheck(\"b\", hint, || { x.check() })";
    let passed = || result("passed", "");
    assert!(matches!(of(two, vec![passed()]), Verdict::Broken(_)));
    assert_eq!(of(two, vec![passed(), passed()]), Verdict::Passed);
    assert_eq!(of("assert!(true);", Vec::new()), Verdict::Passed);
}

#[test]
fn what_students_must_not_see_is_refused_where_it_would_reach_them() {
    for (kind, tags, source, reason) in [
        (
            CellKind::code(),
            &[][..],
            "// BEGIN HIDDEN TESTS\n// END HIDDEN TESTS",
            "tagged `check`",
        ),
        (
            CellKind::Markdown,
            &[][..],
            "### BEGIN SOLUTION\na\n### END SOLUTION",
            "for code cells",
        ),
        (CellKind::code(), &["wrong"][..], "1", "raw cells"),
        (CellKind::code(), &["solution"][..], "1", "is for Markdown"),
        (CellKind::Markdown, &["check"][..], "a", "are code cells"),
    ] {
        let mut lesson = lesson();
        lesson.cells.push(cell(kind, "leak", tags, source));
        let faults = exercises(&lesson).unwrap_err();
        assert!(faults[0].to_string().contains(reason), "{faults:?}");
    }
}

#[test]
fn a_name_with_braces_is_no_format() {
    let code = super::versions::starting_code(SOLUTION, "Exercise 2: {1, 2}");
    assert!(code.contains("todo!(\"Exercise 2: {{1, 2}}\")"), "{code}");
}

#[test]
fn nbgraders_metadata_mark_checks_and_give_points() {
    let mut check = cell(CellKind::code(), "check", &[], "assert!(true)");
    check
        .metadata
        .insert("nbgrader".to_owned(), json!({"grade": true, "points": 2.5}));
    assert_eq!(points(&check), 2.5);
    let mut lesson = lesson();
    lesson.cells[3] = check;
    assert_eq!(exercises(&lesson).unwrap()[0].checks, [3]);
}

#[test]
fn faults_of_a_lesson_are_all_named_with_their_cells() {
    let mut lesson = lesson();
    lesson.cells[3].metadata.clear();
    lesson.cells[3].source = "1".to_owned();
    lesson
        .cells
        .insert(0, cell(CellKind::code(), "early", &["check"], "1"));
    lesson
        .cells
        .push(cell(CellKind::code(), "open", &[], "a\n// BEGIN SOLUTION"));
    let faults = exercises(&lesson).unwrap_err();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "cell 1: it belongs to an exercise, and no cell with `// BEGIN SOLUTION` stands before it",
            "cell 8, line 2: `BEGIN SOLUTION` without `END SOLUTION`",
            "cell 3: `Exercise 1: The mean` has no check: tag the cell that tests it `check`",
        ]
    );
}
