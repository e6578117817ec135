//! Replaces parts of a Markdown text by marks before it is parsed: formulas and bare
//! addresses, in which `_`, `|` and a leading `-` have another meaning; and syntax that
//! Markdown does not have: attributes in braces, citations and cross-references, and the
//! lines of fenced divs.
//! Source: JupyterLab's `latex.ts`; for the dollars see `dollars`.

mod addresses;
pub mod attributes;
pub mod cites;
mod dollars;
mod scan;

use attributes::{Attributes, div_line};
use cites::Group;
use scan::block_ends;
use std::collections::HashSet;

/// One formula of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// As written, including delimiters; shown within code.
    pub source: String,
    /// Without its delimiters.
    pub latex: String,
    pub display: bool,
}

/// A text whose formulas and bare addresses are replaced by marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    pub text: String,
    /// The labels of displayed formulas, with their lines from 1.
    pub equations: Vec<(String, usize)>,
    taken: Vec<Taken>,
    /// The line of each taken part, from 1.
    lines: Vec<usize>,
    /// Encloses the number of each taken part; occurs nowhere else in the text.
    mark: char,
}

/// The content that a mark replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Taken {
    Formula(Formula),
    Address(String),
    /// Attributes and their source.
    Attributes(Attributes, String),
    /// A citation and its source.
    Cite(Group, String),
}

/// A piece of a text after extraction.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// A formula and its number among all taken parts.
    Formula(usize, &'a Formula),
    /// A bare address as written, and its number.
    Address(usize, &'a str),
    /// Attributes, their number and their source.
    Attributes(usize, &'a Attributes, &'a str),
    /// A citation, its number and its source.
    Cite(usize, &'a Group, &'a str),
}

impl Piece<'_> {
    /// The source as written.
    pub fn source(&self) -> &str {
        match self {
            Piece::Text(text) => text,
            Piece::Formula(_, formula) => &formula.source,
            Piece::Address(_, address) => address,
            Piece::Attributes(.., source) | Piece::Cite(.., source) => source,
        }
    }
}

impl Extracted {
    /// Splits a part of the extracted text at its marks.
    pub fn pieces<'a>(&'a self, part: &'a str) -> Vec<Piece<'a>> {
        let pieces = part.split(self.mark).enumerate().map(|(i, piece)| {
            let number = if i % 2 == 1 { piece.parse().ok() } else { None };
            match number.and_then(|n: usize| Some((n, self.taken.get(n)?))) {
                Some((n, Taken::Formula(formula))) => Piece::Formula(n, formula),
                Some((n, Taken::Address(address))) => Piece::Address(n, address),
                Some((n, Taken::Attributes(attributes, source))) => {
                    Piece::Attributes(n, attributes, source)
                }
                Some((n, Taken::Cite(group, source))) => Piece::Cite(n, group, source),
                None => Piece::Text(piece),
            }
        });
        pieces.filter(|piece| *piece != Piece::Text("")).collect()
    }

    /// Restores the source of a part of the extracted text: for code and attributes.
    pub fn original(&self, part: &str) -> String {
        let pieces = self.pieces(part);
        pieces.iter().map(Piece::source).collect()
    }

    /// The mark that replaces a taken part until the text is HTML.
    pub fn mark_of(&self, number: usize) -> String {
        format!("{0}{number}{0}", self.mark)
    }

    /// The line of a taken part, from 1.
    pub fn line(&self, number: usize) -> usize {
        self.lines.get(number).copied().unwrap_or(1)
    }

    /// The attributes replaced by a mark that is the whole value.
    pub fn attributes(&self, mark: &str) -> Option<(usize, &Attributes)> {
        let number = mark.strip_prefix(self.mark)?.strip_suffix(self.mark)?;
        let number: usize = number.parse().ok()?;
        match self.taken.get(number)? {
            Taken::Attributes(attributes, _) => Some((number, attributes)),
            _ => None,
        }
    }

    fn take(&mut self, taken: Taken, line: usize) {
        let mark = self.mark_of(self.taken.len());
        self.text.push_str(&mark);
        self.taken.push(taken);
        self.lines.push(line);
    }

    /// Writes the line of a fenced div as HTML, in a separate paragraph.
    fn div(&mut self, attributes: Option<Attributes>, source: &str, line: usize) {
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
        match attributes {
            Some(attributes) => {
                self.text.push_str("<div class=\"");
                self.take(Taken::Attributes(attributes, source.to_owned()), line);
                self.text.push_str("\">\n\n");
            }
            None => self.text.push_str("</div>\n\n"),
        }
    }
}

/// The target of a bare address.
pub fn target(address: &str) -> String {
    addresses::target(address)
}

