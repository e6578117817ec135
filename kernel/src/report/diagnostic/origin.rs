//! The user's text behind generated files.

/// A place in the user's text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Origin<'a> {
    /// How the cell is called: "this cell", "cell 4".
    pub cell: &'a str,
    /// Whether it is the cell that is being compiled.
    pub current: bool,
    /// The cell's whole source.
    pub source: &'a str,
    /// The place, in bytes from the start of the source.
    pub offset: usize,
}

/// Where the places of generated files stand in the user's text.
pub trait Origins {
    /// The user's text behind a byte of a file as rustc names it; `None` for generated
    /// text and for files that have nothing to do with cells.
    fn origin(&self, file: &str, byte: usize) -> Option<Origin<'_>>;

    /// Whether the kernel wrote the file. What has no origin in such a file is never
    /// shown, while that of any other file is shown where rustc found it.
    fn generated(&self, file: &str) -> bool;
}
