//! One difference between a stored and a new notebook.

use std::fmt::{self, Display};

/// What kind of difference it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    /// A point, a colour or a shape of a figure.
    Figure,
    /// A cell, a column or a row of a table.
    Table,
    /// A raster picture.
    Picture,
    /// A stored output that no longer exists.
    Missing,
    /// An output that is not stored.
    Extra,
    /// An error where none is stored, or another one.
    Error,
    /// No error where one is stored.
    NoError,
    /// The cell's source.
    Source,
    /// The cell did not run, because an earlier one has failed.
    NotRun,
    /// A setting of the cell that cannot be read.
    Setting,
}

impl Kind {
    /// The name of the kind, at the start of a reported difference.
    pub fn text(self) -> &'static str {
        match self {
            Kind::Text => "text differs",
            Kind::Number => "number outside its tolerance",
            Kind::Figure => "figure differs",
            Kind::Table => "table differs",
            Kind::Picture => "picture differs",
            Kind::Missing => "missing output",
            Kind::Extra => "extra output",
            Kind::Error => "error instead of the stored output",
            Kind::NoError => "no error, though one is stored",
            Kind::Source => "source changed",
            Kind::NotRun => "not run",
            Kind::Setting => "setting that cannot be read",
        }
    }
}

/// A difference, with its place and both sides.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub kind: Kind,
    /// "stdout, line 3"; "figure 1, point 12 of line 2"; "table 1, column `L0`, row 3".
    pub place: String,
    /// Lines of the stored side and of the new one; either may be empty.
    pub stored: String,
    pub fresh: String,
    /// A further remark; may be empty.
    pub note: String,
}

impl Difference {
    pub fn new(kind: Kind, place: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.into(),
            stored: String::new(),
            fresh: String::new(),
            note: String::new(),
        }
    }

    /// With both sides.
    pub fn sides(mut self, stored: impl Into<String>, fresh: impl Into<String>) -> Self {
        (self.stored, self.fresh) = (stored.into(), fresh.into());
        self
    }

    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// The same difference, with its place prefixed by that of the enclosing element.
    pub fn within(mut self, place: &str) -> Self {
        self.place = match self.place.is_empty() {
            true => place.to_owned(),
            false => format!("{place}, {}", self.place),
        };
        self
    }
}

/// The longest line that is shown whole, in characters.
const WIDEST: usize = 160;
/// How many characters are shown before the first difference of long lines.
const SEEN: usize = 60;
/// The maximum number of lines shown per side.
const TALLEST: usize = 8;

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind.text())?;
        if !self.place.is_empty() {
            write!(f, ": {}", self.place)?;
        }
        let skipped = skipped(&self.stored, &self.fresh);
        side(f, '-', &self.stored, skipped)?;
        side(f, '+', &self.fresh, skipped)?;
        for line in self.note.lines() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// How many common characters at the start of two long lines are left out.
fn skipped(stored: &str, fresh: &str) -> usize {
    let one_line = !stored.contains('\n') && !fresh.contains('\n');
    let pairs = stored.chars().zip(fresh.chars());
    let common = pairs.take_while(|(a, b)| a == b).count();
    match one_line && common > WIDEST - SEEN {
        true => common - SEEN,
        false => 0,
    }
}

fn side(f: &mut fmt::Formatter<'_>, mark: char, text: &str, skipped: usize) -> fmt::Result {
    let lines: Vec<&str> = text.lines().collect();
    for line in lines.iter().take(TALLEST) {
        let from = line.char_indices().nth(skipped).map_or(0, |(at, _)| at);
        let dots = if from > 0 { "…" } else { "" };
        write!(f, "\n  {mark} {dots}{}", shortened(&line[from..]))?;
    }
    if lines.len() > TALLEST {
        write!(f, "\n  {mark} ... ({} more lines)", lines.len() - TALLEST)?;
    }
    Ok(())
}

/// A line shortened for the terminal; control characters become visible.
pub fn shortened(line: &str) -> String {
    let visible = |c: char| match c {
        '\t' => c,
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let cut = line.char_indices().nth(WIDEST);
    let text = &line[..cut.map_or(line.len(), |(at, _)| at)];
    let mut text: String = text.chars().map(visible).collect();
    if cut.is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_reads_as_a_diff() {
        let one = Difference::new(Kind::Number, "line 3")
            .sides("loss 3.4", "loss 3.5")
            .note("3.4 -> 3.5")
            .within("stdout");
        assert_eq!(
            one.to_string(),
            "number outside its tolerance: stdout, line 3\n  - loss 3.4\n  + loss 3.5\n    3.4 -> 3.5"
        );
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "x".repeat(500);
        assert_eq!(shortened(&long).chars().count(), WIDEST + 1);
        // The difference between two long lines is visible.
        let one = Difference::new(Kind::Text, "").sides(format!("{long}a"), format!("{long}b"));
        let shown = one.to_string();
        let tail = "x".repeat(SEEN);
        assert!(shown.contains(&format!("- …{tail}a\n")), "{shown}");
        assert!(shown.ends_with(&format!("+ …{tail}b")), "{shown}");
        let tall = "a\n".repeat(20);
        let shown = Difference::new(Kind::Text, "").sides(tall, "").to_string();
        assert!(shown.ends_with("(12 more lines)"), "{shown}");
        assert_eq!(shortened("a\u{1b}[31mb"), "a\u{fffd}[31mb");
    }
}
