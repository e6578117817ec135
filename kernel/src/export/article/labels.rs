//! Numbers of figures, tables, listings, equations, sections and theorems, and the
//! references to them, including forward references.
//! Source: Quarto, "Cross References".

use super::Place;
use crate::export::address;
use crate::export::escape::{Escaped, escape};
use crate::export::extract::cites::{Cite, Group};
use crate::notebook::TextFault;
use std::borrow::Cow;
use std::collections::HashMap;

// Noncharacters, as in `dom::anchors`: they do not occur in interchanged text.
const REFERENCE: char = '\u{fdd3}';
const PLAIN: char = '\u{fdd4}';
const NUMBER: char = '\u{fdd5}';
const CITATION: char = '\u{fdd6}';
const END: char = '\u{fdd2}';

/// HTML for the table of contents: references as text, because links must not be
/// nested, and no citations.
pub fn plain(html: &str) -> String {
    let mut out = String::new();
    let mut parts = html.split(CITATION);
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.split_once(END).map_or(part, |(_, rest)| rest));
    }
    out.replace(REFERENCE, &PLAIN.to_string())
}

/// Replaces the characters of a text that could be taken for marks.
pub fn without_marks(text: &str) -> Cow<'_, str> {
    let marks = [REFERENCE, PLAIN, NUMBER, CITATION];
    match text.contains(marks) {
        true => text.replace(marks, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// A placeholder for the number of the heading at `index`.
pub fn number_mark(index: usize) -> String {
    format!("{NUMBER}{index}{END}")
}

/// A placeholder for the citation at `index`.
pub fn citation_mark(index: usize) -> String {
    format!("{CITATION}{index}{END}")
}

/// The word before the number of a kind of label.
pub fn word(kind: &str) -> &'static str {
    match kind {
        "fig" => "Figure",
        "tbl" => "Table",
        "lst" => "Listing",
        "eq" => "Equation",
        "sec" => "Section",
        "thm" => "Theorem",
        "lem" => "Lemma",
        "cor" => "Corollary",
        "prp" => "Proposition",
        "cnj" => "Conjecture",
        "def" => "Definition",
        "exm" => "Example",
        _ => "Exercise",
    }
}

/// The number of a heading, once all are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SectionNumber {
    /// Empty for a heading without a number.
    pub text: String,
    pub appendix: bool,
    /// The HTML title, used to refer to a section without a number.
    pub title: String,
}

#[derive(Debug, Clone)]
enum Target {
    Number(String),
    Section(usize),
    Equation,
}

/// The labels of a page.
#[derive(Debug, Default)]
pub struct Labels {
    targets: HashMap<String, (Target, Place)>,
    counts: HashMap<&'static str, usize>,
    references: Vec<(Group, Place)>,
    pub faults: Vec<TextFault>,
}

/// The targets of references other than figures, tables and listings.
pub struct Known<'a> {
    pub sections: &'a [SectionNumber],
    /// The number and the anchor of an equation.
    pub equation: &'a dyn Fn(&str) -> Option<(String, String)>,
    /// Citations as HTML, in the page's order.
    pub citations: &'a [String],
}

impl Labels {
    /// The next number of a kind.
    pub fn next(&mut self, kind: &'static str) -> String {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        count.to_string()
    }

    /// Assigns a number to a label.
    pub fn define(&mut self, label: &str, number: String, place: Place) {
        self.insert(label, Target::Number(number), place);
    }

    /// Labels the heading at `index`.
    pub fn define_section(&mut self, label: &str, index: usize, place: Place) {
        self.insert(label, Target::Section(index), place);
    }

    /// Labels an equation; its number comes from the mathematics.
    pub fn define_equation(&mut self, label: &str, place: Place) {
        self.insert(label, Target::Equation, place);
    }

    fn insert(&mut self, label: &str, target: Target, place: Place) {
        if let Some((_, first)) = self.targets.get(label) {
            let reason = format!(
                "the label {label} is taken by cell {}, line {}",
                first.cell, first.line
            );
            self.faults.push(place.fault(reason));
            return;
        }
        self.targets.insert(label.to_owned(), (target, place));
    }

    /// Records references; returns their placeholder.
    pub fn refer(&mut self, group: &Group, place: Place) -> String {
        self.references.push((group.clone(), place));
        format!("{REFERENCE}{}{END}", self.references.len() - 1)
    }

