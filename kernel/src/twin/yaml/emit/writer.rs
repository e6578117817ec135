//! The position in the output: columns, blanks and indents.

/// Lines longer than this are broken at a blank, where they have one.
pub const WIDTH: usize = 80;

/// The style of a document.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Characters outside of ASCII are written as they are.
    pub unicode: bool,
    /// Lists without maps are written `[a, b]`.
    pub compact: bool,
}

/// Writes marks and text, and tracks the position on the line.
pub struct Emitter {
    pub out: String,
    pub style: Style,
    pub column: usize,
    /// Whether the last character was a blank, or a mark that needs none after
    /// it.
    pub whitespace: bool,
    /// Whether the line contains only blanks and list marks so far.
    pub indention: bool,
    pub indent: Option<usize>,
    /// The number of open brackets.
    pub flow: usize,
}

impl Emitter {
    pub fn new(style: Style) -> Self {
        Self {
            out: String::new(),
            style,
            column: 0,
            whitespace: true,
            indention: true,
            indent: None,
            flow: 0,
        }
    }

    /// Increases the indent; returns the former one.
    pub fn deeper(&mut self, flow: bool, indentless: bool) -> Option<usize> {
        let before = self.indent;
        self.indent = match before {
            None => Some(if flow { 2 } else { 0 }),
            Some(indent) if indentless => Some(indent),
            Some(indent) => Some(indent + 2),
        };
        before
    }

    pub fn break_long_line(&mut self) {
        if self.column > WIDTH {
            self.write_indent();
        }
    }

    pub fn mark(&mut self, mark: &str, spaced: bool, whitespace: bool, indention: bool) {
        if spaced && !self.whitespace {
            self.push(" ");
        }
        self.push(mark);
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    pub fn push(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    pub fn line_break(&mut self) {
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
        self.out.push('\n');
    }

    pub fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            self.push(&" ".repeat(indent - self.column));
        }
    }
}
