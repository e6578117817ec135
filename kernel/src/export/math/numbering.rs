//! Numbers of equations, and references to them, including forward references.

use crate::export::escape::Escaped;
use std::collections::HashMap;

/// The target of a label.
#[derive(Debug, Clone)]
pub struct Label {
    /// The tag without its parentheses; `None` after `\notag`.
    pub text: Option<String>,
    /// The anchor of its equation.
    pub anchor: String,
}

/// A `\ref` or `\eqref`.
#[derive(Debug, Clone)]
pub struct Reference {
    pub label: String,
    pub parentheses: bool,
    /// The formula that contains it.
    pub source: String,
}

/// What one formula adds.
#[derive(Debug, Default)]
pub struct Added {
    pub labels: Vec<(String, Label)>,
    pub references: Vec<Reference>,
    /// Numbered equations.
    pub numbered: usize,
    /// Equations with an anchor.
    pub anchored: usize,
}

/// The equations of a page.
#[derive(Debug, Default)]
pub struct Numbering {
    labels: HashMap<String, Label>,
    references: Vec<Reference>,
    numbered: usize,
    anchored: usize,
}

impl Numbering {
    /// The number of the next equation, after those that the formula has
    /// numbered.
    pub fn next(&self, added: &Added) -> usize {
        self.numbered + added.numbered + 1
    }

    pub fn anchor(&self, added: &Added) -> String {
        format!("eq:{}", self.anchored + added.anchored + 1)
    }

    pub fn is_taken(&self, label: &str, added: &Added) -> bool {
        self.labels.contains_key(label) || added.labels.iter().any(|(name, _)| name == label)
    }

    /// The placeholder of a reference until all labels are known.
    pub fn placeholder(&self, added: &Added) -> String {
        placeholder(self.references.len() + added.references.len())
    }

    pub fn add(&mut self, added: Added) {
        self.labels.extend(added.labels);
        self.references.extend(added.references);
        self.numbered += added.numbered;
        self.anchored += added.anchored;
    }

    /// The number and the anchor of a label.
    pub fn found(&self, label: &str) -> Option<(String, String)> {
        let label = self.labels.get(label)?;
        Some((label.text.clone()?, label.anchor.clone()))
    }

    /// Fills in the references. Also returns the source and the reason of each
    /// broken reference.
    pub fn resolve(&self, html: &str) -> (String, Vec<(String, String)>) {
        let mut missing = Vec::new();
        let references = self.references.iter();
        let links: Vec<String> = references.map(|to| self.link(to, &mut missing)).collect();
        let mut page = String::with_capacity(html.len());
        let mut rest = html;
        while let Some((before, after)) = rest.split_once(MARK) {
            page.push_str(before);
            let number = after.split_once(END);
            let link = number.and_then(|(number, _)| links.get(number.parse::<usize>().ok()?));
            match (link, number) {
                (Some(link), Some((_, after))) => {
                    page.push_str(link);
                    rest = after;
                }
                // A comment from the notebook itself.
                _ => {
                    page.push_str(MARK);
                    rest = after;
                }
            }
        }
        page.push_str(rest);
        (page, missing)
    }

    fn link(&self, reference: &Reference, missing: &mut Vec<(String, String)>) -> String {
        let name = &reference.label;
        let (open, close, command) = match reference.parentheses {
            true => ("(", ")", "eqref"),
            false => ("", "", "ref"),
        };
        let problem = match self.labels.get(name) {
            Some(Label {
                text: Some(text),
                anchor,
            }) => {
                return format!(
                    "<a href=\"#{}\">{open}{}{close}</a>",
                    Escaped(anchor),
                    Escaped(text)
                );
            }
            Some(_) => format!("the equation labelled {name} has no number"),
            None => format!("no equation of the page is labelled {name}"),
        };
        let html = format!(
            "<span class=\"math-error\" title=\"{}\">{}</span>",
            Escaped(&problem),
            Escaped(&format!("\\{command}{{{name}}}"))
        );
        missing.push((reference.source.clone(), problem));
        html
    }
}

const MARK: &str = "<!--equation ";
const END: &str = "-->";

/// The first placeholder in a formula's HTML.
pub fn reference(html: &str) -> Option<String> {
    let at = html.find(MARK)?;
    let end = html[at..].find(END)?;
    Some(html[at..at + end + END.len()].to_owned())
}

fn placeholder(number: usize) -> String {
    format!("{MARK}{number}{END}")
}
