//! Maps rustc's spans to positions in the user's text.

use super::{Origin, Origins, Span};
use std::borrow::Cow;
use std::ops::Range;

/// The owner of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Owner<'a> {
    Cell {
        label: &'a str,
        current: bool,
    },
    /// A file that the kernel did not write: of a module or a dependency.
    File(&'a str),
}

/// A range of a cell or of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'a> {
    pub range: Range<usize>,
    pub owner: Owner<'a>,
    /// The whole source.
    pub source: Cow<'a, str>,
}

/// The position of a span in the user's text.
#[derive(Debug)]
pub struct Found<'a> {
    pub place: Place<'a>,
    /// The macro that generated the text at fault.
    pub made_by: Option<Macro<'a>>,
    /// Where the user's text calls that macro, if the place is in its definition.
    pub invocation: Option<Place<'a>>,
}

/// A macro, parsed from rustc's name for it: `vec!`, `#[derive(Debug)]`, `#[test]`.
#[derive(Debug, Clone, Copy)]
pub struct Macro<'a> {
    pub kind: &'static str,
    pub name: &'a str,
}

impl<'a> Macro<'a> {
    /// `None` if it is not a macro: `desugaring of operator `?``.
    fn parse(called: &'a str) -> Option<Self> {
        if let Some(name) = called.strip_suffix('!') {
            let kind = "macro";
            return Some(Self { kind, name });
        }
        let name = called.strip_prefix("#[")?.strip_suffix(']')?;
        let derived = name
            .strip_prefix("derive(")
            .and_then(|n| n.strip_suffix(')'));
        Some(match derived {
            Some(name) => Self {
                kind: "derive macro",
                name,
            },
            None => Self {
                kind: "attribute macro",
                name,
            },
        })
    }

    /// The label of its call.
    pub fn call(&self) -> String {
        match self.kind {
            "macro" => "in this macro invocation".to_owned(),
            kind => format!("in this {kind} expansion"),
        }
    }
}

/// How much generated text is allowed at one end of a span of user's text, such as what
/// turns an expression into a statement.
const AT_ONE_END: usize = 256;
/// The same for both ends. A span with more than brackets is about the generated text.
const AROUND: usize = 3;

/// The place of a span. For text that a macro generated, this is the innermost use of a macro
/// in a cell, or else the outermost in a file.
pub fn of<'a>(span: &'a Span, origins: &'a dyn Origins) -> Option<Found<'a>> {
    let step = |(span, _): &(&'a Span, &'a str)| span.expansion();
    let chain: Vec<_> = std::iter::successors(Some((span, "")), step).collect();
    let mut places = chain
        .iter()
        .filter_map(|(span, called)| Some((*called, in_cell(span, origins)?.visible())));
    let Some((called, place)) = places.next() else {
        let mut outwards = chain.iter().rev();
        return outwards.find_map(|(span, called)| {
            Some(Found {
                place: in_file(span, origins)?.visible(),
                made_by: Macro::parse(called),
                invocation: None,
            })
        });
    };
    // A macro's argument and a desugared operator are within their own expansion.
    let apart = |other: &Place| !other.is_of(&place) || !other.encloses(&place);
    let mut calls = places.filter_map(|(called, other)| Some((Macro::parse(called)?, other)));
    let call = calls.find(|(_, other)| apart(other));
    Some(Found {
        made_by: Macro::parse(called).or(call.as_ref().map(|(name, _)| *name)),
        invocation: call.map(|(_, place)| place),
        place,
    })
}

/// The place of a suggestion's part: it replaces its text, so all of it must be in the user's
/// text.
pub fn of_edit<'a>(span: &'a Span, origins: &'a dyn Origins) -> Option<Place<'a>> {
    let Range { start, end } = span.bytes();
    let Some(place) = in_cell(span, origins) else {
        return in_file(span, origins);
    };
    let whole = place.range.len() == end - start;
    whole.then_some(place)
}

