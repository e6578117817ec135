//! The parts of an article: a title block, numbered sections, figures, tables,
//! listings and equations that the text refers to, citations, notes and callouts.
//! The syntax is Quarto's, so that Quarto renders the same article from a notebook.
//! Source: quarto.org/docs, "Authoring"; docs/articles.md lists the supported
//! syntax.

pub mod callouts;
pub mod cells;
pub mod citations;
pub mod figures;
pub mod front;
pub mod inline;
pub mod labels;
pub mod notes;
pub mod shape;
pub mod tables;
pub mod title;

use crate::notebook::TextFault;

/// A line of a notebook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The cell's place in the notebook, from 1.
    pub cell: usize,
    /// The line within the cell, from 1; 0 for the cell as a whole.
    pub line: usize,
}

impl Place {
    pub fn fault(self, reason: impl Into<String>) -> TextFault {
        TextFault {
            cell: self.cell,
            line: self.line,
            reason: reason.into(),
        }
    }
}

#[cfg(test)]
mod tests;
