//! What begins a line with options of a cell: `//|`, which is a comment to Rust, or `#|`, which
//! Quarto and MyST read in every language.

/// How many bytes of a line the mark of an option takes, with one blank behind it; `None` for
/// other lines.
pub fn option_mark(line: &str) -> Option<usize> {
    let rest = line.strip_prefix("//").or_else(|| line.strip_prefix('#'))?;
    let rest = rest.trim_start_matches([' ', '\t']).strip_prefix('|')?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    Some(line.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::option_mark;

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
