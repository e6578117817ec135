//! The student's and the teacher's version of a lesson.

use super::exercises::{Exercise, Role, exercises, role, without_named_options};
use super::markers::{Region, replaced, without_markers};
use crate::notebook::options::without_options;
use crate::notebook::{Cell, CellKind, Notebook, TextFault, mirror_options};
use serde_json::{Value, json};

/// Options that fold a solution's cell; removed, because the student writes there.
const FOLDS: [&str; 2] = ["code-fold", "code-summary"];

/// The student's version: solutions are replaced by `todo!()`, hidden tests and wrong answers are removed, checks are
/// read-only, and there are no outputs. With `folded`, each solution follows its checks as a folded block, with the
/// text on it.
///
/// # Errors
/// Those of [`exercises`].
pub fn student(lesson: &Notebook, folded: bool) -> Result<Notebook, Vec<TextFault>> {
    let exercises = exercises(lesson)?;
    let mut version = lesson.clone();
    version.cells.clear();
    for (at, cell) in lesson.cells.iter().enumerate() {
        let mut cell = cell.clone();
        cell.set_outputs(Vec::new());
        cell.set_execution_count(None);
        for key in ["execution", "user_expressions", "attachments"] {
            cell.metadata.shift_remove(key);
        }
        let of = |place: fn(&Exercise) -> usize| exercises.iter().find(|e| place(e) == at);
        match role(&cell, at + 1).map_err(|fault| vec![fault])? {
            Role::Wrong | Role::SolutionText => continue,
            Role::Exercise => {
                let name = of(|e| e.solution).map(|e| e.name.as_str());
                cell.source = starting_code(&cell.source, name.unwrap_or_default());
            }
            Role::Check => {
                cell.source = without_hidden_tests(&cell.source);
                for key in ["editable", "deletable"] {
                    cell.metadata.insert(key.to_owned(), Value::Bool(false));
                }
            }
            Role::Given => {}
        }
        version.cells.push(cell);
        let ends = |e: &&Exercise| folded && e.checks.last() == Some(&at);
        if let Some(exercise) = exercises.iter().find(ends) {
            version.cells.push(folded_solution(lesson, exercise));
        }
    }
    finish(version, "student")
}

/// The teacher's version: solutions and hidden tests without their markers, wrong answers as folded blocks with the
/// message that the check must show, and the stored outputs.
///
/// # Errors
/// Those of [`exercises`].
pub fn teacher(lesson: &Notebook) -> Result<Notebook, Vec<TextFault>> {
    let exercises = exercises(lesson)?;
    let mut version = lesson.clone();
    for (at, cell) in version.cells.iter_mut().enumerate() {
        match role(cell, at + 1).map_err(|fault| vec![fault])? {
            Role::Exercise | Role::Check => cell.source = without_markers(&cell.source),
            Role::Wrong => {
                let mut wrong = exercises.iter().flat_map(|exercise| &exercise.wrong);
                if let Some(wrong) = wrong.find(|wrong| wrong.at == at) {
                    cell.source = match &wrong.message {
                        Some(message) => {
                            let summary = format!("A wrong answer. The check says: {message}");
                            details(&summary, &wrong.code, "")
                        }
                        None => details("A wrong answer", &wrong.code, ""),
                    };
                    cell.kind = CellKind::Markdown;
                }
            }
            Role::SolutionText | Role::Given => {}
        }
    }
    finish(version, "teacher")
}

/// The student's starting code: `todo!()` in place of the solution.
pub fn starting_code(source: &str, exercise: &str) -> String {
    // The name is used as a format string.
    let name = exercise.replace('{', "{{").replace('}', "}}");
    let todo = format!("todo!({name:?})");
    let code = replaced(source, Region::Solution, Some(&todo));
    // A fault would have been found with the exercises.
    let code = code.unwrap_or_else(|_| source.to_owned());
    without_named_options(&without_hidden_tests(&code), &FOLDS)
}

fn without_hidden_tests(source: &str) -> String {
    replaced(source, Region::HiddenTests, None).unwrap_or_else(|_| source.to_owned())
}

fn folded_solution(lesson: &Notebook, exercise: &Exercise) -> Cell {
    let solution = &lesson.cells[exercise.solution];
    let code = without_markers(without_options(&solution.source));
    let texts = exercise
        .texts
        .iter()
        .map(|at| lesson.cells[*at].source.trim());
    let texts = texts.collect::<Vec<_>>().join("\n\n");
    let mut cell = Cell::of(CellKind::Markdown, details("Solution", &code, &texts));
    cell.id = format!("{:.55}-solution", solution.id);
    cell
}

/// A block that unfolds on a click, in all notebook frontends and on GitHub.
fn details(summary: &str, code: &str, text: &str) -> String {
    let summary = summary
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let text = match text.is_empty() {
        true => String::new(),
        false => format!("{text}\n\n"),
    };
    let code = code.trim_end();
    // A fence longer than any run of backticks in the code.
    let runs = code.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0).max(2) + 1);
    format!(
        "<details>\n<summary>{summary}</summary>\n\n{fence}rust\n{code}\n{fence}\n\n{text}</details>"
    )
}

fn finish(mut version: Notebook, which: &str) -> Result<Notebook, Vec<TextFault>> {
    version.metadata.shift_remove("holoscope");
    version
        .metadata
        .insert("holoscope_lesson".to_owned(), json!({"version": which}));
    let faults = mirror_options(&mut version);
    version.complete_ids();
    match faults.is_empty() {
        true => Ok(version),
        false => Err(faults),
    }
}
