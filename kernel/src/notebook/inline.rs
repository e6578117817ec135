//! Values in the text: `` `{rust} score` `` in Markdown cells and in captions is Quarto's form for
//! an expression that is replaced by its value. Results are stored in the cell's
//! `metadata.user_expressions`, as in Quarto and MyST.
//! Source: quarto.org, "Inline code"; quarto-cli, src/core/jupyter/jupyter-inline.ts.

use super::{Cell, MimeBundle, option_mark};
use ra_ap_syntax::{AstNode, AstToken, Edition, SourceFile, ast};
use regex::Regex;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// An expression in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inline {
    /// As it is written, without blanks around it.
    pub expression: String,
    /// Its line, from 1.
    pub line: usize,
    /// Its bytes in the text, backticks included.
    range: Range<usize>,
}

static FORM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(^|[^`])(`\{rust\}[ \t]([^`\n]+)`)").expect("a pattern of the source")
});

/// The format after a `;`: digits after a point, or any Rust format after a colon.
static FORMAT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(.*);[ \t]*(?:(\.\d+)([eE%]?)|:([^{};\s]+))[ \t]*$")
        .expect("a pattern of the source")
});

/// The key of a cell's metadata that holds results.
const KEY: &str = "user_expressions";

/// The expressions of a Markdown text, in order; code blocks are skipped.
pub fn of_text(text: &str) -> Vec<Inline> {
    let mut found = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    let mut start = 0;
    for (n, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim_start();
        let mark = bare.chars().next().filter(|c| ['`', '~'].contains(c));
        let length = mark.map_or(0, |mark| bare.len() - bare.trim_start_matches(mark).len());
        match (fence, mark) {
            (None, Some(mark)) if length >= 3 && !bare[length..].contains('`') => {
                fence = Some((mark, length))
            }
            (Some((open, least)), Some(mark))
                if open == mark && length >= least && bare[length..].trim().is_empty() =>
            {
                fence = None;
            }
            _ => {}
        }
        if fence.is_none() {
            in_line(line, n + 1, start, &mut found);
        }
        start += line.len();
    }
    found
}

/// The expressions in the options at the top of a code cell, that is, in its captions.
pub fn of_options(source: &str) -> Vec<Inline> {
    let mut found = Vec::new();
    let mut start = 0;
    for (n, line) in source.split_inclusive('\n').enumerate() {
        if option_mark(line).is_none() && !line.trim().is_empty() {
            break;
        }
        in_line(line, n + 1, start, &mut found);
        start += line.len();
    }
    found
}

fn in_line(line: &str, number: usize, start: usize, found: &mut Vec<Inline>) {
    let mut at = 0;
    // Adjacent expressions share the character between them.
    while let Some(groups) = FORM.captures_at(line, at) {
        let (Some(whole), Some(expression)) = (groups.get(2), groups.get(3)) else {
            break;
        };
        found.push(Inline {
            expression: expression.as_str().trim().to_owned(),
            line: number,
            range: start + whole.start()..start + whole.end(),
        });
        at = whole.end();
    }
}

/// The Rust code of an expression. A format may follow a `;`: `x ; .3` (three digits), `x ; .1%`
/// (percent), `x ; .2e`, or any Rust format after a colon: `x ; :>8`.
pub fn code(expression: &str) -> Cow<'_, str> {
    let Some(groups) = FORMAT.captures(expression) else {
        return Cow::Borrowed(expression);
    };
    let value = groups.get(1).map_or("", |group| group.as_str()).trim();
    let part = |n: usize| groups.get(n).map_or("", |group| group.as_str());
    Cow::Owned(match (part(2), part(3), part(4)) {
        ("", _, format) => format!("format!(\"{{:{format}}}\", {value})"),
        (digits, "%", _) => format!("format!(\"{{:{digits}}}%\", 100.0 * ({value}))"),
        (digits, kind, _) => format!("format!(\"{{:{digits}{kind}}}\", {value})"),
    })
}

/// The text of a displayed value; a string is unquoted.
pub fn plain(shown: &str) -> Cow<'_, str> {
    let text = shown.trim_end_matches('\n');
    if !(text.len() >= 2 && text.starts_with('"') && text.ends_with('"')) {
        return Cow::Borrowed(text);
    }
    let file = SourceFile::parse(&format!("const A: &str = {text};"), Edition::Edition2024);
    let tree = file.tree();
    let tokens = tree.syntax().descendants_with_tokens();
    let mut strings = tokens.filter_map(|token| ast::String::cast(token.into_token()?));
    let value = strings.next().filter(|string| string.text() == text);
    match value.and_then(|string| string.value().ok().map(Cow::into_owned)) {
        Some(value) => Cow::Owned(value),
        None => Cow::Borrowed(text),
    }
}

/// Unquotes a displayed string.
pub fn unquote(data: &mut MimeBundle) {
    if let Some(Value::String(text)) = data.get_mut("text/plain") {
        *text = plain(text).into_owned();
    }
}

