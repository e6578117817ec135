//! Verifies a lesson: its solutions pass their checks, the starting code passes none, and every typical wrong answer
//! fails with the intended message.

use super::exercises::{Exercise, exercises};
use super::markers::without_markers;
use super::verdict::{Verdict, error};
use super::versions::starting_code;
use crate::notebook::{Cell, Notebook, TextFault};

/// A lesson with every candidate answer in its place, to be run from top to bottom.
pub struct Verification {
    pub notebook: Notebook,
    candidates: Vec<Candidate>,
}

/// A candidate answer to an exercise.
struct Candidate {
    exercise: String,
    kind: Kind,
    /// Ids of the cells that define and check it.
    code: String,
    checks: Vec<String>,
}

/// The kind of an answer, which determines the verdict expected from its checks.
enum Kind {
    Solution,
    StartingCode,
    Wrong { nth: usize, message: Option<String> },
}

/// The result of an answer's checks.
pub struct Finding {
    pub exercise: String,
    pub answer: String,
    pub verdict: Verdict,
    /// Why the verdict is not the expected one.
    pub fault: Option<String>,
}

impl Verification {
    /// Adds the answers after each exercise's last check: the starting code, the wrong answers, and the solution again,
    /// for the following cells.
    ///
    /// # Errors
    /// Those of [`exercises`].
    pub fn of(lesson: &Notebook) -> Result<Verification, Vec<TextFault>> {
        let found = exercises(lesson)?;
        let mut notebook = lesson.clone();
        notebook.cells.clear();
        let mut candidates = Vec::new();
        for (at, cell) in lesson.cells.iter().enumerate() {
            let mut cell = cell.clone();
            if cell.is_code() {
                // Markers in the comment syntax of other languages are not Rust comments.
                cell.source = without_markers(&cell.source);
            }
            notebook.cells.push(cell);
            let ending = |e: &&Exercise| e.checks.last() == Some(&at);
            if let Some(exercise) = found.iter().find(ending) {
                add_answers(lesson, exercise, &mut notebook.cells, &mut candidates);
            }
        }
        Ok(Verification {
            notebook,
            candidates,
        })
    }

    /// Reads the executed notebook.
    pub fn findings(&self, executed: &Notebook) -> Vec<Finding> {
        let cell = |id: &str| executed.cells.iter().find(|cell| cell.id == id);
        let finding = |candidate: &Candidate| {
            let verdicts = candidate
                .checks
                .iter()
                .filter_map(|id| cell(id))
                .map(Verdict::of);
            let mut verdicts = verdicts.filter(|verdict| !verdict.is_passed());
            let verdict = match cell(&candidate.code).and_then(error) {
                Some(error) => Verdict::Broken(error),
                None => verdicts.next().unwrap_or(Verdict::Passed),
            };
            Finding {
                exercise: candidate.exercise.clone(),
                answer: candidate.kind.text(),
                fault: candidate.kind.fault(&verdict),
                verdict,
            }
        };
        self.candidates.iter().map(finding).collect()
    }
}

fn add_answers(
    lesson: &Notebook,
    exercise: &Exercise,
    cells: &mut Vec<Cell>,
    candidates: &mut Vec<Candidate>,
) {
    let solution = &lesson.cells[exercise.solution];
    let id = |at: usize| lesson.cells[at].id.clone();
    candidates.push(Candidate {
        exercise: exercise.name.clone(),
        kind: Kind::Solution,
        code: solution.id.clone(),
        checks: exercise.checks.iter().map(|at| id(*at)).collect(),
    });
    let starting = starting_code(&solution.source, &exercise.name);
    let wrong = exercise.wrong.iter().enumerate().map(|(n, wrong)| {
        let kind = Kind::Wrong {
            nth: n + 1,
            message: wrong.message.clone(),
        };
        (kind, wrong.code.clone())
    });
    let answers = std::iter::once((Kind::StartingCode, starting)).chain(wrong);
    for (n, (kind, code)) in answers.enumerate() {
        let named = |what: String| format!("verify-{}-{n}-{what}", exercise.solution);
        let mut add = |source: String, id: String| {
            let mut cell = Cell::code(source);
            cell.id = id.clone();
            cells.push(cell);
            id
        };
        candidates.push(Candidate {
            exercise: exercise.name.clone(),
            kind,
            code: add(code, named("answer".to_owned())),
            checks: exercise
                .checks
                .iter()
                .map(|at| {
                    let source = without_markers(&lesson.cells[*at].source);
                    add(source, named(format!("check-{at}")))
                })
                .collect(),
        });
    }
    let mut again = Cell::code(without_markers(&solution.source));
    again.id = format!("verify-{}-again", exercise.solution);
    cells.push(again);
}

impl Kind {
    fn text(&self) -> String {
        match self {
            Kind::Solution => "solution".to_owned(),
            Kind::StartingCode => "starting code".to_owned(),
            Kind::Wrong { nth, .. } => format!("wrong answer {nth}"),
        }
    }

    fn fault(&self, verdict: &Verdict) -> Option<String> {
        let unless = |right: bool, reason: &str| (!right).then(|| reason.to_owned());
        match (self, verdict) {
            (_, Verdict::Broken(_) | Verdict::NotRun) => Some("it must run".to_owned()),
            (Kind::Solution, verdict) => unless(verdict.is_passed(), "it must pass"),
            (Kind::StartingCode, verdict) => unless(!verdict.is_passed(), "it must not pass"),
            (Kind::Wrong { .. }, Verdict::Passed) => Some("it must not pass".to_owned()),
            (Kind::Wrong { .. }, Verdict::NotStarted) => {
                Some("it must be a complete answer, without `todo!()`".to_owned())
            }
            (Kind::Wrong { message: None, .. }, Verdict::Failed(_)) => Some(
                "say what the check must find: `//| message: \"part of its message\"` at the top"
                    .to_owned(),
            ),
            (
                Kind::Wrong {
                    message: Some(part),
                    ..
                },
                Verdict::Failed(message),
            ) => {
                let reason = format!("its message must contain {part:?}");
                unless(message.contains(part.as_str()), &reason)
            }
        }
    }
}
