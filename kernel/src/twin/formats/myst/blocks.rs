//! The blocks of MyST Markdown that are relevant for cells: fences and `+++` at the top level.
//! Source: spec.commonmark.org; mdit-py-plugins, `front_matter` and `myst_blocks`.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag};
use std::ops::Range;

/// A block, from its first line to the line after it.
pub struct Block {
    pub first: usize,
    pub next: usize,
    pub kind: Kind,
}

pub enum Kind {
    Fence {
        info: String,
        content: String,
    },
    /// `+++` and the text after it.
    Break(String),
}

/// The text between the `---` at the very top, and the first line after it.
pub fn front_matter(text: &str) -> Option<(String, usize)> {
    let mut lines = text.split('\n');
    let open = lines.next()?;
    let mark = open.len() - open.trim_start_matches('-').len();
    if mark < 3 {
        return None;
    }
    let mut matter = Vec::new();
    for (n, line) in lines.enumerate() {
        let bare = line.trim_end_matches(['\r', ' ', '\t']);
        if bare.len() >= mark && bare.chars().all(|c| c == '-') {
            return Some((matter.join("\n"), n + 2));
        }
        matter.push(line.trim_end_matches('\r'));
    }
    None
}

fn is_break(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches(' ');
    let after = rest.trim_start_matches('+');
    (line.len() - rest.len() < 4 && rest.len() - after.len() >= 3).then(|| after.trim())
}

/// The blocks of a text, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let skip = front_matter(text).map_or(0, |(_, next)| next);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| line.trim_end_matches('\r'))
        .collect();
    // A `+++` separates blocks like `***`, which the parser supports.
    let mut masked = String::with_capacity(text.len());
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_end_matches(['\n', '\r']);
        match (n < skip, is_break(bare)) {
            (true, _) => masked.extend(line.chars().map(|c| if c == '\n' { c } else { ' ' })),
            (false, Some(_)) => {
                let blank = bare.len() - bare.trim_start_matches(' ').len();
                masked.push_str(&" ".repeat(blank));
                masked.push_str("***");
                masked.push_str(&" ".repeat(bare.len() - blank - 3));
                masked.push_str(&line[bare.len()..]);
            }
            (false, None) => masked.push_str(line),
        }
    }
    let starts: Vec<usize> = std::iter::once(0)
        .chain(masked.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let line_of = |at: usize| starts.partition_point(|start| *start <= at) - 1;
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (event, range) in Parser::new_ext(&masked, Options::ENABLE_TABLES).into_offset_iter() {
        match event {
            Event::Start(tag) => {
                if let (0, Tag::CodeBlock(CodeBlockKind::Fenced(_))) = (depth, &tag) {
                    found.push(fence(&lines, line_of(range.start), &range, &line_of));
                }
                depth += 1;
            }
            Event::End(_) => depth = depth.saturating_sub(1),
            Event::Rule if depth == 0 => {
                let at = line_of(range.start);
                if let Some(text) = lines.get(at).and_then(|line| is_break(line)) {
                    found.push(Block {
                        first: at,
                        next: at + 1,
                        kind: Kind::Break(text.to_owned()),
                    });
                }
            }
            _ => {}
        }
    }
    found
}

fn fence(
    lines: &[&str],
    first: usize,
    range: &Range<usize>,
    line_of: &dyn Fn(usize) -> usize,
) -> Block {
    let open = lines[first];
    let bare = open.trim_start_matches(' ');
    let indent = open.len() - bare.len();
    let mark = bare.chars().next().unwrap_or('`');
    let info = bare.trim_start_matches(mark);
    let length = bare.len() - info.len();
    let last = line_of(range.end.saturating_sub(1).max(range.start));
    let closes = |line: &str| {
        let text = line.trim_start_matches(' ');
        let rest = text.trim_start_matches(mark);
        line.len() - text.len() < 4 && text.len() - rest.len() >= length && rest.trim().is_empty()
    };
    let closed = last > first && closes(lines[last]);
    // Without an end, it continues to the end of the text.
    let end = if closed { last } else { lines.len() };
    let content = lines[first + 1..end].iter().map(|line| {
        let blank = line.len() - line.trim_start_matches(' ').len();
        format!("{}\n", &line[blank.min(indent)..])
    });
    Block {
        first,
        next: end + usize::from(closed),
        kind: Kind::Fence {
            info: info.to_owned(),
            content: content.collect(),
        },
    }
}
