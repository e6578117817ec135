//! Tables of HTML, compared column by column.

use super::align::{Step, align};
use super::difference::{Difference, Kind};
use super::rules::cell::CellRules;
use super::text;

/// A table as rows of texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table {
    /// The names of the columns; empty where the table has no header row.
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Uses the first row as the names of the columns if it is a header row.
    pub fn new(rows: Vec<(bool, Vec<String>)>) -> Self {
        let mut rows = rows.into_iter().peekable();
        let header = rows
            .next_if(|(heading, _)| *heading)
            .map(|(_, cells)| cells);
        Self {
            header: header.unwrap_or_default(),
            rows: rows.map(|(_, cells)| cells).collect(),
        }
    }

    fn width(&self) -> usize {
        let rows = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        rows.max(self.header.len())
    }

    /// The names of all columns: those of the header, otherwise numbers.
    fn columns(&self) -> Vec<String> {
        let name = |at: usize| match self.header.get(at) {
            Some(name) if !name.is_empty() => name.clone(),
            _ => format!("column {}", at + 1),
        };
        (0..self.width()).map(name).collect()
    }
}

/// Compares two tables.
pub fn compare(stored: &Table, fresh: &Table, rules: &CellRules) -> Vec<Difference> {
    let (a, b) = (stored.columns(), fresh.columns());
    let mut found = Vec::new();
    let columns = align(a.len(), b.len(), &|i, j| a[i] == b[j]);
    for step in &columns {
        let differs = |place: String| Difference::new(Kind::Table, place);
        match *step {
            Step::Both(i, j) if a[i] != b[j] => found.push(
                differs(format!("name of column {}", i + 1)).sides(a[i].clone(), b[j].clone()),
            ),
            Step::Both(..) => {}
            Step::Left(i) => found.push(differs(format!("column `{}` is missing", a[i]))),
            Step::Right(j) => found.push(differs(format!("column `{}` is new", b[j]))),
        }
    }
    let pairs: Vec<(usize, usize)> = columns
        .iter()
        .filter_map(|step| match *step {
            Step::Both(i, j) => Some((i, j)),
            _ => None,
        })
        .collect();
    let row = |i: usize, j: usize| row((stored, i), (fresh, j), &a, &pairs, rules);
    for step in align(stored.rows.len(), fresh.rows.len(), &|i, j| {
        row(i, j).is_empty()
    }) {
        match step {
            Step::Both(i, j) => found.extend(row(i, j)),
            Step::Left(i) => {
                let one = Difference::new(Kind::Table, format!("row {} is missing", i + 1));
                found.push(one.sides(stored.rows[i].join(" | "), ""));
            }
            Step::Right(j) => {
                let one = Difference::new(Kind::Table, format!("row {} is new", j + 1));
                found.push(one.sides("", fresh.rows[j].join(" | ")));
            }
        }
    }
    found
}

/// The cells of a row that differ.
fn row(
    (stored, i): (&Table, usize),
    (fresh, j): (&Table, usize),
    names: &[String],
    columns: &[(usize, usize)],
    rules: &CellRules,
) -> Vec<Difference> {
    let empty = String::new();
    let cell = |table: &'_ Table, row: usize, column: usize| -> String {
        table.rows[row].get(column).unwrap_or(&empty).clone()
    };
    let label = cell(stored, i, 0);
    let mut found = Vec::new();
    for (x, y) in columns {
        let name = &names[*x];
        if rules.masks.column(name) {
            continue;
        }
        let (one, other) = (cell(stored, i, *x), cell(fresh, j, *y));
        let of = [name.clone(), label.clone()];
        let Some(first) = text::compare(&one, &other, rules, &of).into_iter().next() else {
            continue;
        };
        let place = match *x == 0 || label.is_empty() {
            true => format!("column `{name}`, row {}", i + 1),
            false => format!("column `{name}`, row {} (`{label}`)", i + 1),
        };
        let one = Difference::new(Kind::Table, place).sides(one, other);
        found.push(one.note(first.note));
    }
    found
}