/// Takes out of a Markdown text the formulas (`$..$`, `$$..$$`, `\(..\)`, `\\(..\\)`,
/// `\\[..\\]`, `\begin{..}..\end{..}`, `\eqref{..}` and `\ref{..}`), the bare addresses,
/// attributes and cross-references, and with `citations` all citations, except in code,
/// tags and the destinations of links.
pub fn extract(text: &str, citations: bool) -> Extracted {
    let mut out = Extracted {
        text: String::with_capacity(text.len()),
        equations: Vec::new(),
        taken: Vec::new(),
        lines: Vec::new(),
        mark: unused(text),
    };
    let mut at = 0;
    let mut line = 1;
    let mut open: usize = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = if is_line_start(text, at)
            && let Some((length, attributes)) = div_line(rest)
            && (open > 0 || attributes.is_some())
        {
            match attributes {
                Some(_) => open += 1,
                None => open -= 1,
            }
            out.div(attributes, rest[..length].trim_end(), line);
            length
        } else {
            step(&mut out, text, at, line, citations)
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    for _ in 0..open {
        out.text.push_str("\n\n</div>\n");
    }
    out
}

/// Copies or takes out the part that begins at `at`; returns its length.
fn step(out: &mut Extracted, text: &str, at: usize, line: usize, citations: bool) -> usize {
    let rest = &text[at..];
    if is_line_start(text, at) {
        if let Some(length) = scan::protected_line(rest) {
            fence(out, &rest[..length], line);
            return length;
        }
        // Otherwise a caption after the rows of a table would be one of them.
        if rest.starts_with(": ") && out.text.lines().next_back().is_some_and(is_row) {
            out.text.push('\n');
        }
    }
    if let Some((length, latex, display)) = formula(text, at) {
        let mut latex = without_quote_marks(text, at, latex);
        let mut source = rest[..length].to_owned();
        let mut whole = length;
        if display && let Some((label, end)) = equation_label(rest, length) {
            latex.push_str(&format!(" \\label{{{label}}}"));
            out.equations.push((label, line));
            source.push_str(&rest[length..end]);
            whole = end;
        }
        let formula = Formula {
            source,
            latex,
            display,
        };
        out.take(Taken::Formula(formula), line);
        return whole;
    }
    if let Some((length, group)) = cite(text, at, citations) {
        out.take(Taken::Cite(group, rest[..length].to_owned()), line);
        return length;
    }
    if rest.starts_with('{')
        && let Some((length, attributes)) = Attributes::parse(rest)
    {
        let source = rest[..length].to_owned();
        out.take(Taken::Attributes(attributes, source), line);
        return length;
    }
    if let Some(length) = addresses::bare(text, at) {
        out.take(Taken::Address(rest[..length].to_owned()), line);
        return length;
    }
    let length = match scan::protected(text, at) {
        0 => plain(rest),
        length => length,
    };
    out.text.push_str(&rest[..length]);
    length
}

/// Copies a fenced code block or a link's definition. Attributes after the opening fence
/// become the language and, with a label or caption, a div around the code.
fn fence(out: &mut Extracted, block: &str, line: usize) {
    let first = block.lines().next().unwrap_or_default();
    let symbols = first.len() - first.trim_start_matches(['`', '~']).len();
    let word = |c: char| c.is_alphanumeric() || "-_+ ".contains(c);
    let info = first[symbols..].trim_start_matches(word);
    let parsed = Attributes::parse(info).filter(|(length, _)| *length == info.trim_end().len());
    let Some((_, attributes)) = parsed.filter(|_| symbols >= 3) else {
        return out.text.push_str(block);
    };
    let named = first[symbols..first.len() - info.len()].trim();
    let language = match attributes.classes.first() {
        Some(class) if named.is_empty() => class,
        _ => named,
    };
    let code = format!("{}{language}{}", &first[..symbols], &block[first.len()..]);
    let closed = block.trim_end().lines().skip(1).last();
    let closed = closed.is_some_and(|line| line.trim().starts_with(&first[..symbols]));
    let listed = attributes.id.is_some() || attributes.get("lst-cap").is_some();
    if !listed || !closed {
        return out.text.push_str(&code);
    }
    out.div(Some(attributes.clone()), info, line);
    out.text.push_str(&code);
    if !code.ends_with('\n') {
        out.text.push('\n');
    }
    out.div(None, "", line);
}

/// A citation that is to be taken out: cross-references always, others on request.
fn cite(text: &str, at: usize, citations: bool) -> Option<(usize, Group)> {
    if !text[at..].starts_with(['@', '[']) {
        return None;
    }
    let found = cites::group(text, at)?;
    (citations || found.1.is_reference()).then_some(found)
}

/// The label `{#eq-..}` after a displayed formula that ends at `end`, and the label's
/// end.
fn equation_label(rest: &str, end: usize) -> Option<(String, usize)> {
    let behind = rest[end..].trim_start_matches([' ', '\t']);
    let behind = behind.strip_prefix('\n').unwrap_or(behind);
    let behind = behind.trim_start_matches([' ', '\t']);
    let (length, attributes) = Attributes::parse(behind)?;
    let label = attributes.id.filter(|id| id.starts_with("eq-"))?;
    Some((label, rest.len() - behind.len() + length))
}

/// Whether a line looks like a row of a table.
fn is_row(line: &str) -> bool {
    line.contains('|')
}

/// A private-use character that the text contains neither directly nor as a reference
/// (`&#xE000;`, an icon's), which would later become that character.
fn unused(text: &str) -> char {
    let references = text.match_indices("&#").filter_map(|(at, _)| {
        let name = &text[at + 2..];
        let (digits, radix) = match name.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16),
            None => (name, 10),
        };
        let end = digits.find(|c: char| !c.is_digit(radix));
        u32::from_str_radix(&digits[..end.unwrap_or(digits.len())], radix).ok()
    });
    let named: HashSet<u32> = references.collect();
    ('\u{e000}'..='\u{f8ff}')
        .find(|c| !text.contains(*c) && !named.contains(&u32::from(*c)))
        .unwrap_or('\u{e000}')
}

