//! Footnotes of an article: numbered through the page, listed at its end, and shown
//! next to the text on hover or where there is a margin for them.
//! Source: pandoc.org/MANUAL.html, "Footnotes"; WAI-ARIA, doc-noteref and doc-endnotes.

use super::inline::{NOTE, text_of};
use crate::export::dom;
use crate::export::dom::anchors::{Anchor, Anchors};
use crate::export::dom::{attribute, set_attribute, set_children, tag_name};
use markup5ever_rcdom::Handle;
use std::collections::HashMap;

/// Maximum depth of a preview, which is an inline copy of the note.
const DEEPEST: usize = 24;

/// The notes of a page.
#[derive(Debug, Default)]
pub struct Notes {
    count: usize,
    /// The items of the list at the end.
    pub items: Vec<String>,
}

/// A note of one text.
struct Note {
    number: usize,
    anchor: Anchor,
    back: Anchor,
    uses: usize,
    content: Vec<Handle>,
}

impl Notes {
    /// Takes the notes out of a text and numbers them. The children of the returned
    /// node are the items of their list.
    pub fn collect(&mut self, root: &Handle, anchors: &mut Anchors) -> Option<Handle> {
        let mut definitions = HashMap::new();
        take_definitions(root, &mut definitions);
        let mut notes: Vec<Note> = Vec::new();
        let mut known: HashMap<String, usize> = HashMap::new();
        let mut stack = vec![root.clone()];
        while let Some(node) = stack.pop() {
            let children = node.children.borrow().clone();
            for child in &children {
                if is_class(child, "sup", "footnote-reference") {
                    let Some(id) = target(child) else { continue };
                    let at = match known.get(&id) {
                        Some(at) => *at,
                        None => {
                            let content = definitions.remove(&id).unwrap_or_default();
                            notes.push(self.note(content, anchors));
                            known.insert(id, notes.len() - 1);
                            notes.len() - 1
                        }
                    };
                    refer(child, &mut notes[at]);
                } else if is_class(child, "span", NOTE) {
                    let words = dom::element("p", &[], child.children.take());
                    let mut note = self.note(vec![words], anchors);
                    refer(child, &mut note);
                    notes.push(note);
                }
            }
            stack.extend(children.iter().rev().cloned());
        }
        let items: Vec<_> = notes.into_iter().map(item).collect();
        (!items.is_empty()).then(|| dom::element("ol", &[], items))
    }

    fn note(&mut self, content: Vec<Handle>, anchors: &mut Anchors) -> Note {
        self.count += 1;
        Note {
            number: self.count,
            anchor: anchors.want(format!("fn-{}", self.count)),
            back: anchors.want(format!("fnref-{}", self.count)),
            uses: 0,
            content,
        }
    }

    /// The list of all notes; empty without any.
    pub fn section(&self) -> String {
        if self.items.is_empty() {
            return String::new();
        }
        format!(
            "<section class=\"cell text footnotes\" role=\"doc-endnotes\" aria-labelledby=\"footnotes-title\">\n\
             <h2 id=\"footnotes-title\">Footnotes</h2>\n<ol>\n{}</ol>\n</section>\n",
            self.items.concat()
        )
    }
}

/// Removes the definitions of notes from a text, by their ids.
fn take_definitions(root: &Handle, definitions: &mut HashMap<String, Vec<Handle>>) {
    let mut stack = vec![root.clone()];
    while let Some(node) = stack.pop() {
        let is_definition = |child: &Handle| is_class(child, "div", "footnote-definition");
        if node.children.borrow().iter().any(is_definition) {
            let (found, rest): (Vec<_>, Vec<_>) =
                node.children.take().into_iter().partition(is_definition);
            set_children(&node, rest);
            for definition in found {
                let id = attribute(&definition, "id").unwrap_or_default();
                let mut content = definition.children.take();
                content.retain(|node| !is_class(node, "sup", "footnote-definition-label"));
                definitions.entry(id).or_insert(content);
            }
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
}

/// Where the link of a reference leads.
fn target(reference: &Handle) -> Option<String> {
    let children = reference.children.borrow();
    let link = children.iter().find(|node| tag_name(node) == Some("a"))?;
    attribute(link, "href").map(|href| href.trim_start_matches('#').to_owned())
}

/// Makes a node the reference to a note, with the note's preview.
fn refer(node: &Handle, note: &mut Note) {
    let number = note.number.to_string();
    let link = note.anchor.link();
    let label = format!("Footnote {number}");
    let attributes = [
        ("href", link.as_str()),
        ("role", "doc-noteref"),
        ("aria-label", &label),
    ];
    let link = dom::element("a", &attributes, vec![dom::text(&number)]);
    if note.uses == 0 {
        set_attribute(&link, "id", &note.back.id());
    }
    note.uses += 1;
    let mark = dom::element("sup", &[("class", "footnote-mark")], vec![link]);
    let mut copy = vec![
        dom::element("sup", &[], vec![dom::text(&number)]),
        dom::text(" "),
    ];
    copy.extend(preview(&note.content, 0));
    let class = [("class", "preview sidenote")];
    let preview = dom::element("span", &class, copy);
    set_attribute(node, "class", "note");
    // In Markdown's HTML a reference is a `<sup>`; the preview must not be raised.
    set_children(node, vec![mark, preview]);
}

/// A copy that may stand within a line: blocks become spans, ids and references to
/// other notes are left out.
fn preview(nodes: &[Handle], depth: usize) -> Vec<Handle> {
    let copies = nodes.iter().filter_map(|node| {
        if let Some(text) = text_of(node) {
            return Some(dom::text(&text));
        }
        let name = tag_name(node)?;
        if depth > DEEPEST || name == "input" || is_class(node, "sup", "footnote-reference") {
            return None;
        }
        let children = preview(&node.children.borrow(), depth + 1);
        let (name, class) =
            match name {
                "p" | "div" | "ul" | "ol" | "li" | "blockquote" | "pre" | "table" | "tr"
                | "figure" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "details" | "dl" | "dd"
                | "dt" => ("span", Some("block")),
                "thead" | "tbody" | "tfoot" | "td" | "th" | "caption" | "figcaption"
                | "summary" => ("span", None),
                name => (name, None),
            };
        let copy = dom::element(name, &[], children);
        for key in ["href", "src", "alt", "class", "style"] {
            if let Some(value) = attribute(node, key) {
                set_attribute(&copy, key, &value);
            }
        }
        if let Some(class) = class {
            set_attribute(&copy, "class", class);
        }
        Some(copy)
    });
    copies.collect()
}

/// The item of the list at the end, with a link back.
fn item(note: Note) -> Handle {
    let attributes = [
        ("class", "back"),
        ("href", &*note.back.link()),
        ("role", "doc-backlink"),
        ("aria-label", &*format!("Back to footnote {}", note.number)),
    ];
    let back = dom::element("a", &attributes, vec![dom::text("↩")]);
    let mut content = note.content;
    match content
        .iter()
        .rev()
        .find(|node| tag_name(node) == Some("p"))
    {
        Some(last) => {
            let mut children = last.children.take();
            children.extend([dom::text(" "), back]);
            set_children(last, children);
        }
        None => content.push(back),
    }
    dom::element("li", &[("id", &*note.anchor.id())], content)
}

fn is_class(node: &Handle, name: &str, class: &str) -> bool {
    tag_name(node) == Some(name) && attribute(node, "class").as_deref() == Some(class)
}
