//! The tree of a formula, and its HTML.

use crate::export::escape::Escaped;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The class of a table of equations with tags.
pub const WIDE: &str = "math-numbered";

/// The atom class of a part, which determines its spacing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Ord,
    Op,
    Bin,
    Rel,
    Open,
    Close,
    Punct,
    Inner,
}

impl Class {
    pub fn named(name: &str) -> Class {
        match name {
            "op" => Class::Op,
            "bin" => Class::Bin,
            "rel" => Class::Rel,
            "open" => Class::Open,
            "close" => Class::Close,
            "punct" => Class::Punct,
            "inner" => Class::Inner,
            _ => Class::Ord,
        }
    }
}

/// A part of the page.
#[derive(Debug, Clone)]
pub enum Node {
    Element(Element),
    Text(String),
    /// The placeholder of a reference until the page is finished.
    Reference(String),
}

#[derive(Debug, Clone)]
pub struct Element {
    pub name: &'static str,
    pub attributes: BTreeMap<&'static str, String>,
    pub children: Vec<Node>,
    /// `None` for parts without a spacing class, such as a space.
    pub class: Option<Class>,
    /// Whether it is in a script, for elements that define it.
    pub tight: Option<bool>,
}

impl Element {
    pub fn new(name: &'static str) -> Element {
        Element {
            name,
            attributes: BTreeMap::new(),
            children: Vec::new(),
            class: None,
            tight: None,
        }
    }

    pub fn of(name: &'static str, children: Vec<Node>) -> Element {
        Element {
            children,
            class: Some(Class::Ord),
            ..Element::new(name)
        }
    }

    pub fn set(&mut self, key: &'static str, value: impl Into<String>) {
        self.attributes.insert(key, value.into());
    }

    /// Whether its children are neighbours of the nodes around it.
    pub fn is_transparent(&self) -> bool {
        self.name == "mstyle"
    }
}

/// The `<math>` element, with its source for copying and for screen readers.
pub fn math(body: &[Node], latex: &str, display: bool) -> String {
    // A table as wide as the page may only be in block elements.
    let alone = match body {
        [Node::Element(only)] => Some(only),
        _ => None,
    };
    let wide = alone.is_some_and(|only| only.attributes.get("class").is_some_and(|c| c == WIDE));
    let mut html = String::from("<math");
    html.push_str(if display { " display=\"block\"" } else { "" });
    html.push_str(if wide { " class=\"math-wide\"" } else { "" });
    html.push_str("><semantics>");
    html.push_str(if alone.is_some() { "" } else { "<mrow>" });
    for node in body {
        write(node, &mut html);
    }
    html.push_str(if alone.is_some() { "" } else { "</mrow>" });
    let _ = write!(
        html,
        "<annotation encoding=\"application/x-tex\">{}</annotation></semantics></math>",
        Escaped(latex.trim())
    );
    html
}

fn write(node: &Node, html: &mut String) {
    match node {
        Node::Text(text) => {
            let _ = write!(html, "{}", Escaped(text));
        }
        // A placeholder from `Numbering`; a comment until the page is finished.
        Node::Reference(mark) => html.push_str(mark),
        Node::Element(element) => write_element(element, html),
    }
}

fn write_element(element: &Element, html: &mut String) {
    let name = element.name;
    let _ = write!(html, "<{name}");
    for (key, value) in &element.attributes {
        let _ = write!(html, " {key}=\"{}\"", Escaped(value));
    }
    html.push('>');
    for child in &element.children {
        write(child, html);
    }
    let _ = write!(html, "</{name}>");
}
