//! Texts of cells, insertions into them, and the namespaces of names.

/// A cell as the user wrote it.
#[derive(Debug)]
pub struct CellText {
    /// Its number, as Jupyter counts.
    pub number: u64,
    pub text: String,
}

/// Text to insert into the user's text at an offset, replacing `delete` bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    pub at: usize,
    pub delete: usize,
    pub text: String,
}

impl Insertion {
    pub fn new(at: usize, text: impl Into<String>) -> Self {
        Self {
            at,
            delete: 0,
            text: text.into(),
        }
    }
}

/// The namespaces of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Space {
    Type,
    Value,
    Macro,
}
