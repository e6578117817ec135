//! LaTeX into MathML, and finding it in Markdown. Math is taken out before the
//! Markdown is read, because `_`, `|` and a line beginning with `-` mean other
//! things there. Source: JupyterLab's `latex.ts` and Pandoc's rules for `$`.

use super::escape::{Escaped, escape};
use pulldown_latex::config::{DisplayMode, RenderConfig};
use pulldown_latex::event::{Content, Event};
use pulldown_latex::{Parser, ParserError, Storage};

/// Commands of MathJax and of physics that pulldown-latex does not know.
const PREAMBLE: &str = concat!(
    r"\def\mathscr#1{\mathcal{#1}}",
    r"\def\mathds#1{\mathbb{#1}}\def\mathbbm#1{\mathbb{#1}}",
    r"\def\bm#1{\boldsymbol{#1}}\def\mbox#1{\text{#1}}",
    r"\def\ket#1{|#1\rangle}\def\bra#1{\langle#1|}\def\braket#1{\langle#1\rangle}",
    r"\def\argmin{\operatorname*{arg\,min}}\def\argmax{\operatorname*{arg\,max}}",
    r"\def\mod{\;\operatorname{mod}\;}",
    r"\def\label#1{}\def\nonumber{}\def\notag{}\def\tag#1{\qquad\text{(#1)}}",
);

/// One formula of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formula {
    /// As written, delimiters included; what code shows.
    pub source: String,
    /// Without its delimiters.
    pub latex: String,
    pub display: bool,
}

impl Formula {
    /// The formula as MathML, or its source with the reason why it is none.
    pub fn to_html(&self) -> String {
        match mathml(&self.latex, self.display) {
            Ok(html) if self.display => format!("<span class=\"math-display\">{html}</span>"),
            Ok(html) => html,
            Err(reason) => format!(
                "<span class=\"math-error\"><code>{}</code> <small>{}</small></span>",
                Escaped(&self.source),
                Escaped(&reason)
            ),
        }
    }
}

/// The `<math>` element of a formula.
fn mathml(latex: &str, display: bool) -> Result<String, String> {
    // A `\\` at the end begins a line with nothing on it; MathJax ignores it.
    let mut latex = latex.trim();
    while let Some(shorter) = latex.strip_suffix("\\\\") {
        latex = shorter.trim_end();
    }
    let rows = display && has_bare_line_break(latex);
    if rows {
        // MathJax breaks a display at `\\` wherever it stands; LaTeX wants an environment.
        return write_mathml(
            &format!("\\begin{{gathered}}{latex}\\end{{gathered}}"),
            true,
        );
    }
    write_mathml(latex, display)
}

fn write_mathml(latex: &str, display: bool) -> Result<String, String> {
    // A library of this size may still have a panic left for odd input; one
    // formula must not take the page with it.
    std::panic::catch_unwind(|| {
        let storage = Storage::new();
        let input = format!("{PREAMBLE}{latex}");
        let events: Vec<Result<Event, ParserError>> = Parser::new(&input, &storage).collect();
        if let Some(error) = events.iter().find_map(|event| event.as_ref().err()) {
            return Err(first_line(&error.to_string()));
        }
        // pulldown-latex escapes text, but neither operator names, nor single
        // characters, nor the annotation.
        let events = events.into_iter().map(|event| match event {
            Ok(Event::Content(Content::Function(name))) if name.contains(['<', '&']) => {
                Ok(Event::Content(Content::Text(name)))
            }
            other => other,
        });
        let annotation = escape(latex);
        let config = RenderConfig {
            display_mode: if display {
                DisplayMode::Block
            } else {
                DisplayMode::Inline
            },
            annotation: Some(&annotation),
            ..RenderConfig::default()
        };
        let mut html = String::new();
        pulldown_latex::push_mathml(&mut html, events, config)
            .map_err(|error| error.to_string())?;
        let html = html
            .replace("><<", ">&lt;<")
            .replace("><\u{338}", ">&lt;\u{338}");
        // It writes \mu as the micro sign, which browsers leave upright.
        Ok(space_before_scripts(&html).replace('\u{b5}', "\u{3bc}"))
    })
    .unwrap_or_else(|_| Err("the formula could not be read".to_owned()))
}

/// The space before a function name moved out of its script: pulldown-latex writes that of `a\sin^2`
/// as the first child of `msup`, which then has three and is drawn as an error.
fn space_before_scripts(html: &str) -> String {
    const SPACE: &str = "<mspace width=\"0.1667em\" />";
    let tags = ["msup", "msub", "msubsup", "mover", "munder", "munderover"];
    tags.iter().fold(html.to_owned(), |html, tag| {
        html.replace(&format!("<{tag}>{SPACE}"), &format!("{SPACE}<{tag}>"))
    })
}

/// The part of an error that says what is wrong; the rest repeats the source.
fn first_line(message: &str) -> String {
    let line = message.lines().find(|line| !line.trim().is_empty());
    let line = line.unwrap_or("not LaTeX").trim();
    line.strip_prefix("parsing error: ")
        .unwrap_or(line)
        .to_owned()
}

/// Whether `\\` stands outside of every `\begin` and brace.
fn has_bare_line_break(latex: &str) -> bool {
    let mut depth = 0_i32;
    let mut rest = latex;
    while let Some(at) = rest.find(['\\', '{', '}']) {
        let tail = &rest[at..];
        let command = tail.strip_prefix('\\');
        match command {
            Some(name) if name.starts_with("begin") => depth += 1,
            Some(name) if name.starts_with("end") => depth -= 1,
            Some(name) if name.starts_with('\\') && depth <= 0 => return true,
            Some(_) => {}
            None if tail.starts_with('{') => depth += 1,
            None => depth -= 1,
        }
        // Past an escaped character too: `\{` opens nothing.
        let escaped = command.and_then(|name| name.chars().next());
        rest = &tail[1 + escaped.map_or(0, char::len_utf8)..];
    }
    false
}

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
