//! The meaning of attributes in braces and of brackets within a line: spans with
//! classes, notes in the text (`^[..]`), and attributes of images, links and headings.
//! Source: pandoc.org/MANUAL.html, "bracketed_spans", "inline_notes".

use crate::export::dom;
use crate::export::dom::{attribute, set_attribute, set_children, tag_name};
use crate::export::extract::attributes::Attributes;
use crate::export::extract::{Extracted, Piece};
use markup5ever_rcdom::{Handle, NodeData};

/// Holds the number of an element's attributes until they are applied.
pub const OWN: &str = "data-attributes";

/// The class of an image's caption while it is undecided whether the image is a
/// figure.
pub const CAPTION: &str = "holoscope-caption";

/// The class of a note written inline.
pub const NOTE: &str = "inline-note";

/// Elements whose text stays as it is written.
const VERBATIM: [&str; 4] = ["code", "pre", "kbd", "samp"];

/// Applies the attributes within all lines of a text; with `notes`, `^[..]` is a note.
pub fn apply(root: &Handle, extracted: &Extracted, notes: bool) {
    let mut stack = vec![root.clone()];
    while let Some(node) = stack.pop() {
        if tag_name(&node).is_some_and(|name| VERBATIM.contains(&name)) {
            continue;
        }
        let children = node.children.take();
        let children = line(children, &node, extracted, notes);
        stack.extend(children.iter().cloned());
        set_children(&node, children);
    }
}

enum Token {
    Node(Handle),
    Text(String),
    /// `[`, or `^[`.
    Open(bool),
    Close,
    Mark(usize),
}

/// An open bracket.
struct Frame {
    note: bool,
    items: Vec<Handle>,
}

fn line(children: Vec<Handle>, parent: &Handle, extracted: &Extracted, notes: bool) -> Vec<Handle> {
    let plain = |node: &Handle| match &node.data {
        NodeData::Text { contents } => {
            let contents = contents.borrow();
            !(has_mark(&contents, extracted) || notes && contents.contains("^["))
        }
        _ => true,
    };
    if children.iter().all(plain) {
        return children;
    }
    let tokens: Vec<_> = children
        .into_iter()
        .flat_map(|node| tokens(node, extracted, notes))
        .collect();
    let mut frames = vec![Frame {
        note: false,
        items: Vec::new(),
    }];
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Open(note) => frames.push(Frame {
                note,
                items: Vec::new(),
            }),
            Token::Close if frames.len() > 1 => {
                let marked = match tokens.peek() {
                    Some(Token::Mark(number)) => Some(*number),
                    _ => None,
                };
                if close(&mut frames, marked) {
                    tokens.next();
                }
            }
            Token::Close => push_text(items(&mut frames), "]"),
            Token::Text(text) => push_text(items(&mut frames), &text),
            Token::Node(node) => items(&mut frames).push(node),
            Token::Mark(number) => {
                let last = tokens.peek().is_none() && frames.len() == 1;
                let items = items(&mut frames);
                if !attach(number, items, last.then_some(parent)) {
                    push_text(items, &extracted.mark_of(number));
                }
            }
        }
    }
    while frames.len() > 1 {
        reopen(&mut frames);
    }
    frames.pop().map(|frame| frame.items).unwrap_or_default()
}

fn items(frames: &mut [Frame]) -> &mut Vec<Handle> {
    let last = frames.len() - 1;
    &mut frames[last].items
}

fn has_mark(text: &str, extracted: &Extracted) -> bool {
    let pieces = extracted.pieces(text);
    pieces
        .iter()
        .any(|piece| matches!(piece, Piece::Attributes(..)))
}

fn tokens(node: Handle, extracted: &Extracted, notes: bool) -> Vec<Token> {
    let NodeData::Text { contents } = &node.data else {
        return vec![Token::Node(node)];
    };
    let contents = contents.borrow().to_string();
    let mut tokens = Vec::new();
    for piece in extracted.pieces(&contents) {
        match piece {
            Piece::Text(text) => brackets(text, notes, &mut tokens),
            Piece::Attributes(number, ..) => tokens.push(Token::Mark(number)),
            Piece::Formula(number, _) | Piece::Cite(number, ..) | Piece::Address(number, _) => {
                tokens.push(Token::Text(extracted.mark_of(number)));
            }
        }
    }
    tokens
}

