//! The marks of option lines in a cell: `//|`, which is a comment in Rust, or `#|`, which Quarto
//! and MyST read in every language.

use std::borrow::Cow;

/// The length of a line's option mark in bytes, with at most one blank after it, so that the
/// indentation of nested values is preserved; `None` for other lines.
pub fn option_mark(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("//").or_else(|| line.strip_prefix('#'))?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('|')?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(line.len() - rest.len())
}

/// A cell's source as Rust: `#|` at its top becomes `//`, so that all byte offsets stay valid.
pub fn as_rust(source: &str) -> Cow<'_, str> {
    let top = source.split_inclusive('\n');
    let length: usize = top
        .take_while(|line| line.trim().is_empty() || option_mark(line).is_some())
        .map(str::len)
        .sum();
    let (options, rest) = source.split_at(length);
    if !options.contains('#') {
        return Cow::Borrowed(source);
    }
    let lines = options
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix('#') {
            // The `#` is followed by `|` or a blank.
            Some(_) => format!("//{}", &line[2..]),
            None => line.to_owned(),
        });
    Cow::Owned(lines.collect::<String>() + rest)
}

#[cfg(test)]
mod tests {
    use super::{as_rust, option_mark};

    #[test]
    fn options_are_comments_of_the_same_length() {
        for (source, rust) in [
            (
                "#| label: a\n# | b: #1\n//| c: 2\nlet x = 1;\n#| no",
                "// label: a\n//| b: #1\n//| c: 2\nlet x = 1;\n#| no",
            ),
            (
                "\n#|\n#[derive(Debug)]\nstruct A;",
                "\n//\n#[derive(Debug)]\nstruct A;",
            ),
            ("let s = r#\"\n#| text\n\"#;", "let s = r#\"\n#| text\n\"#;"),
        ] {
            assert_eq!(as_rust(source), rust, "{source}");
            assert_eq!(as_rust(source).len(), source.len());
        }
    }

    #[test]
    fn the_marks_of_both_languages_are_known() {
        for (line, rest) in [
            ("//| label: a", Some("label: a")),
            ("#| label: a", Some("label: a")),
            ("# |  a: 1", Some(" a: 1")),
            ("// | a", Some("a")),
            ("//|", Some("")),
            ("#[derive(Debug)]", None),
            (" //| indented", None),
            ("/// | doc", None),
            ("|x| x", None),
        ] {
            assert_eq!(option_mark(line).map(|at| &line[at..]), rest, "{line}");
        }
    }
}
