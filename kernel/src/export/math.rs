//! LaTeX into MathML.

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
