//! Queries on a page's elements.

use crate::export::address::decoded;
use crate::export::dom;
use markup5ever_rcdom::{Handle, NodeData};
use std::collections::HashSet;

/// Classes of elements that make sense only on the page, or are shown only on hover.
pub const UNSEEN: [&str; 4] = ["contents", "preview", "anchor", "way"];

/// The first element with a name.
pub fn find(root: &Handle, name: &str) -> Option<Handle> {
    if tag_name(root) == Some(name) {
        return Some(root.clone());
    }
    let children = root.children.borrow();
    children.iter().find_map(|child| find(child, name))
}

/// The ids that links within the page lead to.
pub fn targets(root: &Handle) -> HashSet<String> {
    let mut found = HashSet::new();
    let mut stack = vec![root.clone()];
    while let Some(node) = stack.pop() {
        let link = dom::attribute(&node, "href").filter(|_| !has_class(&node, "anchor"));
        if let Some(id) = link.as_deref().and_then(|link| link.strip_prefix('#')) {
            found.insert(decoded(id));
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    found
}

/// An element's name, of HTML, MathML or SVG.
pub fn tag_name(node: &Handle) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

pub fn has_class(node: &Handle, name: &str) -> bool {
    classes(node).iter().any(|class| class == name)
}

pub fn classes(node: &Handle) -> Vec<String> {
    let all = dom::attribute(node, "class").unwrap_or_default();
    all.split_whitespace().map(str::to_owned).collect()
}
