//! The exercises of a lesson's source: which cells are solutions, wrong answers and checks.

use super::markers::{MarkerFault, Region, regions};
use crate::notebook::options::without_options;
use crate::notebook::{Cell, CellKind, CellOptions, Notebook, TextFault, option_mark};
use serde_json::Value;

/// Tag of a raw cell with a complete wrong answer; its option `message` is part of the check's message for it.
const WRONG: &str = "wrong";
/// Tag of a code cell that checks the code before it.
const CHECK: &str = "check";
/// Tag of a Markdown cell on the solution: common mistakes, for instance.
const SOLUTION_TEXT: &str = "solution";

/// The purpose of a cell of a lesson.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Code with a marked solution.
    Exercise,
    /// A typical wrong answer.
    Wrong,
    Check,
    /// Text on the solution.
    SolutionText,
    /// Everything else: text and given code.
    Given,
}

/// The role of a cell.
///
/// # Errors
/// A marker without its partner, or a cell of a kind that does not match its tags or markers; with the cell's number,
/// from 1.
pub fn role(cell: &Cell, number: usize) -> Result<Role, TextFault> {
    let at_line = |fault: MarkerFault| TextFault {
        cell: number,
        line: fault.line,
        reason: fault.reason,
    };
    let marked = regions(&cell.source).map_err(at_line)?;
    let has = |region: Region| marked.iter().any(|marked| marked.region == region);
    let role = match &cell.kind {
        CellKind::Raw if cell.has_tag(WRONG) => Role::Wrong,
        CellKind::Markdown if cell.has_tag(SOLUTION_TEXT) => Role::SolutionText,
        CellKind::Code { .. } if has(Region::Solution) => Role::Exercise,
        CellKind::Code { .. } if is_check(cell) => Role::Check,
        CellKind::Raw | CellKind::Markdown | CellKind::Code { .. } => Role::Given,
    };
    // Cells that would show students what they must not see.
    let reason = match &cell.kind {
        _ if role != Role::Given => return Ok(role),
        CellKind::Markdown | CellKind::Raw if !marked.is_empty() => {
            "marked regions are for code cells; tag text on a solution `solution`"
        }
        CellKind::Code { .. } if has(Region::HiddenTests) => {
            "hidden tests belong in cells tagged `check`"
        }
        CellKind::Code { .. } if cell.has_tag(WRONG) => "wrong answers are raw cells",
        CellKind::Markdown if cell.has_tag(WRONG) => "wrong answers are raw cells",
        CellKind::Code { .. } | CellKind::Raw if cell.has_tag(SOLUTION_TEXT) => {
            "the tag `solution` is for Markdown; a solution's code stands between `// BEGIN SOLUTION` and `// END SOLUTION`"
        }
        CellKind::Markdown | CellKind::Raw if cell.has_tag(CHECK) => "checks are code cells",
        CellKind::Markdown | CellKind::Raw | CellKind::Code { .. } => return Ok(role),
    };
    Err(TextFault {
        cell: number,
        line: 0,
        reason: reason.to_owned(),
    })
}

/// Whether a cell is tagged `check` or has points in nbgrader's metadata.
fn is_check(cell: &Cell) -> bool {
    let nbgrader = |key: &str| cell.metadata.get("nbgrader").and_then(|of| of.get(key));
    cell.has_tag(CHECK) || nbgrader("grade") == Some(&Value::Bool(true))
}

/// The points of a check: nbgrader's `points`, or 1.
pub fn points(check: &Cell) -> f64 {
    let nbgrader = check.metadata.get("nbgrader");
    let points = nbgrader.and_then(|of| of.get("points")?.as_f64());
    points
        .filter(|points| points.is_finite() && *points >= 0.0)
        .unwrap_or(1.0)
}

/// A wrong answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its index among the cells.
    pub at: usize,
    /// The code that replaces the solution's cell.
    pub code: String,
    /// A part of the message that the check must show.
    pub message: Option<String>,
}

/// One exercise. Cells are given by their index in the notebook, from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exercise {
    /// The heading above it, or the solution's cell.
    pub name: String,
    pub solution: usize,
    pub wrong: Vec<Wrong>,
    pub checks: Vec<usize>,
    /// Markdown on the solution.
    pub texts: Vec<usize>,
}

/// The exercises of a lesson's source, in order.
///
/// # Errors
/// All faults: markers without a partner, wrong answers and checks before the first solution, exercises without a
/// check.
pub fn exercises(lesson: &Notebook) -> Result<Vec<Exercise>, Vec<TextFault>> {
    let mut found: Vec<Exercise> = Vec::new();
    let mut faults = Vec::new();
    let mut heading = None;
    for (at, cell) in lesson.cells.iter().enumerate() {
        let role = match role(cell, at + 1) {
            Ok(role) => role,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        if cell.kind == CellKind::Markdown {
            heading = last_heading(&cell.source).or(heading);
        }
        let nth = found.len() + 1;
        match (role, found.last_mut()) {
            (Role::Given, _) => {}
            (Role::Exercise, _) => found.push(Exercise {
                name: heading.clone().unwrap_or_else(|| format!("Exercise {nth}")),
                solution: at,
                wrong: Vec::new(),
                checks: Vec::new(),
                texts: Vec::new(),
            }),
            (Role::Wrong, Some(exercise)) => match wrong(cell, at) {
                Ok(wrong) => exercise.wrong.push(wrong),
                Err(fault) => faults.push(fault),
            },
            (Role::Check, Some(exercise)) => exercise.checks.push(at),
            (Role::SolutionText, Some(exercise)) => exercise.texts.push(at),
            (Role::Wrong | Role::Check | Role::SolutionText, None) => faults.push(TextFault {
                cell: at + 1,
                line: 0,
                reason: "it belongs to an exercise, and no cell with `// BEGIN SOLUTION` stands before it"
                    .to_owned(),
            }),
        }
    }
    let unchecked = found.iter().filter(|exercise| exercise.checks.is_empty());
    faults.extend(unchecked.map(|exercise| TextFault {
        cell: exercise.solution + 1,
        line: 0,
        reason: format!(
            "`{}` has no check: tag the cell that tests it `check`",
            exercise.name
        ),
    }));
    match faults.is_empty() {
        true => Ok(found),
        false => Err(faults),
    }
}

/// The last heading of a Markdown cell, without markup for code and emphasis.
fn last_heading(source: &str) -> Option<String> {
    let lines = source.lines().rev();
    let heading = lines.filter_map(|line| line.strip_prefix('#')).next()?;
    Some(
        heading
            .trim_start_matches('#')
            .trim()
            .replace(['`', '*'], ""),
    )
}

fn wrong(cell: &Cell, at: usize) -> Result<Wrong, TextFault> {
    // Options are only read from code cells; this cell is raw so that it is not run by accident.
    let as_code = Cell::code(cell.source.clone());
    let options = CellOptions::of(&as_code, at + 1)?;
    Ok(Wrong {
        at,
        code: without_options(&cell.source).to_owned(),
        message: options.text("message")?,
    })
}

/// A source without its leading option lines of these names.
pub fn without_named_options(source: &str, names: &[&str]) -> String {
    let is_named = |line: &str| {
        let text = option_mark(line).map(|mark| &line[mark..]);
        let key = text
            .and_then(|text| text.split_once(':'))
            .map(|(key, _)| key);
        key.is_some_and(|key| names.contains(&key.trim()))
    };
    let kept = source.lines().filter(|line| !is_named(line));
    kept.collect::<Vec<_>>().join("\n")
}
