//! Labels of figures, tables, equations and sections, and references to them.

use super::finding::Finding;
use crate::notebook::{Cell, Notebook, option_mark};
use regex::Regex;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The label prefixes of what Quarto numbers.
const KINDS: &str = "fig|tbl|eq|sec|lst|thm|lem|cor|prp|cnj|def|exm|exr";

static REFERENCE: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?i)(?:^|[^\w@/])@((?:{KINDS})-[\w-]*\w)")));
static LINK: LazyLock<Regex> = LazyLock::new(|| regex(&format!(r"\]\(#((?:{KINDS})-[\w-]*\w)\)")));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    regex(&format!(
        r"\{{[^{{}}\n]*#((?:{KINDS})-[\w-]*\w)[^{{}}\n]*\}}"
    ))
});
static TARGET: LazyLock<Regex> =
    LazyLock::new(|| regex(&format!(r"(?m)^\(((?:{KINDS})-[\w-]*\w)\)=\s*$")));

fn regex(text: &str) -> Regex {
    Regex::new(text).expect("the expression is one of ours")
}

/// Labels and references of a notebook, with their places.
#[derive(Default)]
struct Labels {
    defined: BTreeMap<String, Vec<(usize, usize)>>,
    used: Vec<(String, usize, usize)>,
}

pub fn findings(notebook: &Notebook) -> Vec<Finding> {
    let mut labels = Labels::default();
    for (n, cell) in notebook.cells.iter().enumerate() {
        match cell.is_code() {
            true => labels.code(cell, n + 1),
            false => labels.text(&cell.source, n + 1),
        }
    }
    labels.findings()
}

impl Labels {
    fn define(&mut self, label: &str, cell: usize, line: usize) {
        self.defined
            .entry(label.to_owned())
            .or_default()
            .push((cell, line));
    }

    fn code(&mut self, cell: &Cell, n: usize) {
        let mut written = false;
        let options = cell
            .source
            .lines()
            .map_while(|line| Some(&line[option_mark(line)?..]));
        for (at, line) in options.enumerate() {
            if let Some(label) = line.strip_prefix("label:") {
                written = true;
                self.define(label.trim().trim_matches(['"', '\'']), n, at + 1);
            } else {
                self.references(line, n, at + 1);
            }
        }
        if let (false, Some(Value::String(label))) = (written, cell.metadata.get("label")) {
            self.define(label, n, 0);
        }
    }

    fn text(&mut self, source: &str, n: usize) {
        let mut fence: Option<&str> = None;
        for (at, line) in source.lines().enumerate() {
            let bare = line.trim_start();
            let mark = ["```", "~~~"]
                .into_iter()
                .find(|mark| bare.starts_with(mark));
            match (fence, mark) {
                (None, Some(mark)) => fence = Some(mark),
                (Some(open), Some(mark)) if open == mark => fence = None,
                _ => {}
            }
            for pattern in [&ATTRIBUTE, &TARGET] {
                for found in pattern.captures_iter(line) {
                    self.define(&found[1], n, at + 1);
                }
            }
            if fence.is_none() {
                self.references(line, n, at + 1);
            }
        }
    }

    fn references(&mut self, line: &str, cell: usize, at: usize) {
        for pattern in [&REFERENCE, &LINK] {
            for found in pattern.captures_iter(line) {
                // `@Fig-x` is `@fig-x` with a capital in the text.
                let mut label = found[1].to_owned();
                label[..1].make_ascii_lowercase();
                self.used.push((label, cell, at));
            }
        }
    }

    fn findings(self) -> Vec<Finding> {
        let mut found = Vec::new();
        let used: BTreeSet<&str> = self.used.iter().map(|(label, ..)| label.as_str()).collect();
        let numbered = |label: &str| {
            label
                .split_once('-')
                .is_some_and(|(kind, _)| KINDS.split('|').any(|known| known == kind))
        };
        for (label, places) in &self.defined {
            let (cell, line) = places[0];
            // `fig-a-1` is a subfigure of `fig-a`.
            let sub = used.iter().any(|used| {
                used.strip_prefix(label.as_str())
                    .is_some_and(|rest| rest.starts_with('-'))
            });
            if numbered(label) && !used.contains(label.as_str()) && !sub {
                found.push(Finding {
                    cell,
                    line,
                    text: format!(
                        "nothing refers to the label {label} (write @{label} in the text)"
                    ),
                });
            }
            for (cell_again, line) in &places[1..] {
                found.push(Finding {
                    cell: *cell_again,
                    line: *line,
                    text: format!("the label {label} was given in cell {cell} already"),
                });
            }
        }
        for (label, cell, line) in &self.used {
            let parent = label
                .rsplit_once('-')
                .is_some_and(|(parent, _)| self.defined.contains_key(parent));
            if !self.defined.contains_key(label) && !parent {
                found.push(Finding {
                    cell: *cell,
                    line: *line,
                    text: format!("nothing has the label {label} that is referred to here"),
                });
            }
        }
        found
    }
}
