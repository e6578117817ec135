//! Completes the HTML of a Markdown cell after sanitising and parsing, both what Markdown
//! produces and what the author writes as HTML.

use super::anchors::Anchors;
use super::{attribute, element, remove_attribute, set_attribute, set_children, tag_name, text};
use crate::export::article::Place;
use crate::export::article::labels::Labels;
use crate::export::dom::sanitise::is_safe_link;
use crate::export::escape::Escaped;
use crate::export::extract::cites::Group;
use crate::export::extract::{Extracted, Piece, target};
use markup5ever_rcdom::{Handle, NodeData};
use std::fmt::Write;

/// Elements whose text stays as it is written.
const VERBATIM: [&str; 4] = ["code", "pre", "kbd", "samp"];

/// The elements of a heading that a table of contents keeps.
const INLINE: [&str; 14] = [
    "b", "code", "del", "em", "i", "kbd", "mark", "s", "samp", "small", "strong", "sub", "sup",
    "var",
];

/// The context of the walk through a cell.
pub struct Cell<'a> {
    pub extracted: &'a Extracted,
    /// The data URI for an image's address.
    pub image: &'a dyn Fn(&str) -> Option<String>,
    pub anchors: &'a mut Anchors,
    pub labels: &'a mut Labels,
    /// Returns the placeholder of a citation; `None` where the page has no bibliography.
    pub cite: &'a mut dyn FnMut(&Group, Place) -> Option<String>,
    /// The cell's place in the notebook, from 1.
    pub number: usize,
}

#[derive(Clone, Copy, Default)]
struct Within {
    verbatim: bool,
    link: bool,
}

impl Cell<'_> {
    /// Embeds pictures, links bare addresses, and keeps ids unique. Returns the headings
    /// in the order of the text.
    pub fn complete(&mut self, root: &Handle) -> Vec<Handle> {
        let mut headings = Vec::new();
        let mut stack = vec![(root.clone(), Within::default())];
        while let Some((node, within)) = stack.pop() {
            let name = tag_name(&node).unwrap_or_default();
            if level(&node).is_some() {
                headings.push(node.clone());
            }
            let within = Within {
                verbatim: within.verbatim || VERBATIM.contains(&name),
                link: within.link || name == "a",
            };
            let children = node.children.take();
            let children = children
                .into_iter()
                .flat_map(|child| self.child(child, within));
            set_children(&node, children.collect());
            let children = node.children.borrow();
            stack.extend(children.iter().rev().map(|child| (child.clone(), within)));
        }
        headings
    }

    /// The replacement of one node: itself with corrected attributes, or others.
    fn child(&mut self, node: Handle, within: Within) -> Vec<Handle> {
        if let NodeData::Text { contents } = &node.data {
            let contents = contents.borrow().to_string();
            return self.text(&contents, within);
        }
        let NodeData::Element { attrs, .. } = &node.data else {
            return vec![node];
        };
        for attr in attrs.borrow_mut().iter_mut() {
            attr.value = self.extracted.original(&attr.value).into();
        }
        self.identify(&node);
        match tag_name(&node) {
            Some("img") => vec![self.picture(node, within)],
            Some("input") if attribute(&node, "type").as_deref() != Some("checkbox") => Vec::new(),
            Some("input") => {
                set_attribute(&node, "disabled", "");
                vec![node]
            }
            // Parsers produce it for a stray `</p>`.
            Some("p") if node.children.borrow().is_empty() => Vec::new(),
            _ => vec![node],
        }
    }

    fn text(&mut self, contents: &str, within: Within) -> Vec<Handle> {
        if within.verbatim {
            return vec![text(&self.extracted.original(contents))];
        }
        let extracted = self.extracted;
        let pieces = extracted.pieces(contents).into_iter();
        let nodes = pieces.map(|piece| match piece {
            Piece::Attributes(.., source) => text(source),
            Piece::Cite(number, group, source) => match within.link {
                true => text(source),
                false => text(&self.citation(number, group, source)),
            },
            Piece::Text(words) => text(words),
            Piece::Formula(number, _) => text(&extracted.mark_of(number)),
            Piece::Address(_, address) if within.link => text(&address.replace("&amp;", "&")),
            Piece::Address(_, address) => {
                let words = text(&address.replace("&amp;", "&"));
                element("a", &[("href", &target(address))], vec![words])
            }
        });
        nodes.collect()
    }

    /// The placeholder of a citation or reference until the whole page is known.
    fn citation(&mut self, number: usize, group: &Group, source: &str) -> String {
        let place = Place {
            cell: self.number,
            line: self.extracted.line(number),
        };
        if group.is_reference() {
            return self.labels.refer(group, place);
        }
        (self.cite)(group, place).unwrap_or_else(|| source.to_owned())
    }

    /// Keeps the ids of the author's HTML if they are the first of their name.
    fn identify(&mut self, node: &Handle) {
        if tag_name(node) == Some("a")
            && attribute(node, "id").is_none()
            && let Some(name) = attribute(node, "name")
        {
            set_attribute(node, "id", &name);
        }
        remove_attribute(node, "name");
        if let Some(id) = attribute(node, "id")
            && !Anchors::is_mark(&id)
            && (id.is_empty() || !self.anchors.give(&id))
        {
            remove_attribute(node, "id");
        }
    }

    /// A picture with embedded data, or a link to one that would have to be fetched.
    fn picture(&self, node: Handle, within: Within) -> Handle {
        let address = attribute(&node, "src").unwrap_or_default();
        if let Some(data) = (self.image)(&address) {
            set_attribute(&node, "src", &data);
            return node;
        }
        let alt = attribute(&node, "alt").filter(|alt| !alt.trim().is_empty());
        let words = text(alt.as_deref().unwrap_or("image"));
        if within.link || address.is_empty() || !is_safe_link(&address) {
            return words;
        }
        let attributes = [("class", "image-link"), ("href", &*address)];
        element("a", &attributes, vec![words])
    }
}

