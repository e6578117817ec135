//! Compares the outputs of a cell: pairs them, and reports how each pair differs.

use super::align::{Step, align};
use super::bundle;
use super::difference::{Difference, Kind};
use super::rules::cell::CellRules;
use super::text;
use crate::notebook::{Cell, MimeBundle, Output, OutputKind};
use serde_json::Value;

/// The outputs of a cell: each stream as a whole, as nbval compares it; displays and results in
/// order; the error.
#[derive(Debug, Default)]
struct Shown<'a> {
    stdout: String,
    stderr: String,
    displays: Vec<&'a MimeBundle>,
    error: Option<(&'a str, &'a str)>,
}

impl<'a> Shown<'a> {
    fn of(outputs: &'a [Output]) -> Self {
        let mut shown = Self::default();
        for output in outputs {
            match &output.kind {
                OutputKind::Stream { name, text } => match name.as_str() {
                    "stderr" => shown.stderr.push_str(text),
                    _ => shown.stdout.push_str(text),
                },
                OutputKind::Display { data, .. } | OutputKind::ExecuteResult { data, .. } => {
                    shown.displays.push(data);
                }
                OutputKind::Error { ename, evalue, .. } => shown.error = Some((ename, evalue)),
            }
        }
        shown
    }
}

/// Whether one of the outputs is an error.
pub fn has_error(cell: &Cell) -> bool {
    Shown::of(cell.outputs()).error.is_some()
}

/// Compares a cell's outputs with the stored ones, and the values in the text of Markdown cells.
pub fn compare(stored: &Cell, fresh: &Cell, rules: &CellRules) -> Vec<Difference> {
    let (a, b) = (Shown::of(stored.outputs()), Shown::of(fresh.outputs()));
    let mut found = errors(&a, &b, rules);
    found.extend(stream("stdout", &a.stdout, &b.stdout, rules));
    found.extend(stream("stderr", &a.stderr, &b.stderr, rules));
    found.extend(displays(&a.displays, &b.displays, rules));
    found.extend(values(stored, fresh, rules));
    // Missing outputs of a failed cell are not reported as separate differences.
    if found.first().is_some_and(|one| one.kind == Kind::Error) && a.error.is_none() {
        found.truncate(1);
    }
    found
}

fn errors(a: &Shown, b: &Shown, rules: &CellRules) -> Vec<Difference> {
    let text = |(ename, evalue): (&str, &str)| format!("{ename}: {evalue}");
    match (a.error, b.error) {
        (None, None) => Vec::new(),
        (None, Some(error)) => {
            vec![Difference::new(Kind::Error, "").sides("", text(error))]
        }
        (Some(error), None) => vec![Difference::new(Kind::NoError, "").sides(text(error), "")],
        (Some(one), Some(other)) => {
            let differs = !text::compare(&text(one), &text(other), rules, &[]).is_empty();
            let differs = differs.then(|| {
                Difference::new(Kind::Error, "another error").sides(text(one), text(other))
            });
            differs.into_iter().collect()
        }
    }
}

fn stream(name: &str, a: &str, b: &str, rules: &CellRules) -> Vec<Difference> {
    match (a.is_empty(), b.is_empty()) {
        (false, true) => vec![Difference::new(Kind::Missing, name).sides(a, "")],
        (true, false) => vec![Difference::new(Kind::Extra, name).sides("", b)],
        _ => {
            let found = text::compare(a, b, rules, &[]).into_iter();
            found.map(|one| one.within(name)).collect()
        }
    }
}

fn displays(a: &[&MimeBundle], b: &[&MimeBundle], rules: &CellRules) -> Vec<Difference> {
    let mut found = Vec::new();
    let place = |at: usize, all: usize, bundle: &MimeBundle| {
        let mime = bundle.keys().next().map_or("", String::as_str);
        let what = match mime {
            "image/svg+xml" => "figure",
            _ => mime,
        };
        match all {
            1 => format!("output ({what})"),
            _ => format!("output {} ({what})", at + 1),
        }
    };
    for step in align(a.len(), b.len(), &|i, j| {
        bundle::compare(a[i], b[j], rules).is_empty()
    }) {
        match step {
            Step::Both(i, j) => {
                let differences = bundle::compare(a[i], b[j], rules).into_iter();
                let place = place(i, a.len().max(b.len()), a[i]);
                found.extend(differences.map(|one| one.within(&place)));
            }
            Step::Left(i) => {
                let one = Difference::new(Kind::Missing, place(i, a.len().max(2), a[i]));
                found.push(one.sides(summary(a[i]), ""));
            }
            Step::Right(j) => {
                let one = Difference::new(Kind::Extra, place(j, b.len().max(2), b[j]));
                found.push(one.sides("", summary(b[j])));
            }
        }
    }
    found
}

/// A one-line text for an output.
fn summary(bundle: &MimeBundle) -> String {
    let plain = bundle.get("text/plain").or_else(|| bundle.values().next());
    match plain {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The values in the text of a Markdown cell, as stored by Quarto:
/// `metadata.user_expressions: [{expression, result: {status, data}}]`.
fn values(stored: &Cell, fresh: &Cell, rules: &CellRules) -> Vec<Difference> {
    let list = |cell: &Cell| -> Vec<(String, MimeBundle)> {
        let all = cell
            .metadata
            .get("user_expressions")
            .and_then(Value::as_array);
        let one = |value: &Value| {
            let expression = value["expression"].as_str()?.to_owned();
            let data = value["result"]["data"].as_object().cloned();
            Some((expression, data.unwrap_or_default()))
        };
        all.into_iter().flatten().filter_map(one).collect()
    };
    let (a, b) = (list(stored), list(fresh));
    let mut found = Vec::new();
    for step in align(a.len(), b.len(), &|i, j| a[i].0 == b[j].0) {
        let place =
            |(expression, _): &(String, MimeBundle)| format!("value in the text `{expression}`");
        match step {
            Step::Both(i, j) => {
                let differences = bundle::compare(&a[i].1, &b[j].1, rules).into_iter();
                found.extend(differences.map(|one| one.within(&place(&a[i]))));
            }
            Step::Left(i) => {
                let one = Difference::new(Kind::Missing, place(&a[i]));
                found.push(one.sides(summary(&a[i].1), ""));
            }
            Step::Right(j) => {
                let one = Difference::new(Kind::Extra, place(&b[j]));
                found.push(one.sides("", summary(&b[j].1)));
            }
        }
    }
    found
}
