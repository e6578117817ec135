//! What was found, and where.

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The cell, from 1.
    pub cell: usize,
    /// Its line, from 1; 0 for the cell as a whole.
    pub line: usize,
    pub text: String,
}
