//! The parts of a Markdown text that are not searched for formulas and bare
//! addresses: code, tags, destinations of links.
//! Source: spec.commonmark.org.

use regex::Regex;
use std::sync::LazyLock;

/// A tag, a comment, or an address in angle brackets.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    let attribute = r#"\s+[A-Za-z_:][\w.:-]*(?:\s*=\s*(?:[^\s"'=<>`]+|'[^']*'|"[^"]*"))?"#;
    regex(&format!(
        "^<(?:[A-Za-z][A-Za-z0-9-]*(?:{attribute})*\\s*/?>|/[A-Za-z][A-Za-z0-9-]*\\s*>\
         |!--(?s:.*?)-->|[A-Za-z][A-Za-z0-9+.-]+:[^\\s<>]*>|[^\\s<>@]+@[^\\s<>]+>)"
    ))
});

/// From the `]` of a link's text to the `)` after its destination and title.
static DESTINATION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^\]\(\s*(?:<[^<>\n]*>|(?:[^\s()<]|\([^\s()]*\))(?:[^\s()]|\([^\s()]*\))*)?(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*\)"#,
    )
});

/// `[label]: destination "title"` on a line of its own.
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r#"^ {0,3}\[[^\[\]^\n][^\[\]\n]*\]:[ \t]*(?:<[^<>\n]*>|[^\s<]\S*)(?:[ \t]+(?:"[^"\n]*"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*(?:\n|$)"#,
    )
});

/// The start of a list item.
static ITEM: LazyLock<Regex> = LazyLock::new(|| regex(r"^[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+\S"));

/// The start of a heading or of a code block.
static BLOCK: LazyLock<Regex> = LazyLock::new(|| regex(r"^[ \t>]*(?:#{1,6}[ \t]|```|~~~)"));

/// The end of an element whose content is not Markdown or is shown verbatim.
static VERBATIM: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let names = ["pre", "code", "script", "style", "textarea", "samp", "kbd"];
    let ends = names.map(|name| (name, regex(&format!(r"(?i)</{name}\s*>"))));
    ends.into()
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a pattern of the source")
}

/// The length of the tag, comment or `<address>` at the start of `text`.
pub fn tag(text: &str) -> Option<usize> {
    TAG.find(text).map(|found| found.end())
}

/// The length of the text to copy unchanged from `at`; 0 if none is protected.
pub fn protected(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let length = match rest.as_bytes()[0] {
        b'`' => {
            let count = rest.bytes().take_while(|b| *b == b'`').count();
            Some(code_span(rest, count).unwrap_or(count))
        }
        b'\\' => Some(1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
        b'<' => element(rest),
        b']' => DESTINATION.find(rest).map(|found| found.end()),
        _ => None,
    };
    length.unwrap_or(0)
}

/// A tag; for `<code>` and similar elements, everything up to their end.
fn element(text: &str) -> Option<usize> {
    let length = tag(text)?;
    let name = text[1..].split(|c: char| !c.is_ascii_alphanumeric()).next();
    let name = name.unwrap_or_default().to_ascii_lowercase();
    let end = VERBATIM.iter().find(|(verbatim, _)| *verbatim == name);
    let end = end.and_then(|(_, end)| end.find(&text[length..]));
    Some(length + end.map_or(0, |end| end.end()))
}

/// The length of the fenced code block or of the link's definition that begins on
/// this line.
pub fn protected_line(text: &str) -> Option<usize> {
    fence(text).or_else(|| DEFINITION.find(text).map(|found| found.end()))
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

/// The length of the code span opened by `count` backticks.
pub fn code_span(text: &str, count: usize) -> Option<usize> {
    let mut at = count;
    while let Some(found) = text[at..].find('`') {
        // A paragraph's end leaves the backticks as they are.
        if text[at..at + found].contains("\n\n") {
            return None;
        }
        at += found;
        let run = text[at..].bytes().take_while(|b| *b == b'`').count();
        at += run;
        if run == count {
            return Some(at);
        }
    }
    None
}

/// Whether the paragraph ends at the line break `at`; with `strict` also between
/// list items, around a heading and between table rows.
pub fn block_ends(text: &str, at: usize, strict: bool) -> bool {
    let next = text[at + 1..].lines().next().unwrap_or_default();
    if next.trim_start_matches(['>', ' ', '\t']).trim().is_empty() {
        return true;
    }
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    let both = |is: &dyn Fn(&str) -> bool| is(line) && is(next);
    strict
        && (BLOCK.is_match(next)
            || BLOCK.is_match(line)
            || both(&|line| ITEM.is_match(line))
            || both(&|line| line.trim_start().starts_with('|')))
}
