//! Whether a line begins within a multi-line quoted text, by jupytext's rule: three quotes in a
//! row, in every language except R.

use super::languages;
use super::python::strip_start;

/// Reads a cell line by line.
#[derive(Debug, Clone)]
pub struct Quotes {
    ignore: bool,
    comment: Option<&'static str>,
    triple: Option<char>,
    single: Option<char>,
    is_r: bool,
}

impl Quotes {
    pub fn new(language: &str) -> Self {
        Self {
            ignore: language.is_empty(),
            comment: languages::comment(language),
            triple: None,
            single: None,
            is_r: language == "R",
        }
    }

    /// Whether the next line begins within quotes.
    pub fn is_quoted(&self) -> bool {
        !self.ignore && (self.single.is_some() || self.triple.is_some())
    }

    pub fn read_line(&mut self, line: &str) {
        if self.ignore {
            return;
        }
        let comment = self.comment.unwrap_or_default();
        if !self.is_quoted() && !comment.is_empty() && strip_start(line).starts_with(comment) {
            return;
        }
        let chars: Vec<char> = line.chars().collect();
        let mark: Vec<char> = comment.chars().collect();
        let mut triple_start = -1_i64;
        for (i, &c) in chars.iter().enumerate() {
            let free = self.single.is_none() && self.triple.is_none();
            if free && !mark.is_empty() && chars[i..].starts_with(&mark) {
                break;
            }
            if c != '"' && c != '\'' || (i > 0 && chars[i - 1] == '\\') {
                continue;
            }
            if self.single == Some(c) {
                self.single = None;
                continue;
            }
            if self.single.is_some() || self.is_r {
                continue;
            }
            let at = i64::try_from(i).unwrap_or(i64::MAX);
            let three = i >= 2 && chars[i - 1] == c && chars[i - 2] == c;
            if three && at >= triple_start + 3 {
                match self.triple {
                    Some(open) if open == c => {
                        self.triple = None;
                        triple_start = at;
                    }
                    Some(_) => {}
                    None => {
                        self.triple = Some(c);
                        triple_start = at;
                    }
                }
                continue;
            }
            if self.triple.is_none() {
                self.single = Some(c);
            }
        }
        if !self.is_r {
            self.single = None;
        }
    }
}
