//! From spans of rustc's to places in text that the user knows.

use super::{Origin, Origins, Span};
use std::borrow::Cow;
use std::ops::Range;

/// Whose text it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Owner<'a> {
    Cell {
        label: &'a str,
        current: bool,
    },
    /// A file that the kernel did not write: a module's, a dependency's.
    File(&'a str),
}

/// A stretch of a cell or of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Place<'a> {
    pub range: Range<usize>,
    pub owner: Owner<'a>,
    /// The whole source.
    pub source: Cow<'a, str>,
}

/// Where a span stands for the user.
#[derive(Debug)]
pub struct Found<'a> {
    pub place: Place<'a>,
    /// The macro whose text rustc found at fault.
    pub made_by: Option<Macro<'a>>,
    /// Where the user's text calls that macro, if the place is in its definition.
    pub invocation: Option<Place<'a>>,
}

/// A macro, from how rustc calls it: `vec!`, `#[derive(Debug)]`, `#[test]`.
#[derive(Debug, Clone, Copy)]
pub struct Macro<'a> {
    pub kind: &'static str,
    pub name: &'a str,
}

impl<'a> Macro<'a> {
    /// `None` for what is none: `desugaring of operator `?``.
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

    /// What to write where it is called.
    pub fn call(&self) -> String {
        match self.kind {
            "macro" => "in this macro invocation".to_owned(),
            kind => format!("in this {kind} expansion"),
        }
    }
}

/// How much generated text may stand at one end of a span of user's text, such as what
/// makes a statement of an expression.
const AT_ONE_END: usize = 256;
/// And how much at both ends. More than brackets is about the generated text.
const AROUND: usize = 3;

/// The place of a span. Text that a macro made counts as the innermost use of a macro
/// that stands in a cell, or else as the outermost that stands in a file.
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
    // A macro's argument and a desugared operator stand within their own expansion.
    let apart = |other: &Place| !other.is_of(&place) || !other.encloses(&place);
    let mut calls = places.filter_map(|(called, other)| Some((Macro::parse(called)?, other)));
    let call = calls.find(|(_, other)| apart(other));
    Some(Found {
        made_by: Macro::parse(called).or(call.as_ref().map(|(name, _)| *name)),
        invocation: call.map(|(_, place)| place),
        place,
    })
}

/// The place of a suggestion's part: it replaces its text, so it must stand in the user's
/// text from end to end.
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
        // The place after the last byte of a stretch is no longer the stretch's.
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
        // It goes on into another cell, or ends far behind this one.
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

    /// The range is made to fit the source.
    fn new(owner: Owner<'a>, source: Cow<'a, str>, range: Range<usize>) -> Self {
        let start = source.floor_char_boundary(range.start);
        let end = source.ceil_char_boundary(range.end.max(start));
        Self {
            owner,
            source,
            range: start..end,
        }
    }

    /// Less the end of its last line, which cannot be underlined.
    fn visible(mut self) -> Self {
        let text = &self.source[self.range.clone()];
        let seen = text.trim_end_matches(['\n', '\r']).len();
        if seen > 0 {
            self.range.end = self.range.start + seen;
        }
        self
    }

    /// The line that begins at this place without extent, and its number.
    pub fn line_that_begins(&self) -> Option<(usize, &str)> {
        let (before, after) = self.source.split_at(self.range.start);
        let begins = before.is_empty() || before.ends_with('\n');
        let line = after.lines().next()?;
        let number = before.matches('\n').count() + 1;
        (self.range.is_empty() && begins).then_some((number, line))
    }

    /// Whether both stand in the same text.
    pub fn is_of(&self, other: &Place) -> bool {
        self.owner == other.owner && self.source == other.source
    }

    /// Where its text begins.
    pub fn start(&self) -> Self {
        Self {
            range: 0..0,
            ..self.clone()
        }
    }

    fn encloses(&self, other: &Place) -> bool {
        self.range.start <= other.range.start && other.range.end <= self.range.end
    }

    /// Where the place begins, in words.
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
