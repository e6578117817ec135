//! Finding formulas in Markdown. Math is taken out before the Markdown is read,
//! because `_`, `|` and a line beginning with `-` mean other things there.
//! Source: JupyterLab's `latex.ts` and Pandoc's rules for `$`.

use super::math::Formula;

/// A text whose formulas are replaced by marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extracted {
    pub text: String,
    pub formulas: Vec<Formula>,
    /// Stands around a formula's number; occurs nowhere else in the text.
    mark: char,
}

/// A piece of a text after extraction.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    Formula(&'a Formula),
}

impl Extracted {
    /// Splits a part of the extracted text at its marks.
    pub fn pieces<'a>(&'a self, part: &'a str) -> Vec<Piece<'a>> {
        let pieces = part.split(self.mark).enumerate().map(|(i, piece)| {
            let number = if i % 2 == 1 { piece.parse().ok() } else { None };
            match number.and_then(|n: usize| self.formulas.get(n)) {
                Some(formula) => Piece::Formula(formula),
                None => Piece::Text(piece),
            }
        });
        pieces.filter(|piece| *piece != Piece::Text("")).collect()
    }

    /// A part of the extracted text as it was written: for code and attributes.
    pub fn original(&self, part: &str) -> String {
        let pieces = self.pieces(part).into_iter();
        pieces
            .map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Formula(formula) => formula.source.as_str(),
            })
            .collect()
    }
}

/// Takes the formulas out of a Markdown text: `$..$`, `$$..$$`, `\(..\)`,
/// `\\(..\\)`, `\\[..\\]` and `\begin{..}..\end{..}`, outside of code.
pub fn extract(text: &str) -> Extracted {
    let mark = ('\u{e000}'..='\u{f8ff}')
        .find(|c| !text.contains(*c))
        .unwrap_or('\u{e000}');
    let mut out = Extracted {
        text: String::with_capacity(text.len()),
        formulas: Vec::new(),
        mark,
    };
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if is_line_start(text, at)
            && let Some(length) = fence(rest)
        {
            out.text.push_str(&rest[..length]);
            at += length;
            continue;
        }
        if let Some((length, formula)) = formula(rest) {
            let formula = Formula {
                source: rest[..length].to_owned(),
                latex: without_quote_marks(text, at, &formula.0),
                display: formula.1,
            };
            let number = out.formulas.len();
            out.text.push_str(&format!("{mark}{number}{mark}"));
            out.formulas.push(formula);
            at += length;
            continue;
        }
        let length = plain(rest);
        out.text.push_str(&rest[..length]);
        at += length;
    }
    out
}

fn is_line_start(text: &str, at: usize) -> bool {
    at == 0 || text[..at].ends_with('\n')
}

/// The length of the fenced code block that begins here, to its end or the text's.
fn fence(text: &str) -> Option<usize> {
    // Indented fences too (in list items), and after `- ` or `> `.
    let first = text.lines().next()?;
    let open = first.trim_start_matches([' ', '\t', '>', '-', '*', '+']);
    let symbol = open.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let count = open.chars().take_while(|c| *c == symbol).count();
    // "```code``` in a line" is a code span, not a fence.
    if count < 3 || (symbol == '`' && open[count..].contains('`')) {
        return None;
    }
    let mut length = 0;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        length += line.len();
        let closing = line.trim().trim_start_matches(['>', ' ']);
        let closes = closing.len() >= count && closing.chars().all(|c| c == symbol);
        if i > 0 && closes {
            break;
        }
    }
    Some(length)
}

/// How much to copy as it is: a code span, an escape, or plain text.
fn plain(text: &str) -> usize {
    let first = text.chars().next().map_or(0, char::len_utf8);
    match text.as_bytes()[0] {
        b'`' => {
            let count = text.bytes().take_while(|b| *b == b'`').count();
            code_span(text, count).unwrap_or(count)
        }
        b'\\' => 1 + text[1..].chars().next().map_or(0, char::len_utf8),
        b'\n' => 1,
        _ => {
            let next = text[first..].find(['`', '\\', '$', '\n']);
            next.map_or(text.len(), |at| first + at)
        }
    }
}

/// The length of the code span that `count` backticks open.
fn code_span(text: &str, count: usize) -> Option<usize> {
    let mut at = count;
    while let Some(found) = text[at..].find('`') {
        at += found;
        let run = text[at..].bytes().take_while(|b| *b == b'`').count();
        at += run;
        if run == count {
            return Some(at);
        }
    }
    None
}

/// The formula that begins here: its length with delimiters, its LaTeX, and
/// whether it is displayed.
fn formula(text: &str) -> Option<(usize, (String, bool))> {
    for (open, close, display) in [
        ("$$", "$$", true),
        ("\\\\[", "\\\\]", true),
        ("\\\\(", "\\\\)", false),
        // A single backslash is Markdown's escape; the original document means math.
        ("\\(", "\\)", false),
    ] {
        if let Some(body) = text.strip_prefix(open) {
            let end = find_close(body, close).filter(|end| *end > 0)?;
            let latex = body[..end].to_owned();
            return Some((open.len() + end + close.len(), (latex, display)));
        }
    }
    if text.starts_with("\\begin{") {
        let length = environment(text)?;
        return Some((length, (text[..length].to_owned(), true)));
    }
    let body = text.strip_prefix('$')?;
    // Pandoc: no space inside the dollars, no digit after; "$5 and $10" is money.
    if body.starts_with(char::is_whitespace) {
        return None;
    }
    let end = find_close(body, "$")?;
    let after = body[end + 1..].chars().next();
    let is_math = end > 0
        && !body[..end].ends_with(char::is_whitespace)
        && !after.is_some_and(|c| c.is_ascii_digit());
    is_math.then(|| (end + 2, (body[..end].to_owned(), false)))
}

/// Where `close` stands, in the same paragraph and not escaped.
fn find_close(body: &str, close: &str) -> Option<usize> {
    let mut at = 0;
    while at < body.len() {
        let rest = &body[at..];
        if rest.starts_with(close) {
            return Some(at);
        }
        if rest.starts_with('\n') && rest[1..].lines().next().is_none_or(|l| l.trim().is_empty()) {
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
mod tests {
    use super::*;

    /// The formulas of a text, displayed ones in brackets.
    fn formulas(text: &str) -> Vec<String> {
        let extracted = extract(text);
        assert_eq!(extracted.original(&extracted.text), text);
        let formulas = extracted.formulas.iter();
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
        for none in [
            "`$x$` and ``a ` $y$ b``",
            "```rust\nlet $x = $y;\n```",
            "- item\n  ~~~\n  $a$\n  ~~~",
            "it costs $5 and $10",
            "\\$x\\$",
            "a $ b $ c",
            "$open\n\nnext$",
            "$$",
            "\\begin{x",
            "\\[not a link\\](x)",
        ] {
            assert!(formulas(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_mark_in_the_text_is_not_taken_for_a_formula() {
        let extracted = extract("\u{e000}0\u{e000} $x$");
        let pieces = extracted.pieces(&extracted.text);
        assert_eq!(pieces[0], Piece::Text("\u{e000}0\u{e000} "));
        assert!(matches!(pieces[1], Piece::Formula(_)));
    }
}
