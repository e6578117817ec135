//! The sources of all crates that a session has compiled: maps a position in one of them to the
//! user's text.

use crate::compile::BODY;
use crate::plan::Definitions;
use crate::plan::source::{Mark, Source, line_at};
use crate::read::CellText;
use crate::report::diagnostic::{Origin, Origins};
use std::collections::HashMap;
use std::sync::Arc;

/// The sources, by the file names that rustc uses.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    units: HashMap<String, Arc<Source>>,
    /// All bodies share one file; each begins after the lines of those before it.
    bodies: Vec<(usize, Arc<Source>)>,
    /// The total number of lines of all bodies.
    lines: usize,
}

impl Sources {
    pub fn add_unit(&mut self, file: String, source: Arc<Source>) {
        self.units.insert(file, source);
    }

    /// The line at which the next body begins.
    pub fn next_line(&self) -> usize {
        self.lines
    }

    pub fn add_body(&mut self, source: Arc<Source>) {
        let lines = source.text.matches('\n').count() + 1;
        self.bodies.push((self.lines, source));
        self.lines += lines;
    }

    /// The cell and its line for a line and a column of a file.
    pub fn line(
        &self,
        file: &str,
        line: usize,
        column: usize,
    ) -> Option<(Arc<CellText>, usize, String)> {
        let (cell, offset) = if file == BODY {
            let after = self.bodies.partition_point(|(start, _)| *start < line);
            let (start, source) = self.bodies.get(after.checked_sub(1)?)?;
            source.origin_of_position(line - start, column)?
        } else {
            self.units.get(file)?.origin_of_position(line, column)?
        };
        let (number, text) = line_at(&cell.text, offset);
        Some((Arc::clone(cell), number, text.trim().to_owned()))
    }

    /// Whether the file is one of the session's.
    pub fn knows(&self, file: &str) -> bool {
        file == BODY || self.units.contains_key(file)
    }
}

/// Positions in the crate that is being compiled, and in those before it.
pub struct View<'a> {
    pub sources: &'a Sources,
    pub file: &'a str,
    pub source: &'a Source,
    /// Lines, and so bytes, that precede the source in the file.
    pub before: usize,
    /// The number of the cell that runs.
    pub cell: u64,
    labels: Labels,
}

/// Names of cells, leaked so that they outlive the borrow.
#[derive(Default)]
struct Labels(std::cell::RefCell<HashMap<u64, &'static str>>);

impl Labels {
    fn of(&self, number: u64) -> &'static str {
        let mut known = self.0.borrow_mut();
        // Leaks a few bytes for each cell that an error has pointed into.
        known
            .entry(number)
            .or_insert_with(|| Box::leak(format!("cell {number}").into_boxed_str()))
    }
}

impl<'a> View<'a> {
    pub fn new(
        sources: &'a Sources,
        file: &'a str,
        source: &'a Source,
        before: usize,
        cell: u64,
    ) -> Self {
        Self {
            sources,
            file,
            source,
            before,
            cell,
            labels: Labels::default(),
        }
    }

    /// The purpose of the generated text at a byte of the crate.
    pub fn mark(&self, file: &str, byte: usize) -> Option<&Mark> {
        (file == self.file).then(|| self.source.mark(byte.checked_sub(self.before)?))?
    }
}

impl Origins for View<'_> {
    fn origin(&self, file: &str, byte: usize) -> Option<Origin<'_>> {
        let (cell, offset) = if file == self.file {
            self.source.origin(byte.checked_sub(self.before)?)?
        } else {
            self.sources.units.get(file)?.origin(byte)?
        };
        let current = cell.number == self.cell;
        Some(Origin {
            cell: if current {
                "this cell"
            } else {
                self.labels.of(cell.number)
            },
            current,
            source: &cell.text,
            offset,
        })
    }

    fn generated(&self, file: &str) -> bool {
        file == self.file || self.sources.knows(file)
    }
}

/// A text of the compiler in the user's terms.
pub fn users_words(text: &str) -> String {
    Definitions::users_type(text)
        .replace("holoscope_image::", "holoscope::")
        .replace("holoscope::host::CellError", "the cell's error")
        .replace("CellError", "the cell's error")
}