fn brackets(text: &str, notes: bool, tokens: &mut Vec<Token>) {
    let mut rest = text;
    while let Some(at) = rest.find(['[', ']']) {
        let open = rest[at..].starts_with('[');
        let note = notes && open && rest[..at].ends_with('^');
        let before = &rest[..at - usize::from(note)];
        if !before.is_empty() {
            tokens.push(Token::Text(before.to_owned()));
        }
        tokens.push(match open {
            true => Token::Open(note),
            false => Token::Close,
        });
        rest = &rest[at + 1..];
    }
    if !rest.is_empty() {
        tokens.push(Token::Text(rest.to_owned()));
    }
}

/// Closes the innermost bracket: a note, a span, or literal brackets. Returns whether
/// the attributes after it were used.
fn close(frames: &mut Vec<Frame>, marked: Option<usize>) -> bool {
    let Some(frame) = frames.pop() else {
        return false;
    };
    let parent = items(frames);
    if frame.note {
        parent.push(dom::element("span", &[("class", NOTE)], frame.items));
        return false;
    }
    if let Some(number) = marked {
        let number = number.to_string();
        parent.push(dom::element("span", &[(OWN, &*number)], frame.items));
        return true;
    }
    push_text(parent, "[");
    join(parent, frame.items);
    push_text(parent, "]");
    false
}

/// Restores a bracket that is never closed.
fn reopen(frames: &mut Vec<Frame>) {
    if let Some(frame) = frames.pop() {
        let parent = items(frames);
        push_text(parent, if frame.note { "^[" } else { "[" });
        join(parent, frame.items);
    }
}

/// Gives attributes to the element before them, or to the block that they end.
fn attach(number: usize, items: &mut [Handle], block: Option<&Handle>) -> bool {
    let free = |node: &Handle| attribute(node, OWN).is_none();
    let is = |node: &Handle, names: &[&str]| tag_name(node).is_some_and(|n| names.contains(&n));
    let mut last = items.last().cloned();
    if last.as_ref().is_some_and(is_caption) {
        last = items.len().checked_sub(2).map(|at| items[at].clone());
    }
    let target = match last {
        Some(node) if is(&node, &["img", "a", "code", "span"]) && free(&node) => Some(node),
        _ => block
            .filter(|node| {
                let heading = is(node, &["h1", "h2", "h3", "h4", "h5", "h6"]);
                (heading || is_table_caption(items) && is(node, &["p"])) && free(node)
            })
            .cloned(),
    };
    let Some(target) = target else {
        return false;
    };
    set_attribute(&target, OWN, &number.to_string());
    trim_end(items);
    true
}

/// Whether a paragraph begins like a table caption.
fn is_table_caption(items: &[Handle]) -> bool {
    let first = items.first().and_then(text_of);
    first.is_some_and(|text| text.starts_with(": "))
}

/// Whether a node is a possible caption of an image.
pub fn is_caption(node: &Handle) -> bool {
    tag_name(node) == Some("span") && attribute(node, "class").as_deref() == Some(CAPTION)
}

/// The text of a text node.
pub fn text_of(node: &Handle) -> Option<String> {
    match &node.data {
        NodeData::Text { contents } => Some(contents.borrow().to_string()),
        _ => None,
    }
}

/// Removes and returns an element's attributes, with their number.
pub fn take<'a>(node: &Handle, extracted: &'a Extracted) -> Option<(usize, &'a Attributes)> {
    let number = attribute(node, OWN)?;
    dom::remove_attribute(node, OWN);
    extracted.attributes(&extracted.mark_of(number.parse().ok()?))
}

fn push_text(items: &mut Vec<Handle>, text: &str) {
    if let Some(NodeData::Text { contents }) = items.last().map(|node| &node.data) {
        contents.borrow_mut().push_slice(text);
    } else if !text.is_empty() {
        items.push(dom::text(text));
    }
}

fn join(items: &mut Vec<Handle>, more: Vec<Handle>) {
    for node in more {
        match text_of(&node) {
            Some(text) => push_text(items, &text),
            None => items.push(node),
        }
    }
}

fn trim_end(items: &mut [Handle]) {
    if let Some(NodeData::Text { contents }) = items.last().map(|node| &node.data) {
        let kept = contents.borrow().trim_end().to_owned();
        *contents.borrow_mut() = kept.as_str().into();
    }
}
