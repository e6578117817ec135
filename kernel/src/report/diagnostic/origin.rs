//! The user's text behind generated files.

/// A position in the user's text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Origin<'a> {
    /// The cell's label: "this cell", "cell 4".
    pub cell: &'a str,
    /// Whether it is the cell that is being compiled.
    pub current: bool,
    /// The cell's whole source.
    pub source: &'a str,
    /// The offset in bytes from the start of the source.
    pub offset: usize,
}

/// Maps positions in generated files to the user's text.
pub trait Origins {
    /// The user's text at a byte of a file, by rustc's name for it; `None` for generated
    /// text and for files unrelated to cells.
    fn origin(&self, file: &str, byte: usize) -> Option<Origin<'_>>;

    /// Whether the kernel wrote the file. Text without an origin in such a file is never
    /// shown, while text in any other file is shown where rustc found it.
    fn generated(&self, file: &str) -> bool;
}
