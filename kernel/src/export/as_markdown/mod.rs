//! The page as Markdown that GitHub shows and Quarto reads: what refers to something has its number, what is computed
//! its value, formulas are LaTeX, and pictures are files beside it.
//! Source: GitHub Flavored Markdown Spec 0.29; GitHub Docs, "Basic writing and formatting syntax" (alerts, formulas).

mod blocks;
mod inlines;
mod pictures;
mod tables;

use super::dom;
use blocks::Blocks;
use markup5ever_rcdom::{Handle, NodeData};
use pictures::Pictures;
use std::collections::HashSet;

/// Parts of the page that only a page needs, or that its readers see only with the pointer.
const UNSEEN: [&str; 4] = ["contents", "preview", "anchor", "way"];

/// A document of several files.
#[derive(Debug, PartialEq, Eq)]
pub struct MarkdownFile {
    pub text: String,
    /// Pictures by their names; the text looks for them in the folder that it was given.
    pub pictures: Vec<(String, Vec<u8>)>,
}

/// A page's Markdown; its pictures will lie in `folder`.
pub fn markdown(page: &str, folder: &str) -> MarkdownFile {
    let root = dom::parse(page);
    // A tree that goes empties all of its nodes, so that `root` must stay.
    let main = find(&root, "main").unwrap_or_else(|| root.clone());
    let mut pictures = Pictures::new(folder);
    pictures.targets = targets(&main);
    let mut blocks = Blocks {
        pictures: &mut pictures,
    };
    let text = blocks.children(&main).join("\n\n");
    MarkdownFile {
        text: text + "\n",
        pictures: pictures.files,
    }
}

/// The first element of a name.
fn find(root: &Handle, name: &str) -> Option<Handle> {
    if tag_name(root) == Some(name) {
        return Some(root.clone());
    }
    let children = root.children.borrow();
    children.iter().find_map(|child| find(child, name))
}

/// The ids that links within the page lead to.
fn targets(root: &Handle) -> HashSet<String> {
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
fn tag_name(node: &Handle) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

/// A fragment's id: a page writes some characters of it by their bytes.
fn decoded(fragment: &str) -> String {
    let bytes = fragment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = fragment.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn has_class(node: &Handle, name: &str) -> bool {
    classes(node).iter().any(|class| class == name)
}

fn classes(node: &Handle) -> Vec<String> {
    let all = dom::attribute(node, "class").unwrap_or_default();
    all.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