fn in_cell<'a>(span: &'a Span, origins: &'a dyn Origins) -> Option<Place<'a>> {
    let file = span.file();
    let Range { start, end } = span.bytes();
    if start >= end {
        // The position after the last byte of a range is outside of the range.
        let before = || {
            let origin = origins.origin(file, start.checked_sub(1)?)?;
            Some((origin, origin.offset + 1))
        };
        let at = origins.origin(file, start).map(|o| (o, o.offset));
        let (origin, offset) = at.or_else(before)?;
        return Some(Place::in_cell(origin, offset..offset));
    }
    let origin = |byte| origins.origin(file, byte);
    let inside = origin(start).is_some() || origin(end - 1).is_some();
    let most = if inside { AT_ONE_END } else { AROUND };
    let first = (start..end).take(most + 1).find_map(origin)?;
    let last = (start..end)
        .rev()
        .take(most + 1)
        .find_map(origin)
        .filter(|last| last.source == first.source && last.cell == first.cell)
        .filter(|last| last.offset >= first.offset);
    let end = match last {
        Some(last) => last.offset + 1,
        // It continues into another cell, or ends far after this one.
        None => {
            let rest = first.source.get(first.offset..).unwrap_or_default();
            first.offset + rest.lines().next().unwrap_or_default().len()
        }
    };
    Some(Place::in_cell(first, first.offset..end))
}

fn in_file<'a>(span: &'a Span, origins: &'a dyn Origins) -> Option<Place<'a>> {
    let file = span.file();
    if origins.generated(file) {
        return None;
    }
    let source = std::fs::read_to_string(file).ok()?;
    let range = span.bytes();
    (range.start <= range.end && range.end <= source.len())
        .then(|| Place::new(Owner::File(file), source.into(), range))
}

impl<'a> Place<'a> {
    fn in_cell(origin: Origin<'a>, range: Range<usize>) -> Self {
        let owner = Owner::Cell {
            label: origin.cell,
            current: origin.current,
        };
        Self::new(owner, origin.source.into(), range)
    }

    /// Adjusts the range to fit the source.
    fn new(owner: Owner<'a>, source: Cow<'a, str>, range: Range<usize>) -> Self {
        let start = source.floor_char_boundary(range.start);
        let end = source.ceil_char_boundary(range.end.max(start));
        Self {
            owner,
            source,
            range: start..end,
        }
    }

    /// Without the end of its last line, which cannot be underlined.
    fn visible(mut self) -> Self {
        let text = &self.source[self.range.clone()];
        let seen = text.trim_end_matches(['\n', '\r']).len();
        if seen > 0 {
            self.range.end = self.range.start + seen;
        }
        self
    }

    /// The line that begins at this empty range, and its number.
    pub fn line_that_begins(&self) -> Option<(usize, &str)> {
        let (before, after) = self.source.split_at(self.range.start);
        let begins = before.is_empty() || before.ends_with('\n');
        let line = after.lines().next()?;
        let number = before.matches('\n').count() + 1;
        (self.range.is_empty() && begins).then_some((number, line))
    }

    /// Whether both are in the same text.
    pub fn is_of(&self, other: &Place) -> bool {
        self.owner == other.owner && self.source == other.source
    }

    /// The start of its text.
    pub fn start(&self) -> Self {
        Self {
            range: 0..0,
            ..self.clone()
        }
    }

    fn encloses(&self, other: &Place) -> bool {
        self.range.start <= other.range.start && other.range.end <= self.range.end
    }

    /// The position of its start, in words.
    pub fn location(&self) -> String {
        let before = &self.source[..self.range.start];
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[start..].chars().count() + 1;
        match self.owner {
            Owner::Cell {
                label,
                current: true,
            } => format!("line {line} of {label}"),
            Owner::Cell { label, .. } | Owner::File(label) => format!("{label}:{line}:{column}"),
        }
    }
}
