//! nbval's sanitising files: pairs of lines `regex: ..` and `replace: ..`, applied in order to every
//! text before it is compared.
//! Source: nbval 0.11.0, plugin.py, `get_sanitize_patterns` and `sanitize`.

use regex::Regex;
use std::collections::HashMap;
use std::path::Path;

use crate::error::{Error, Result};

/// Replacements in order.
#[derive(Debug, Clone, Default)]
pub struct Sanitiser {
    pairs: Vec<(Regex, String)>,
}

impl Sanitiser {
    /// Adds the pairs of a file; a pair whose regex already exists overrides the earlier
    /// replacement.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Sanitise`] for a regex that cannot be used, with its line.
    pub fn add_file(&mut self, path: &Path) -> Result<()> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        self.add(&text).map_err(|(line, reason)| Error::Sanitise {
            path: path.to_owned(),
            line,
            reason,
        })
    }

    /// Adds the pairs of a text; an error is a line and a reason.
    fn add(&mut self, text: &str) -> Result<(), (usize, String)> {
        let lines: Vec<&str> = text.lines().collect();
        let mut at = 0;
        while at + 1 < lines.len() {
            let regex = lines[at].strip_prefix("regex: ");
            let replace = lines[at + 1].strip_prefix("replace: ");
            let (Some(regex), Some(replace)) = (regex, replace) else {
                at += 1;
                continue;
            };
            let compiled = Regex::new(regex).map_err(|error| {
                let reason = format!(
                    "this regex cannot be used: {error}\nIt is read as the Rust crate `regex` reads it: \
                     as Python's `re`, but without look-around ((?=..), (?<!..)) and backreferences (\\1) \
                     in the pattern."
                );
                (at + 1, reason)
            })?;
            let replace = replacement(replace);
            match self.pairs.iter_mut().find(|(one, _)| one.as_str() == regex) {
                Some(pair) => pair.1 = replace,
                None => self.pairs.push((compiled, replace)),
            }
            at += 2;
        }
        Ok(())
    }

    pub fn apply(&self, text: &str) -> String {
        let pairs = self.pairs.iter();
        pairs.fold(text.to_owned(), |text, (regex, replace)| {
            regex.replace_all(&text, replace.as_str()).into_owned()
        })
    }
}

/// Converts Python's replacement syntax (`\1`, `\g<name>`) to the crate's (`${1}`, `${name}`).
fn replacement(python: &str) -> String {
    let escapes: HashMap<char, char> = [('n', '\n'), ('t', '\t'), ('r', '\r'), ('\\', '\\')].into();
    let mut out = String::new();
    let mut rest = python.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek().copied()) {
            ('$', _) => out.push_str("$$"),
            ('\\', Some(digit)) if digit.is_ascii_digit() => {
                out.push_str("${");
                while let Some(digit) = rest.next_if(char::is_ascii_digit) {
                    out.push(digit);
                }
                out.push('}');
            }
            ('\\', Some('g')) => {
                rest.next();
                rest.next_if_eq(&'<');
                let name: String = rest.by_ref().take_while(|c| *c != '>').collect();
                out.push_str(&format!("${{{name}}}"));
            }
            ('\\', Some(next)) => {
                rest.next();
                match escapes.get(&next) {
                    Some(escape) => out.push(*escape),
                    None => out.extend(['\\', next]),
                }
            }
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_applied_in_order_as_nbval_does() {
        // Expected result: the output of nbval 0.11.0 for the same file and text
        // (get_sanitize_patterns, then re.sub in turn), "DATE-AND-TIME: id X=<7>, $9".
        let mut sanitiser = Sanitiser::default();
        let file = "# A comment\n[section]\nregex: \\d{2}:\\d{2}:\\d{2}\nreplace: TIME-STAMP\n\n\
                    regex: TIME-STAMP\nreplace: DATE-AND-TIME\nregex: lonely\n\
                    regex: id=(\\w)(\\d)\nreplace: id \\1=<\\g<2>>\nregex: cost\nreplace: $9\n";
        sanitiser.add(file).unwrap();
        let clean = sanitiser.apply("12:34:56: id=X7, cost");
        assert_eq!(clean, "DATE-AND-TIME: id X=<7>, $9");
    }

    #[test]
    fn a_regex_that_cannot_be_used_is_named_by_its_line() {
        let mut sanitiser = Sanitiser::default();
        let file = "regex: a\nreplace: b\n\nregex: (?=x)y\nreplace: z\n";
        let (line, reason) = sanitiser.add(file).unwrap_err();
        assert_eq!(line, 4);
        assert!(reason.contains("look-around"), "{reason}");
    }
}
