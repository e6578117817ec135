//! Grading: puts the checks of the lesson's source into a submission, and reads their results.

use super::exercises::{Exercise, points};
use super::markers::without_markers;
use super::verdict::Verdict;
use crate::notebook::{Cell, Notebook};

/// The notebook to run for grading: the submission with every check replaced by that of the source, hidden tests
/// included. A deleted check is inserted after the cell that precedes it in the source. The student's changes to checks
/// have no effect. `None` for a notebook that contains none of the lesson's exercises.
pub fn to_grade(
    lesson: &Notebook,
    exercises: &[Exercise],
    submission: &Notebook,
) -> Option<Notebook> {
    let has = |id: &str| submission.cells.iter().any(|cell| cell.id == id);
    if !exercises.iter().any(|e| has(&lesson.cells[e.solution].id)) {
        return None;
    }
    let mut graded = submission.clone();
    for at in exercises.iter().flat_map(|exercise| &exercise.checks) {
        let mut check = lesson.cells[*at].clone();
        check.source = without_markers(&check.source);
        match graded.cells.iter_mut().find(|cell| cell.id == check.id) {
            Some(cell) => *cell = check,
            None => {
                let place = place_of(lesson, *at, &graded.cells);
                graded.cells.insert(place, check);
            }
        }
    }
    for cell in &mut graded.cells {
        cell.set_outputs(Vec::new());
        cell.set_execution_count(None);
    }
    Some(graded)
}

/// The position of a deleted check: after the last of the cells before it that the submission still contains.
fn place_of(lesson: &Notebook, check: usize, cells: &[Cell]) -> usize {
    let before = lesson.cells[..check].iter().rev();
    let mut places = before.filter_map(|of| cells.iter().position(|cell| cell.id == of.id));
    places.next().map_or(0, |at| at + 1)
}

/// The grade of one exercise.
#[derive(Debug, Clone, PartialEq)]
pub struct Grade {
    pub exercise: String,
    pub points: f64,
    pub of: f64,
    /// The first verdict other than a pass.
    pub verdict: Verdict,
}

/// The grades of an executed submission, one per exercise.
pub fn grades(lesson: &Notebook, exercises: &[Exercise], executed: &Notebook) -> Vec<Grade> {
    let grade = |exercise: &Exercise| {
        let mut grade = Grade {
            exercise: exercise.name.clone(),
            points: 0.0,
            of: 0.0,
            verdict: Verdict::Passed,
        };
        for at in &exercise.checks {
            let check = &lesson.cells[*at];
            let executed = executed.cells.iter().find(|cell| cell.id == check.id);
            let verdict = executed.map_or(Verdict::NotRun, Verdict::of);
            grade.of += points(check);
            match verdict.is_passed() {
                true => grade.points += points(check),
                false if grade.verdict.is_passed() => grade.verdict = verdict,
                false => {}
            }
        }
        grade
    };
    exercises.iter().map(grade).collect()
}
