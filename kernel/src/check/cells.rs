//! Compares the cells of two notebooks.

use super::align::{Step, align};
use super::difference::{Difference, Kind};
use super::output;
use super::report::{CellReport, Outcome, Report};
use super::rules::Rules;
use super::rules::cell::CellRules;
use crate::notebook::{Cell, Notebook};

/// A cell inserted by a run has no stored counterpart.
const INJECTED: &str = "injected-parameters";

/// Compares a stored notebook with a new one. `not_run` are the ids of cells that the new run did
/// not reach.
pub fn compare(stored: &Notebook, fresh: &Notebook, rules: &Rules, not_run: &[String]) -> Report {
    let kept = |notebook: &Notebook| -> Vec<usize> {
        let cells = notebook.cells.iter().enumerate();
        let cells = cells.filter(|(_, cell)| !cell.has_tag(INJECTED));
        cells.map(|(at, _)| at).collect()
    };
    let (a, b) = (kept(stored), kept(fresh));
    let same = |i: usize, j: usize| is_same(&stored.cells[a[i]], &fresh.cells[b[j]]);
    let numbers = Numbers::of(stored);
    let mut cells = Vec::new();
    for step in align(a.len(), b.len(), &same) {
        match step {
            Step::Both(i, j) => {
                let (one, other) = (&stored.cells[a[i]], &fresh.cells[b[j]]);
                if is_code(one) != is_code(other) {
                    cells.push(alone(one, &numbers.name(a[i], one), Kind::Missing));
                    cells.push(alone(other, "a new cell", Kind::Extra));
                } else {
                    let name = numbers.name(a[i], one);
                    cells.extend(pair((stored, one), other, &name, rules, not_run));
                }
            }
            Step::Left(i) => {
                let one = &stored.cells[a[i]];
                cells.push(alone(one, &numbers.name(a[i], one), Kind::Missing));
            }
            Step::Right(j) => cells.push(alone(&fresh.cells[b[j]], "a new cell", Kind::Extra)),
        }
    }
    Report { cells }
}

fn is_code(cell: &Cell) -> bool {
    cell.is_code()
}

/// Whether two cells are versions of one cell.
fn is_same(one: &Cell, other: &Cell) -> bool {
    let same_source = one.source == other.source && !one.source.trim().is_empty();
    is_code(one) == is_code(other) && (one.id == other.id || same_source)
}

/// The names of cells: their numbers among the code cells, and the headings above them.
struct Numbers {
    names: Vec<(Option<usize>, String)>,
}

impl Numbers {
    fn of(notebook: &Notebook) -> Self {
        let (mut n, mut section) = (0, String::new());
        let mut name = |cell: &Cell| {
            if is_code(cell) {
                n += 1;
                return (Some(n), section.clone());
            }
            let headings = cell
                .source
                .lines()
                .rev()
                .filter(|line| line.starts_with('#'));
            if let Some(heading) = headings
                .map(|line| line.trim_start_matches('#').trim())
                .next()
            {
                section = heading.replace(['`', '*'], "");
            }
            (None, section.clone())
        };
        Self {
            names: notebook.cells.iter().map(&mut name).collect(),
        }
    }

    /// "code cell 3 (Training)", "text cell 7 (Training)".
    fn name(&self, at: usize, cell: &Cell) -> String {
        let (number, section) = &self.names[at];
        let head = match number {
            Some(number) => format!("code cell {number}"),
            None => format!("text cell {}", at + 1),
        };
        let first = cell.source.lines().find(|line| !line.trim().is_empty());
        match (section.is_empty(), first) {
            (false, _) => format!("{head} ({section})"),
            (true, Some(first)) => {
                let short: String = first.trim().chars().take(40).collect();
                format!("{head} ({short})")
            }
            (true, None) => head,
        }
    }
}

/// The report of a cell that only one of the notebooks contains.
fn alone(cell: &Cell, name: &str, kind: Kind) -> CellReport {
    let what = match kind {
        Kind::Missing => "the cell is missing",
        _ => "the cell is new",
    };
    let one = Difference::new(Kind::Source, what);
    let one = match kind {
        Kind::Missing => one.sides(cell.source.clone(), ""),
        _ => one.sides("", cell.source.clone()),
    };
    CellReport {
        name: name.to_owned(),
        id: cell.id.clone(),
        seconds: None,
        outcome: Outcome::Differs(vec![one]),
    }
}

/// The report of a cell in both notebooks; `None` for an unchanged text cell.
fn pair(
    (notebook, stored): (&Notebook, &Cell),
    fresh: &Cell,
    name: &str,
    rules: &Rules,
    not_run: &[String],
) -> Option<CellReport> {
    let outcome = match CellRules::of(stored, notebook, rules) {
        Err(why) => Outcome::Differs(vec![Difference::new(Kind::Setting, "").note(why)]),
        Ok(rules) if rules.skip => Outcome::Skipped,
        Ok(_) if not_run.contains(&stored.id) => {
            let one = Difference::new(Kind::NotRun, "");
            Outcome::Differs(vec![one.note("the run ended before this cell")])
        }
        Ok(rules) => outcome(stored, fresh, &rules),
    };
    let quiet = !is_code(stored) && !matches!(outcome, Outcome::Differs(_));
    (!quiet).then(|| CellReport {
        name: name.to_owned(),
        id: stored.id.clone(),
        seconds: fresh.seconds(),
        outcome,
    })
}

fn outcome(stored: &Cell, fresh: &Cell, rules: &CellRules) -> Outcome {
    let mut found = Vec::new();
    if stored.source != fresh.source {
        found.push(source(&stored.source, &fresh.source));
    }
    if rules.compare {
        found.extend(output::compare(stored, fresh, rules));
    } else if output::has_error(fresh) && !output::has_error(stored) {
        // An output that is not compared may differ, but must not be an error.
        let outputs = output::compare(stored, fresh, rules);
        found.extend(outputs.into_iter().filter(|one| one.kind == Kind::Error));
    }
    if let Some(extra) = found.iter_mut().find(|one| one.kind == Kind::Extra)
        && stored.execution_count().is_none()
        && stored.outputs().is_empty()
        && is_code(stored)
    {
        extra.note = "no output of this cell is stored; --update stores them".to_owned();
    }
    match (found.is_empty(), rules.compare) {
        (false, _) => Outcome::Differs(found),
        (true, true) => Outcome::Same,
        (true, false) => Outcome::Ignored,
    }
}

/// The lines of a source that have changed.
fn source(stored: &str, fresh: &str) -> Difference {
    let (a, b): (Vec<&str>, Vec<&str>) = (stored.lines().collect(), fresh.lines().collect());
    let (mut old, mut new) = (Vec::new(), Vec::new());
    for step in align(a.len(), b.len(), &|i, j| a[i] == b[j]) {
        match step {
            Step::Both(i, j) if a[i] != b[j] => {
                old.push(a[i]);
                new.push(b[j]);
            }
            Step::Both(..) => {}
            Step::Left(i) => old.push(a[i]),
            Step::Right(j) => new.push(b[j]),
        }
    }
    Difference::new(Kind::Source, "").sides(old.join("\n"), new.join("\n"))
}
