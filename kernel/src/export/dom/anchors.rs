//! The unique ids of a page. A link that names a heading must lead to that heading, so ids
//! are assigned when all names are known; until then marks replace them.

use crate::export::address;
use crate::export::escape::Escaped;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

/// The id of the switch that shows the contents.
pub const TOGGLE: &str = "contents-toggle";

// Noncharacters, which do not occur in interchanged text. A text that contains them anyway
// gets the id of a heading in their place, and nothing else changes.
const ID: char = '\u{fdd0}';
const LINK: char = '\u{fdd1}';
const END: char = '\u{fdd2}';

/// The ids of one page.
#[derive(Debug, Default)]
pub struct Anchors {
    /// The names that the page's own headings prefer, in page order; empty for a heading
    /// without words.
    wanted: Vec<String>,
    /// The ids set by the notebook itself.
    given: HashSet<String>,
}

/// An id of ours that is not assigned yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor(usize);

impl Anchor {
    /// A mark for the id, for an attribute `id`.
    pub fn id(self) -> String {
        format!("{ID}{}{END}", self.0)
    }

    /// A mark for the fragment that links to the id: `#` and the id, percent-encoded.
    pub fn link(self) -> String {
        format!("{LINK}{}{END}", self.0)
    }
}

impl Anchors {
    /// Requests the id `wanted`, or one that begins with it where that is taken.
    pub fn want(&mut self, wanted: impl Into<String>) -> Anchor {
        self.wanted.push(wanted.into());
        Anchor(self.wanted.len() - 1)
    }

    /// Records an id of the notebook's own HTML; false if it was recorded before.
    pub fn give(&mut self, id: &str) -> bool {
        id != TOGGLE && self.given.insert(id.to_owned())
    }

    /// Whether an attribute's value is one of our marks.
    pub fn is_mark(value: &str) -> bool {
        value.starts_with(ID) && value.ends_with(END)
    }

    /// The page with all marks replaced by ids.
    pub fn resolve(&self, html: &str) -> String {
        let ids = self.ids();
        let mut out = String::with_capacity(html.len());
        let mut rest = html;
        while let Some(at) = rest.find([ID, LINK]) {
            out.push_str(&rest[..at]);
            rest = &rest[at..];
            let mark = rest.chars().next().unwrap_or_default();
            let after = &rest[mark.len_utf8()..];
            let number = after.split_once(END);
            let id = number.and_then(|(n, _)| ids.get(n.parse::<usize>().ok()?));
            match (id, number) {
                (Some(id), Some((_, after))) => {
                    if mark == ID {
                        let _ = write!(out, "{}", Escaped(id));
                    } else {
                        out.push_str(&address::fragment(id));
                    }
                    rest = after;
                }
                _ => {
                    out.push(mark);
                    rest = after;
                }
            }
        }
        out + rest
    }

    /// First each element gets its preferred id if it is free; then the others get
    /// the next free number.
    fn ids(&self) -> Vec<String> {
        let mut taken = self.given.clone();
        taken.insert(TOGGLE.to_owned());
        let first = self.wanted.iter().map(|wanted| {
            let free = !wanted.is_empty() && taken.insert(wanted.clone());
            free.then(|| wanted.clone())
        });
        let first: Vec<_> = first.collect();
        let mut next = HashMap::new();
        let pairs = first.into_iter().zip(&self.wanted);
        let ids = pairs.map(|(id, wanted)| {
            id.unwrap_or_else(|| {
                let nameless = wanted.is_empty();
                let base = if nameless { "section" } else { wanted };
                let n = next.entry(base).or_insert(if nameless { 1 } else { 2 });
                loop {
                    let id = match *n {
                        1 => base.to_owned(),
                        n => format!("{base}-{n}"),
                    };
                    *n += 1;
                    if taken.insert(id.clone()) {
                        return id;
                    }
                }
            })
        });
        ids.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(wanted: &[&str], given: &[&str]) -> Vec<String> {
        let mut anchors = Anchors::default();
        for id in given {
            anchors.give(id);
        }
        for wanted in wanted {
            anchors.want(*wanted);
        }
        anchors.ids()
    }

    #[test]
    fn a_heading_keeps_its_name_whatever_collides() {
        assert_eq!(
            ids(&["Results", "Results-2", "Results", "Results"], &[]),
            ["Results", "Results-2", "Results-3", "Results-4"]
        );
        assert_eq!(
            ids(&["a", "a", "a-2", "a-2"], &["a"]),
            ["a-3", "a-4", "a-2", "a-2-2"]
        );
        assert_eq!(
            ids(&["", "section", ""], &[]),
            ["section-2", "section", "section-3"]
        );
        assert_eq!(ids(&["", ""], &[]), ["section", "section-2"]);
        assert_eq!(ids(&[TOGGLE], &[]), ["contents-toggle-2"]);
    }

    #[test]
    fn marks_become_ids_and_fragments() {
        let mut anchors = Anchors::default();
        let anchor = anchors.want("100%-\"é\"");
        let html = format!("<h2 id=\"{}\"><a href=\"{}\">", anchor.id(), anchor.link());
        assert_eq!(
            anchors.resolve(&html),
            "<h2 id=\"100%-&quot;é&quot;\"><a href=\"#100%25-%22%C3%A9%22\">"
        );
        assert_eq!(
            anchors.resolve("\u{fdd0}7\u{fdd2} \u{fdd1}"),
            "\u{fdd0}7\u{fdd2} \u{fdd1}"
        );
    }
}