fn is_line_start(text: &str, at: usize) -> bool {
    at == 0 || text[..at].ends_with('\n')
}

/// How much plain text to copy: one character, or all dollars of a run.
fn plain(text: &str) -> usize {
    let dollars = text.bytes().take_while(|b| *b == b'$').count();
    dollars.max(text.chars().next().map_or(0, char::len_utf8))
}

/// The formula that begins at `at`: its length with delimiters, its LaTeX, and
/// whether it is displayed.
fn formula(text: &str, at: usize) -> Option<(usize, &str, bool)> {
    let rest = &text[at..];
    if rest.starts_with('$') {
        return dollars::formula(text, at);
    }
    for (open, close, display) in [
        ("\\\\[", "\\\\]", true),
        ("\\\\(", "\\\\)", false),
        // A single backslash is an escape in Markdown, but the original document uses it
        // for math.
        ("\\(", "\\)", false),
    ] {
        if let Some(body) = rest.strip_prefix(open) {
            let end = find_close(body, close).filter(|end| *end > 0)?;
            return Some((open.len() + end + close.len(), &body[..end], display));
        }
    }
    if rest.starts_with("\\begin{") {
        let length = environment(rest)?;
        return Some((length, &rest[..length], true));
    }
    let length = reference(rest)?;
    Some((length, &rest[..length], false))
}

/// The length of a `\eqref{..}` or `\ref{..}`, which MathJax reads in prose, too.
fn reference(text: &str) -> Option<usize> {
    let name = text.strip_prefix("\\eqref{");
    let name = name.or_else(|| text.strip_prefix("\\ref{"))?;
    let end = name.find(['{', '}', '\\', '\n'])?;
    (end > 0 && name[end..].starts_with('}')).then(|| text.len() - name.len() + end + 1)
}

/// The position of `close`, in the same paragraph and not escaped.
fn find_close(body: &str, close: &str) -> Option<usize> {
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if rest.starts_with(close) {
            return Some(at);
        }
        if rest.starts_with('\n') && block_ends(body, at, false) {
            return None;
        }
        let mut chars = rest.chars();
        at += match chars.next()? {
            '\\' => 1 + chars.next().map_or(0, char::len_utf8),
            c => c.len_utf8(),
        };
    }
    None
}

/// The length of `\begin{name}...\end{name}`, including nested environments of that name.
fn environment(text: &str) -> Option<usize> {
    let name = text.strip_prefix("\\begin{")?.split_once('}')?.0;
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphabetic() || c == '*') {
        return None;
    }
    let (open, close) = (format!("\\begin{{{name}}}"), format!("\\end{{{name}}}"));
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(&open) {
            depth += 1;
            at += open.len();
        } else if rest.starts_with(&close) {
            depth -= 1;
            at += close.len();
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// The lines of a formula inside a block quote, without the `>` before them.
fn without_quote_marks(text: &str, at: usize, latex: &str) -> String {
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    if !line.trim_start().starts_with('>') {
        return latex.to_owned();
    }
    let lines = latex.split('\n').enumerate().map(|(i, line)| match i {
        0 => line,
        _ => line.trim_start().trim_start_matches('>'),
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
pub(super) mod tests;
