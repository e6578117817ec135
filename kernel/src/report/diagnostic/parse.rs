//! rustc's output with `--error-format=json`: one object per line.

use serde::Deserialize;
use std::ops::Range;

/// A message of rustc, or a child of another message.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    message: String,
    code: Option<Code>,
    level: String,
    #[serde(default)]
    spans: Vec<Span>,
    #[serde(default)]
    children: Vec<Diagnostic>,
    rendered: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Code {
    code: String,
}

/// A range in a file that a message is about.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
    label: Option<String>,
    suggested_replacement: Option<String>,
    expansion: Option<Box<Expansion>>,
}

/// The macro use that generated a span's text.
#[derive(Debug, Clone, Deserialize)]
struct Expansion {
    span: Span,
    macro_decl_name: String,
}

impl Diagnostic {
    /// The messages in rustc's output, except the lines that only count or refer to others.
    pub fn parse_all(stderr: &str) -> Vec<Self> {
        let messages = stderr
            .lines()
            .filter_map(|line| serde_json::from_str::<Self>(line).ok());
        messages.filter(|m| !m.is_summary()).collect()
    }

    fn is_summary(&self) -> bool {
        self.level == "failure-note"
            || (self.spans.is_empty() && self.message.starts_with("aborting due to "))
    }

    /// An error, or the compiler's own failure.
    pub fn is_error(&self) -> bool {
        self.level.starts_with("error")
    }

    /// "error", "warning", "note", "help" or "error: internal compiler error".
    pub fn level(&self) -> &str {
        &self.level
    }

    /// "E0308", or the name of a lint.
    pub fn code(&self) -> Option<&str> {
        self.code.as_ref().map(|code| code.code.as_str())
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The main span of the message.
    pub fn primary(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.is_primary)
    }

    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Notes, helps and suggestions, in rustc's order.
    pub fn children(&self) -> &[Self] {
        &self.children
    }

    /// The edits this message proposes, each a list of replacements to be made together;
    /// empty if it proposes nothing.
    pub fn suggestions(&self) -> Vec<Vec<&Span>> {
        // rustc writes the parts of all alternatives in one list. The parts of one alternative do
        // not overlap, so a part that overlaps another begins the next alternative.
        let mut alternatives: Vec<Vec<&Span>> = Vec::new();
        for part in self.spans.iter().filter(|s| s.replacement().is_some()) {
            match alternatives.last_mut() {
                Some(parts) if !parts.iter().any(|other| other.meets(part)) => parts.push(part),
                _ => alternatives.push(vec![part]),
            }
        }
        alternatives
    }

    /// Whether rustc itself names the macro that generated the text at fault. It omits
    /// macros that are irrelevant to the user.
    pub fn blames_macro(&self) -> bool {
        let text = self.rendered.as_ref();
        text.is_none_or(|text| text.contains(" originates in the "))
    }

    /// Whether rustc itself shows a child message with this text. Some suggestions
    /// are meant only for editors.
    pub fn shows(&self, child: &Self) -> bool {
        let first = child.message.lines().next().unwrap_or_default();
        self.rendered.as_ref().is_none_or(|r| r.contains(first))
    }
}

impl Span {
    /// The file, by rustc's name for it.
    pub fn file(&self) -> &str {
        &self.file_name
    }

    pub fn bytes(&self) -> Range<usize> {
        self.byte_start..self.byte_end
    }

    pub fn is_primary(&self) -> bool {
        self.is_primary
    }

    pub fn label(&self) -> Option<&str> {
        self.label.as_deref().filter(|label| !label.is_empty())
    }

    /// Whether they overlap, so that both cannot be replaced.
    fn meets(&self, other: &Self) -> bool {
        let (one, two) = (self.bytes(), other.bytes());
        let overlap = one.start < two.end && two.start < one.end;
        self.file_name == other.file_name && (one == two || overlap)
    }

    /// The text that a suggestion would replace it with.
    pub fn replacement(&self) -> Option<&str> {
        self.suggested_replacement.as_deref()
    }

    /// The use of the macro that generated this text, and rustc's name for the macro: `vec!`,
    /// `#[derive(Debug)]`, or a desugaring's description.
    pub fn expansion(&self) -> Option<(&Self, &str)> {
        let expansion = self.expansion.as_deref()?;
        Some((&expansion.span, &expansion.macro_decl_name))
    }
}
