//! Writes the text of a scalar, plain or in quotes.

use super::writer::{Emitter, WIDTH};
use std::fmt::Write;

/// The styles that a text allows.
pub struct Analysis {
    pub multiline: bool,
    pub flow_plain: bool,
    pub block_plain: bool,
    pub single: bool,
}

pub fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: Option<char>) -> bool {
    c.is_none_or(|c| matches!(c, '\0' | ' ' | '\t' | '\r') || is_break(c))
}

fn is_printable(c: char) -> bool {
    matches!(c, '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10fffe}')
        && c != '\u{feff}'
}

impl Analysis {
    pub fn of(text: &str, unicode: bool) -> Self {
        if text.is_empty() {
            return Self {
                multiline: false,
                flow_plain: false,
                block_plain: true,
                single: true,
            };
        }
        let chars: Vec<char> = text.chars().collect();
        let dashes = text.starts_with("---") || text.starts_with("...");
        let (mut block, mut flow) = (dashes, dashes);
        let (mut breaks, mut special) = (false, false);
        let (mut break_space, mut space_break) = (false, false);
        for (i, &c) in chars.iter().enumerate() {
            let before = i.checked_sub(1).map(|i| chars[i]);
            let spaced = is_blank(before);
            let followed = is_blank(chars.get(i + 1).copied());
            match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if i == 0 =>
                {
                    (block, flow) = (true, true);
                }
                '?' if i == 0 => {
                    flow = true;
                    block |= followed;
                }
                '-' if i == 0 && followed => (block, flow) = (true, true),
                ',' | '?' | '[' | ']' | '{' | '}' => flow = true,
                ':' => {
                    flow = true;
                    block |= followed;
                }
                '#' if spaced => (block, flow) = (true, true),
                _ => {}
            }
            breaks |= is_break(c);
            if !(c == '\n' || (' '..='~').contains(&c)) {
                special |= !(is_printable(c) && unicode);
            }
            break_space |= c == ' ' && before.is_some_and(is_break);
            space_break |= is_break(c) && before == Some(' ');
        }
        let edge = |c: Option<&char>| c.is_some_and(|&c| c == ' ' || is_break(c));
        let edges = edge(chars.first()) || edge(chars.last());
        let plain = !(edges || break_space || space_break || special || breaks);
        Self {
            multiline: breaks,
            flow_plain: plain && !flow,
            block_plain: plain && !block,
            single: !(break_space || space_break || special),
        }
    }
}

impl Emitter {
    pub fn plain(&mut self, text: &str, split: bool) {
        if text.is_empty() {
            return;
        }
        if !self.whitespace {
            self.push(" ");
        }
        self.whitespace = false;
        self.indention = false;
        self.words(text, split);
    }

    pub fn single_quoted(&mut self, text: &str, split: bool) {
        self.mark("'", true, false, false);
        let mut first = true;
        for line in broken(text) {
            match line {
                Piece::Breaks(breaks) => {
                    if breaks.starts_with('\n') {
                        self.line_break();
                    }
                    for c in breaks.chars() {
                        match c {
                            '\n' => self.line_break(),
                            other => {
                                self.line_break();
                                self.out.pop();
                                self.out.push(other);
                            }
                        }
                    }
                    self.write_indent();
                }
                Piece::Line(line) => {
                    let whole = first && line.len() == text.len();
                    self.quoted_words(line, split, first, whole || text.ends_with(line));
                }
            }
            first = false;
        }
        self.mark("'", false, false, false);
    }

    fn quoted_words(&mut self, line: &str, split: bool, first: bool, last: bool) {
        let doubled = line.replace('\'', "''");
        let runs = runs(&doubled);
        let count = runs.len();
        for (n, run) in runs.into_iter().enumerate() {
            let edge = (first && n == 0) || (last && n + 1 == count);
            if run == " " && self.column > WIDTH && split && !edge {
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
            } else {
                self.push(run);
            }
        }
    }

    /// Words and the blanks between them; the line is broken at single blanks.
    fn words(&mut self, text: &str, split: bool) {
        for run in runs(text) {
            if run == " " && self.column > WIDTH && split {
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
            } else {
                self.push(run);
            }
        }
    }

    pub fn double_quoted(&mut self, text: &str, split: bool) {
        self.mark("\"", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let (mut start, mut end) = (0, 0);
        while end <= chars.len() {
            let c = chars.get(end).copied();
            let raw = c.is_some_and(|c| self.is_raw(c));
            if !raw {
                if start < end {
                    self.push(&chars[start..end].iter().collect::<String>());
                    start = end;
                }
                if let Some(c) = c {
                    self.push(&escaped(c));
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < chars.len();
            let waiting = end.saturating_sub(start);
            let overfull = self.column + waiting > WIDTH + usize::from(start > end);
            if inside && (c == Some(' ') || start >= end) && overfull && split {
                let mut data: String = match start < end {
                    true => chars[start..end].iter().collect(),
                    false => String::new(),
                };
                data.push('\\');
                if start < end {
                    start = end;
                }
                self.push(&data);
                self.write_indent();
                self.whitespace = false;
                self.indention = false;
                if chars.get(start) == Some(&' ') {
                    self.push("\\");
                }
            }
            end += 1;
        }
        self.mark("\"", false, false, false);
    }

    fn is_raw(&self, c: char) -> bool {
        match c {
            '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => false,
            ' '..='~' => true,
            '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' => self.style.unicode,
            _ => false,
        }
    }
}

fn escaped(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => '\0',
    };
    let mut text = String::from("\\");
    let _ = match (short, u32::from(c)) {
        ('\0', code @ ..=0xff) => write!(text, "x{code:02X}"),
        ('\0', code @ ..=0xffff) => write!(text, "u{code:04X}"),
        ('\0', code) => write!(text, "U{code:08X}"),
        (short, _) => write!(text, "{short}"),
    };
    text
}

/// Runs of blanks and of everything else.
fn runs(text: &str) -> Vec<&str> {
    split_by(text, |c| c == ' ')
}

enum Piece<'a> {
    Line(&'a str),
    Breaks(&'a str),
}

fn broken(text: &str) -> Vec<Piece<'_>> {
    let pieces = split_by(text, is_break).into_iter();
    pieces
        .map(|piece| match piece.starts_with(is_break) {
            true => Piece::Breaks(piece),
            false => Piece::Line(piece),
        })
        .collect()
}

fn split_by(text: &str, mark: impl Fn(char) -> bool) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut was = None;
    for (at, c) in text.char_indices() {
        let is = mark(c);
        if was.is_some_and(|was| was != is) {
            pieces.push(&text[start..at]);
            start = at;
        }
        was = Some(is);
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}
