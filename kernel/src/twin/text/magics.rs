//! Lines of Rust cells that are not Rust: `:dep serde = "1"` becomes a comment in a script, and a
//! command again when it is read.

use super::languages;
use super::python::strip_start;
use super::quotes::Quotes;

/// The comment mark of Rust.
const COMMENT: &str = "//";

/// The text after any number of comment marks, each with or without a blank.
fn uncommented(line: &str) -> &str {
    let mut rest = line;
    while let Some(next) = rest.strip_prefix(COMMENT) {
        rest = next.strip_prefix(' ').unwrap_or(next);
    }
    rest
}

/// `:` and a letter, commented or not.
fn is_command(line: &str) -> bool {
    let mut chars = uncommented(line).chars();
    chars.next() == Some(':') && chars.next().is_some_and(|c| c.is_ascii_alphabetic())
}

/// Whether it is a command marked `// noescape`, which jupytext always escapes, whatever the
/// options.
fn is_forced(line: &str) -> bool {
    let marks = line.match_indices(COMMENT);
    is_command(line)
        && marks
            .map(|(at, _)| strip_start(&line[at + COMMENT.len()..]))
            .any(|rest| rest.starts_with("noescape"))
}

fn is_magic(line: &str, language: &str, escape: bool) -> bool {
    languages::usual(language) == "rust" && (is_forced(line) || escape && is_command(line))
}

/// Comments out the commands of a cell.
pub fn comment(lines: &mut [String], language: &str, escape: bool) {
    let mut quotes = Quotes::new(language);
    for line in lines {
        let quoted = quotes.is_quoted();
        quotes.read_line(line);
        if !quoted && is_magic(line, language, escape) {
            let (indent, rest) = line.split_at(line.len() - strip_start(line).len());
            *line = format!("{indent}{COMMENT} {rest}");
        }
    }
}

/// Removes one comment mark from each command of a cell.
pub fn uncomment(lines: &mut [String], language: &str, escape: bool) {
    let mut quotes = Quotes::new(language);
    for line in lines {
        let quoted = quotes.is_quoted();
        quotes.read_line(line);
        if !quoted && is_magic(line, language, escape) {
            *line = without_mark(line);
        }
    }
}

/// Removes one comment mark from lines such as `// // +`, which the light format needs.
pub fn unescape_start(lines: &mut [String], language: &str) {
    let mut quotes = Quotes::new(language);
    let escaped = |line: &str| line.starts_with(COMMENT) && uncommented(line).starts_with('+');
    for line in lines {
        let quoted = quotes.is_quoted();
        quotes.read_line(line);
        let bare = without_mark(line);
        if !quoted && escaped(line) && escaped(&bare) {
            *line = bare;
        }
    }
}

fn without_mark(line: &str) -> String {
    let rest = strip_start(line);
    let indent = &line[..line.len() - rest.len()];
    let Some(bare) = rest.strip_prefix(COMMENT) else {
        return line.to_owned();
    };
    format!("{indent}{}", bare.strip_prefix(' ').unwrap_or(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_commented_and_come_back() {
        let cell = [
            ":dep a = \"1\"",
            "// :note",
            "let x: u8 = 1;",
            "    :dep no",
            "::std::f();",
        ];
        let before: Vec<String> = cell.iter().map(|line| (*line).to_owned()).collect();
        let mut lines = before.clone();
        comment(&mut lines, "rust", true);
        assert_eq!(
            lines,
            [
                "// :dep a = \"1\"",
                "// // :note",
                "let x: u8 = 1;",
                "    :dep no",
                "::std::f();"
            ]
        );
        uncomment(&mut lines, "rust", true);
        assert_eq!(lines, before);
    }
}
