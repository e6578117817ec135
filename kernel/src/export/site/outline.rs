//! The outline of a page for a search: its title, its first words, and the text of its sections.

use crate::export::dom;
use markup5ever_rcdom::{Handle, NodeData};
use serde::Serialize;

/// Maximum length of a description, in characters.
const DESCRIPTION: usize = 220;

/// Inline elements.
const INLINE: [&str; 11] = [
    "a", "abbr", "b", "code", "em", "i", "span", "strong", "sub", "sup", "cite",
];

/// The outline of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    pub title: String,
    /// Its first paragraph, or the abstract's.
    pub description: String,
    pub sections: Vec<Section>,
}

/// A heading, and the text up to the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// The heading's id; empty for the text before the first heading.
    pub id: String,
    pub title: String,
    pub text: String,
}

/// Reads a page.
pub fn outline(page: &str) -> Outline {
    let root = dom::parse(page);
    let mut reader = Reader {
        sections: vec![Section::default()],
        title: None,
        description: None,
    };
    reader.children(&root);
    for section in &mut reader.sections {
        section.text = squeezed(&section.text);
    }
    reader
        .sections
        .retain(|s| !(s.title.is_empty() && s.text.is_empty()));
    Outline {
        title: reader.title.unwrap_or_else(|| "Notebook".to_owned()),
        description: reader.description.unwrap_or_default(),
        sections: reader.sections,
    }
}

struct Reader {
    sections: Vec<Section>,
    title: Option<String>,
    description: Option<String>,
}

impl Reader {
    fn children(&mut self, node: &Handle) {
        let children = node.children.borrow();
        children.iter().for_each(|child| self.node(child));
    }

    fn node(&mut self, node: &Handle) {
        if let NodeData::Text { contents } = &node.data {
            self.add(&contents.borrow());
            return;
        }
        let class = dom::attribute(node, "class").unwrap_or_default();
        let is = |name: &str| class.split_whitespace().any(|given| given == name);
        // Parts that are not running text: code, outputs, sources of formulas, and the page's own parts.
        let unread = ["contents", "anchor", "preview", "site", "provenance"]
            .iter()
            .any(|name| is(name));
        match element_name(node) {
            Some("style" | "script" | "title" | "pre" | "svg" | "annotation" | "nav") => return,
            Some("section") if is("code") => return self.captions(node),
            _ if unread => return,
            Some(name) if name.len() == 2 && name.starts_with('h') && name != "hr" => {
                return self.heading(node);
            }
            Some("p") if self.description.is_none() && self.title.is_some() && !is("subtitle") => {
                let text = squeezed(&readable(node));
                if !text.is_empty() {
                    self.description = Some(shortened(&text));
                }
            }
            _ => {}
        }
        self.children(node);
        if !element_name(node).is_some_and(|name| INLINE.contains(&name)) {
            self.add(" ");
        }
    }

    /// For code cells, only the captions.
    fn captions(&mut self, node: &Handle) {
        let children = node.children.borrow();
        for child in children.iter() {
            match element_name(child) {
                Some("figcaption" | "caption") => self.add(&format!("{} ", readable(child))),
                _ => self.captions(child),
            }
        }
    }

    fn heading(&mut self, node: &Handle) {
        let title = squeezed(&readable(node));
        self.title.get_or_insert_with(|| title.clone());
        self.sections.push(Section {
            id: dom::attribute(node, "id").unwrap_or_default(),
            title,
            text: String::new(),
        });
    }

    fn add(&mut self, text: &str) {
        if let Some(section) = self.sections.last_mut() {
            section.text.push_str(text);
        }
    }
}

fn element_name(node: &Handle) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

/// The text of a node, without a heading's link to itself and the sources of formulas.
fn readable(node: &Handle) -> String {
    let mut text = String::new();
    let mut stack = vec![node.clone()];
    while let Some(node) = stack.pop() {
        let class = dom::attribute(&node, "class").unwrap_or_default();
        if element_name(&node) == Some("annotation") || class == "anchor" || class == "preview" {
            continue;
        }
        if let NodeData::Text { contents } = &node.data {
            text.push_str(&contents.borrow());
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    text
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The first words, at most [`DESCRIPTION`] characters.
fn shortened(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(DESCRIPTION) else {
        return text.to_owned();
    };
    let end = text[..end].rfind(' ').unwrap_or(end);
    format!("{} \u{2026}", text[..end].trim_end_matches([',', ';', ':']))
}