/// One result: an expression, and the kernel's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub expression: String,
    /// `{"status": "ok", "data": {..}}` or `{"status": "error", ..}`.
    pub result: Value,
}

/// Stores the results of a cell's expressions in its metadata, replacing all earlier ones.
pub fn store(cell: &mut Cell, answers: &[Answer]) {
    if answers.is_empty() {
        cell.metadata.shift_remove(KEY);
        return;
    }
    let answers = answers.iter();
    let list: Vec<Value> = answers
        .map(|answer| json!({"expression": answer.expression, "result": answer.result}))
        .collect();
    cell.metadata.insert(KEY.to_owned(), list.into());
}

/// A text of this cell (its source, or a caption) with the values of its expressions; expressions
/// without a value stay as written.
pub fn with_values<'a>(text: &'a str, cell: &Cell) -> Cow<'a, str> {
    let found = of_text(text);
    let known = cell.metadata.get(KEY).and_then(Value::as_array);
    let (Some(known), false) = (known, found.is_empty()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for inline in found {
        let result = known
            .iter()
            .find(|entry| entry["expression"] == inline.expression.as_str());
        let Some(value) = result.and_then(|entry| markdown(&entry["result"])) else {
            continue;
        };
        out.push_str(&text[end..inline.range.start]);
        out.push_str(&value);
        end = inline.range.end;
    }
    out.push_str(&text[end..]);
    Cow::Owned(out)
}

/// A value as Markdown; `None` for an error.
fn markdown(result: &Value) -> Option<String> {
    let data = result.get("data")?;
    if let Some(text) = data.get("text/markdown").and_then(Value::as_str) {
        return Some(text.trim_end_matches('\n').to_owned());
    }
    let text = plain(data.get("text/plain")?.as_str()?).into_owned();
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => escaped.push(' '),
            // `\[`, `\(` and `\\(` begin a formula.
            '\\' => escaped.push_str("&#92;"),
            '[' => escaped.push_str("&#91;"),
            ']' => escaped.push_str("&#93;"),
            c if "`*_{}<>#|~$@^\"'&!".contains(c) => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    Some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expressions(found: &[Inline]) -> Vec<(&str, usize)> {
        found
            .iter()
            .map(|inline| (inline.expression.as_str(), inline.line))
            .collect()
    }

    #[test]
    fn expressions_are_found_as_quarto_finds_them() {
        let text = "a `{rust} x + 1` and `{rust} y ; .3``{rust} no`\n```\n`{rust} code`\n```\n``{rust} z``\n`{python} p` `{rust} last`";
        assert_eq!(
            expressions(&of_text(text)),
            [("x + 1", 1), ("y ; .3", 1), ("last", 6)]
        );
        let source = "//| label: a\n#| fig-cap: \"n = `{rust} n`\"\nlet s = \"`{rust} no`\";";
        assert_eq!(expressions(&of_options(source)), [("n", 2)]);
    }

    #[test]
    fn formats_stand_behind_a_semicolon() {
        for (expression, rust) in [
            ("score.score", "score.score"),
            ("x ; .3", "format!(\"{:.3}\", x)"),
            ("f(a, b); .0", "format!(\"{:.0}\", f(a, b))"),
            ("share ; .1%", "format!(\"{:.1}%\", 100.0 * (share))"),
            ("x;.2e", "format!(\"{:.2e}\", x)"),
            ("x ; :>8.2", "format!(\"{:>8.2}\", x)"),
            ("{ let a = 1; a }", "{ let a = 1; a }"),
            ("a; 3", "a; 3"),
        ] {
            assert_eq!(code(expression), rust);
        }
    }

    #[test]
    fn strings_lose_their_quotes() {
        for (shown, text) in [
            ("\"a \\\"b\\\" \\u{e9}\\n\"", "a \"b\" é\n"),
            ("0.5", "0.5"),
            ("\"a\", \"b\"", "\"a\", \"b\""),
            ("[\"a\"]", "[\"a\"]"),
            ("\"", "\""),
        ] {
            assert_eq!(plain(shown), text, "{shown}");
        }
    }

    #[test]
    fn values_stand_in_the_place_of_their_expressions() {
        let mut cell =
            Cell::markdown("The mean is `{rust} mean ; .1`, of `{rust} n` (`{rust} gone`).");
        let ok = |text: &str| json!({"status": "ok", "data": {"text/plain": text}, "metadata": {}});
        let answers = [("mean ; .1", ok("\"3.5\"")), ("n", ok("a*b (c) [d]"))];
        let answers = answers.map(|(expression, result)| Answer {
            expression: expression.to_owned(),
            result,
        });
        store(&mut cell, &answers);
        assert_eq!(
            with_values(&cell.source, &cell),
            "The mean is 3.5, of a\\*b (c) &#91;d&#93; (`{rust} gone`)."
        );
        store(&mut cell, &[]);
        assert!(cell.metadata.is_empty());
    }
}
