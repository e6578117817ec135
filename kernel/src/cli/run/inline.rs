//! Values in the text: evaluated when the run reaches the cell that contains them.

use super::super::terminal::{Terminal, say};
use super::cells::Cells;
use super::results::Results;
use crate::notebook::inline::{self, Answer, Inline};
use crate::notebook::{Cell, CellKind, Notebook};
use crate::report::outcome::CellError;
use serde_json::json;
use std::collections::VecDeque;
use std::path::Path;

/// The expressions of one cell.
struct Text {
    index: usize,
    is_code: bool,
    inlines: Vec<Inline>,
}

/// The cells with expressions that are not evaluated yet.
pub struct Texts {
    waiting: VecDeque<Text>,
}

/// An expression that has failed.
pub struct Failed {
    /// The cell, from 1.
    cell: usize,
    is_code: bool,
    inline: Inline,
    error: CellError,
}

impl Texts {
    /// The expressions of a notebook: those in Markdown cells, and those in captions in the options
    /// of code cells. Values of an earlier run are removed; if the notebook itself is overwritten,
    /// those that will be replaced stay until then.
    pub fn of(notebook: &mut Notebook, in_place: bool) -> Self {
        for cell in notebook
            .cells
            .iter_mut()
            .filter(|cell| !cell.has_tag("skip-execution"))
        {
            if !in_place || of_cell(cell).is_empty() {
                inline::store(cell, &[]);
            }
        }
        let cells = notebook.cells.iter().enumerate();
        let texts = cells.filter(|(_, cell)| !cell.has_tag("skip-execution"));
        let texts = texts.map(|(index, cell)| Text {
            index,
            is_code: cell.is_code(),
            inlines: of_cell(cell),
        });
        Self {
            waiting: texts.filter(|text| !text.inlines.is_empty()).collect(),
        }
    }

    /// Evaluates the expressions of the cells before this index; returns the first that fails.
    pub fn before(
        &mut self,
        index: usize,
        allow_errors: bool,
        cells: &mut Cells,
        results: &mut Results,
        terminal: &mut Terminal,
    ) -> Option<Failed> {
        while self.waiting.front().is_some_and(|text| text.index < index)
            && let Some(text) = self.waiting.pop_front()
        {
            let mut answers = Vec::new();
            let mut failed = None;
            for inline in text.inlines {
                let answer = cells.evaluate(&inline::code(&inline.expression), terminal);
                let result = match answer {
                    Ok(data) => json!({"status": "ok", "data": data, "metadata": {}}),
                    Err(error) => {
                        let result = json!({"status": "error", "ename": error.ename,
                            "evalue": error.evalue, "traceback": error.traceback});
                        if failed.is_none() && !allow_errors {
                            failed = Some(Failed {
                                cell: text.index + 1,
                                is_code: text.is_code,
                                inline: inline.clone(),
                                error,
                            });
                        }
                        result
                    }
                };
                answers.push(Answer {
                    expression: inline.expression,
                    result,
                });
                if failed.is_some() {
                    break;
                }
            }
            results.answered(text.index, &answers);
            if failed.is_some() {
                return failed;
            }
        }
        None
    }
}

fn of_cell(cell: &Cell) -> Vec<Inline> {
    match cell.kind {
        CellKind::Markdown => inline::of_text(&cell.source),
        CellKind::Code { .. } => inline::of_options(&cell.source),
        CellKind::Raw => Vec::new(),
    }
}

impl Failed {
    /// Reports which expression failed.
    pub fn report(&self, notebook: &Path) {
        let Self {
            cell,
            is_code,
            inline,
            error,
        } = self;
        let kind = if *is_code { "code" } else { "markdown" };
        say(&format!(
            "\n{}: cell {cell} ({kind}), line {}: the value of `{{rust}} {}` failed: {}: {}",
            notebook.display(),
            inline.line,
            inline.expression,
            error.ename,
            error.evalue
        ));
        for line in &error.traceback {
            say(&format!("  {line}"));
        }
    }
}
