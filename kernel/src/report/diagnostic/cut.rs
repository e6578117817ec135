//! Truncates long lines around their relevant parts.

use std::borrow::Cow;
use std::ops::Range;

/// Longer lines, in characters, are truncated.
pub const LONG: usize = 300;
/// The number of characters that are kept on either side of a span's start and of its end.
const AROUND: usize = 70;
/// The maximum number of spans that are kept in a long line, the first ones.
const SPANS: usize = 4;
const GAP: &str = "...";

/// A source whose long lines omit what is far from every span.
pub struct Cut<'a> {
    pub source: Cow<'a, str>,
    /// The kept ranges, and their offsets in the new text.
    kept: Vec<(Range<usize>, usize)>,
}

impl<'a> Cut<'a> {
    /// The first spans are the most important.
    pub fn around(source: &'a str, spans: &[Range<usize>]) -> Self {
        if !source.lines().any(is_long) {
            return Self {
                source: source.into(),
                kept: vec![(0..source.len(), 0)],
            };
        }
        let mut text = String::new();
        let mut kept: Vec<(Range<usize>, usize)> = Vec::new();
        let mut start = 0;
        for line in source.split_inclusive('\n') {
            let end = start + line.len();
            let pieces = pieces(source, start..end, spans);
            let mut at = start;
            for piece in pieces {
                if at < piece.start {
                    text.push_str(GAP);
                }
                at = piece.end;
                kept.push((piece.clone(), text.len()));
                text.push_str(&source[piece]);
            }
            start = end;
        }
        Self {
            source: text.into(),
            kept,
        }
    }

    /// The new offset of an offset in the source; `None` if it was removed.
    pub fn at(&self, offset: usize) -> Option<usize> {
        let after = self.kept.partition_point(|(was, _)| was.start <= offset);
        let (was, is) = self.kept.get(after.checked_sub(1)?)?;
        (offset <= was.end).then(|| is + offset - was.start)
    }

    pub fn range(&self, range: &Range<usize>) -> Option<Range<usize>> {
        Some(self.at(range.start)?..self.at(range.end)?)
    }
}

fn is_long(line: &str) -> bool {
    line.len() > LONG && line.chars().nth(LONG).is_some()
}

/// The kept parts of a line, in order and disjoint: all of a short one. The line's end is
/// always kept, so that the next line remains separate.
fn pieces(source: &str, line: Range<usize>, spans: &[Range<usize>]) -> Vec<Range<usize>> {
    let text = &source[line.clone()];
    if !is_long(text) {
        return std::iter::once(line).collect();
    }
    let touching = spans
        .iter()
        .filter(|s| s.start <= line.end && s.end >= line.start);
    let mut wanted: Vec<Range<usize>> = touching
        .take(SPANS)
        .flat_map(|span| [span.start, span.end])
        .filter(|at| line.contains(at) || *at == line.end)
        .map(|at| around(source, &line, at))
        .collect();
    if wanted.is_empty() {
        wanted.push(around(source, &line, line.start));
    }
    wanted.push(line.start + text.trim_end_matches(['\n', '\r']).len()..line.end);
    wanted.sort_by_key(|piece| (piece.start, piece.end));
    let mut pieces: Vec<Range<usize>> = Vec::new();
    for piece in wanted {
        match pieces.last_mut() {
            // Gaps no longer than their mark are kept.
            Some(last) if piece.start <= last.end + GAP.len() => last.end = last.end.max(piece.end),
            _ => pieces.push(piece),
        }
    }
    pieces
}

fn around(source: &str, line: &Range<usize>, at: usize) -> Range<usize> {
    let before = source[line.start..at].char_indices().rev();
    let after = source[at..line.end].char_indices();
    let start = before
        .take(AROUND)
        .last()
        .map_or(at, |(i, _)| line.start + i);
    let end = after.skip(AROUND).map(|(i, _)| at + i).next();
    start..end.unwrap_or(line.end)
}

/// A text of which no line is longer than `most` characters.
pub fn clip(text: &str, most: usize) -> Cow<'_, str> {
    if text
        .split('\n')
        .all(|line| line.chars().nth(most).is_none())
    {
        return text.into();
    }
    let lines = text.split('\n').map(|line| {
        let length = line.chars().count();
        if length <= most {
            return line.to_owned();
        }
        let head: String = line.chars().take(most * 2 / 3).collect();
        let tail: String = line.chars().skip(length - most / 4).collect();
        format!("{head}{GAP}{tail}")
    });
    lines.collect::<Vec<_>>().join("\n").into()
}