/// The level of a heading.
pub fn level(node: &Handle) -> Option<u8> {
    let digit = tag_name(node)?.strip_prefix('h')?;
    digit.parse().ok().filter(|level| (1..=6).contains(level))
}

/// The text of a heading, with formulas as written; its id is made from it.
pub fn words(heading: &Handle, extracted: &Extracted) -> String {
    let mut words = String::new();
    walk(heading, |step| {
        if let Step::Text(text) = step {
            words.push_str(&extracted.original(text));
        }
    });
    let words: Vec<_> = words.split_whitespace().collect();
    words.join(" ")
}

/// A heading as HTML without links, ids and pictures, formulas as marks.
pub fn outline(heading: &Handle) -> String {
    let mut html = String::new();
    walk(heading, |step| {
        let _ = match step {
            Step::Text(text) | Step::Picture(text) => write!(html, "{}", Escaped(text)),
            Step::Open(name) if INLINE.contains(&name) => write!(html, "<{name}>"),
            Step::Close(name) if INLINE.contains(&name) => write!(html, "</{name}>"),
            Step::Open(_) | Step::Close(_) => Ok(()),
        };
    });
    html.trim().to_owned()
}

enum Step<'a> {
    Open(&'a str),
    Close(&'a str),
    Text(&'a str),
    /// The alternative text of a picture.
    Picture(&'a str),
}

/// The shown content of a node in order, without references to footnotes.
fn walk(node: &Handle, mut visit: impl FnMut(Step<'_>)) {
    let mut stack: Vec<(Handle, bool)> = Vec::new();
    let push_children = |stack: &mut Vec<_>, node: &Handle| {
        let children = node.children.borrow();
        stack.extend(children.iter().rev().map(|child| (child.clone(), false)));
    };
    push_children(&mut stack, node);
    while let Some((node, closing)) = stack.pop() {
        if let NodeData::Text { contents } = &node.data {
            visit(Step::Text(&contents.borrow()));
        }
        let Some(name) = tag_name(&node) else {
            continue;
        };
        let is = |class: &str| attribute(&node, "class").as_deref() == Some(class);
        match name {
            _ if closing => visit(Step::Close(name)),
            "sup" if is("footnote-reference") || is("note") => {}
            "br" => visit(Step::Text(" ")),
            "img" => {
                if let Some(alt) = attribute(&node, "alt") {
                    visit(Step::Picture(&alt));
                }
            }
            name => {
                visit(Step::Open(name));
                stack.push((node.clone(), true));
                push_children(&mut stack, &node);
            }
        }
    }
}
