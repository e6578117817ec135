//! What is taken out of a Markdown text before it is read, because `_`, `|` and a
//! line beginning with `-` mean other things there: formulas and bare addresses.
//! Source: JupyterLab's `latex.ts`; for the dollars see `dollars`.

mod addresses;
mod dollars;
mod scan;

use scan::block_ends;
use std::collections::HashSet;

/// One formula of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// As written, delimiters included; what code shows.
    pub source: String,
    /// Without its delimiters.
    pub latex: String,
    pub display: bool,
}

/// A text whose formulas and bare addresses are replaced by marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    pub text: String,
    taken: Vec<Taken>,
    /// Stands around the number of what was taken; occurs nowhere else in the text.
    mark: char,
}

/// What a mark stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Taken {
    Formula(Formula),
    Address(String),
}

/// A piece of a text after extraction.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    /// A formula and its number among all that was taken out.
    Formula(usize, &'a Formula),
    /// A bare address as written.
    Address(&'a str),
}

impl Piece<'_> {
    /// As it was written.
    pub fn source(&self) -> &str {
        match self {
            Piece::Text(text) => text,
            Piece::Formula(_, formula) => &formula.source,
            Piece::Address(address) => address,
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
                Some((_, Taken::Address(address))) => Piece::Address(address),
                None => Piece::Text(piece),
            }
        });
        pieces.filter(|piece| *piece != Piece::Text("")).collect()
    }

    /// A part of the extracted text as it was written: for code and attributes.
    pub fn original(&self, part: &str) -> String {
        let pieces = self.pieces(part);
        pieces.iter().map(Piece::source).collect()
    }

    /// The mark of a formula, which stands for it until the text is HTML.
    pub fn mark_of(&self, number: usize) -> String {
        format!("{0}{number}{0}", self.mark)
    }

    fn take(&mut self, taken: Taken) {
        let mark = self.mark_of(self.taken.len());
        self.text.push_str(&mark);
        self.taken.push(taken);
    }
}

/// Where a bare address leads.
pub fn target(address: &str) -> String {
    addresses::target(address)
}

/// Takes the formulas out of a Markdown text: `$..$`, `$$..$$`, `\(..\)`,
/// `\\(..\\)`, `\\[..\\]`, `\begin{..}..\end{..}`, `\eqref{..}` and `\ref{..}`, and the
/// bare addresses, outside of code, tags and the destinations of links.
pub fn extract(text: &str) -> Extracted {
    let mut out = Extracted {
        text: String::with_capacity(text.len()),
        taken: Vec::new(),
        mark: unused(text),
    };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if is_line_start(text, at)
            && let Some(length) = scan::protected_line(rest)
        {
            out.text.push_str(&rest[..length]);
            at += length;
        } else if let Some((length, latex, display)) = formula(text, at) {
            out.take(Taken::Formula(Formula {
                source: rest[..length].to_owned(),
                latex: without_quote_marks(text, at, latex),
                display,
            }));
            at += length;
        } else if let Some(length) = addresses::bare(text, at) {
            out.take(Taken::Address(rest[..length].to_owned()));
            at += length;
        } else {
            let length = match scan::protected(text, at) {
                0 => plain(rest),
                length => length,
            };
            out.text.push_str(&rest[..length]);
            at += length;
        }
    }
    out
}

/// A character for private use that the text holds neither as such nor by a reference
/// (`&#xE000;`, an icon's), which later becomes the character.
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

/// How much to copy where nothing begins: one character, or all dollars of a run.
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
        // A single backslash is Markdown's escape; the original document means math.
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

/// Where `close` stands, in the same paragraph and not escaped.
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

/// The length of `\begin{name}...\end{name}`, the same environment inside included.
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
pub(super) mod tests {
    use super::*;

    /// The formulas of a text, displayed ones in brackets.
    pub fn formulas(text: &str) -> Vec<String> {
        let extracted = extract(text);
        assert_eq!(extracted.original(&extracted.text), text);
        let formulas = extracted.taken.iter().filter_map(|taken| match taken {
            Taken::Formula(formula) => Some(formula),
            Taken::Address(_) => None,
        });
        formulas
            .map(|f| match f.display {
                true => format!("[{}]", f.latex),
                false => f.latex.clone(),
            })
            .collect()
    }

    #[test]
    fn formulas_are_found_outside_of_code_only() {
        assert_eq!(formulas("a $x_1$ and $$y\n- z$$ end"), ["x_1", "[y\n- z]"]);
        assert_eq!(
            formulas("\\\\(a\\\\) \\\\[b\\\\] \\(c\\)"),
            ["a", "[b]", "c"]
        );
        assert_eq!(
            formulas("\\begin{align}a&=b\\\\\nc&=d\\end{align}"),
            ["[\\begin{align}a&=b\\\\\nc&=d\\end{align}]"]
        );
        assert_eq!(formulas("> $$\n> a\n> $$"), ["[\n a\n ]"]);
        assert_eq!(
            formulas(r"by \eqref{eq:a_1} and (\ref{b})"),
            [r"\eqref{eq:a_1}", r"\ref{b}"]
        );
        for none in [
            "`$x$` and ``a ` $y$ b``",
            "```rust\nlet $x = $y;\n```",
            "- item\n  ~~~\n  $a$\n  ~~~",
            "\\$x\\$",
            "$$",
            "\\begin{x",
            "\\[not a link\\](x)",
            "`\\eqref{a}` \\eqref{} \\eqref{a\nb} \\ref a \\reference{a}",
        ] {
            assert!(formulas(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_mark_in_the_text_is_not_taken_for_a_formula() {
        let extracted = extract("\u{e000}0\u{e000} $x$");
        let pieces = extracted.pieces(&extracted.text);
        assert_eq!(pieces[0], Piece::Text("\u{e000}0\u{e000} "));
        assert!(matches!(pieces[1], Piece::Formula(0, _)));
        for named in ["&#xE000;", "&#57344;", "&#x00e000", "&#Xe000 "] {
            let extracted = extract(&format!("{named} $x$"));
            assert!(!extracted.text.contains('\u{e000}'), "{named}");
        }
    }
}