    /// The page with references, numbers and citations filled in.
    pub fn resolve(&mut self, html: &str, known: &Known) -> String {
        let references = std::mem::take(&mut self.references);
        let links = references.iter().map(|(group, place)| {
            let links = self.links(group, *place, known);
            let words = |(text, _): &(String, String)| text.clone();
            let plain: Vec<_> = links.iter().map(words).collect();
            let links = links.iter().map(|(text, link)| match link.as_str() {
                "" => text.clone(),
                link => format!("<a class=\"ref\" href=\"{link}\">{text}</a>"),
            });
            (links.collect::<Vec<_>>().join(", "), plain.join(", "))
        });
        let links: Vec<_> = links.collect();
        replace_marks(html, |mark, number| match mark {
            REFERENCE => links.get(number).map(|(link, _)| link.clone()),
            PLAIN => links.get(number).map(|(_, text)| text.clone()),
            CITATION => known.citations.get(number).cloned(),
            NUMBER => {
                let number = &known.sections.get(number)?.text;
                Some(match number.is_empty() {
                    true => String::new(),
                    false => format!("<span class=\"section-number\">{number}</span> "),
                })
            }
            _ => None,
        })
    }

    /// The text and the address of each reference of a group.
    fn links(&mut self, group: &Group, place: Place, known: &Known) -> Vec<(String, String)> {
        let links = group.items.iter().map(|cite| {
            let (kind, label) = cite.label()?;
            let named = |number: &str, word: &str| words(cite, word, number);
            Some(match &self.targets.get(&label)?.0 {
                Target::Number(number) => (named(number, word(kind)), address::fragment(&label)),
                Target::Equation => {
                    let (number, anchor) = (known.equation)(&label)?;
                    (named(&number, word(kind)), address::fragment(&anchor))
                }
                Target::Section(index) => {
                    let section = known.sections.get(*index)?;
                    let text = match (section.text.as_str(), section.appendix) {
                        ("", _) => section.title.clone(),
                        (number, true) => named(number, "Appendix"),
                        (number, false) => named(number, word(kind)),
                    };
                    (text, address::fragment(&label))
                }
            })
        });
        let links: Vec<_> = links.collect();
        let found = group.items.iter().zip(links).map(|(cite, link)| {
            link.unwrap_or_else(|| {
                let key = &cite.key;
                let reason =
                    format!("@{key} refers to nothing: no part of the page has this label");
                self.faults.push(place.fault(reason));
                (format!("?{}", Escaped(key)), String::new())
            })
        });
        found.collect()
    }
}

/// A reference in words.
fn words(cite: &Cite, word: &str, number: &str) -> String {
    let suffix = escape(&cite.suffix);
    let number = escape(number);
    match (cite.bare, cite.prefix.as_str()) {
        (true, _) => format!("{number}{suffix}"),
        (false, "") => format!("{word}\u{a0}{number}{suffix}"),
        (false, prefix) => format!("{}\u{a0}{number}{suffix}", Escaped(prefix)),
    }
}

/// Replaces each mark of a page; marks that are not ours stay.
fn replace_marks(html: &str, of: impl Fn(char, usize) -> Option<String>) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find([REFERENCE, PLAIN, NUMBER, CITATION]) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let mark = rest.chars().next().unwrap_or_default();
        let after = &rest[mark.len_utf8()..];
        let number = after.split_once(END);
        let made = number.and_then(|(n, after)| Some((of(mark, n.parse().ok()?)?, after)));
        match made {
            Some((made, after)) => {
                out.push_str(&made);
                rest = after;
            }
            None => {
                out.push(mark);
                rest = after;
            }
        }
    }
    out + rest
}

/// A number among the parts of a figure: `a`, `b`, .. `z`, `aa`, ..
pub fn letters(mut number: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(b'a' + (number % 26) as u8);
        number /= 26;
        if number == 0 {
            break;
        }
        number -= 1;
    }
    letters.reverse();
    String::from_utf8_lossy(&letters).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_count_like_columns() {
        let of = [0, 1, 25, 26, 27, 51, 52, 701, 702];
        assert_eq!(
            of.map(letters),
            ["a", "b", "z", "aa", "ab", "az", "ba", "zz", "aaa"]
        );
    }
}
