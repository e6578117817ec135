//! A fault in a notebook's text, with its place.

use std::fmt;

/// A fault in a notebook's text, and its position.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextFault {
    /// The cell's place in the notebook, from 1.
    pub cell: usize,
    /// The line within the cell, from 1; 0 for a fault of the cell as a whole.
    pub line: usize,
    pub reason: String,
}

impl fmt::Display for TextFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "cell {}: {}", self.cell, self.reason),
            line => write!(f, "cell {}, line {line}: {}", self.cell, self.reason),
        }
    }
}

impl std::error::Error for TextFault {}
