//! Words, links, code and formulas within a block.

use super::nodes::{self, UNSEEN, has_class};
use super::pictures::Pictures;
use super::words::{address, escaped, longest_run};
use crate::export::dom;
use markup5ever_rcdom::{Handle, NodeData};

/// The Markdown of a node's children, on one line except for its line breaks.
pub fn children(node: &Handle, pictures: &mut Pictures) -> String {
    let mut text = String::new();
    let children = node.children.borrow();
    for (at, child) in children.iter().enumerate() {
        match &child.data {
            NodeData::Text { contents } => push_words(&mut text, &contents.borrow()),
            NodeData::Element { .. } => {
                let next = children[at + 1..].iter().find(|next| !is_unseen(next));
                let next = next.and_then(|next| dom::text_content(next).chars().next());
                push_element(&mut text, child, next, pictures);
            }
            _ => {}
        }
    }
    text
}

/// [`children`] for places that allow no line break: a heading or a table cell.
pub fn one_line(node: &Handle, pictures: &mut Pictures) -> String {
    let text = children(node, pictures);
    let text = text.replace("\n\n$$\n", "$").replace("\n$$\n\n", "$");
    let text = text.trim().replace("\\\n", "<br>").replace('\n', " ");
    text.trim_end_matches("<br>").to_owned()
}

fn is_unseen(node: &Handle) -> bool {
    UNSEEN.iter().any(|class| has_class(node, class))
}

/// Appends an element; `next` is the character that follows it.
fn push_element(text: &mut String, node: &Handle, next: Option<char>, pictures: &mut Pictures) {
    if is_unseen(node) {
        return;
    }
    if let Some(anchor) = pictures.anchor(node) {
        text.push_str(&anchor);
    }
    // Emphasis marks next to a letter or to each other are read as text.
    let own = dom::text_content(node);
    let touches = |c: char| c.is_alphanumeric() || c == '*';
    let is_tight = (text.ends_with(touches) && !own.starts_with(char::is_whitespace))
        || (next.is_some_and(touches) && !own.ends_with(char::is_whitespace));
    let inner = |pictures: &mut Pictures| children(node, pictures);
    let tag = nodes::tag_name(node).unwrap_or_default();
    match tag {
        "em" | "i" | "cite" | "dfn" if is_tight => {
            push_wrapped(text, &inner(pictures), "<em>", "</em>");
        }
        "strong" | "b" if is_tight => {
            push_wrapped(text, &inner(pictures), "<strong>", "</strong>");
        }
        "em" | "i" | "cite" | "dfn" => push_wrapped(text, &inner(pictures), "*", "*"),
        "strong" | "b" => push_wrapped(text, &inner(pictures), "**", "**"),
        "del" | "s" | "strike" => push_wrapped(text, &inner(pictures), "<del>", "</del>"),
        "sup" | "sub" | "kbd" | "mark" | "ins" | "u" => {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            push_wrapped(text, &inner(pictures), &open, &close);
        }
        "code" | "samp" => {
            if text.ends_with('`') {
                // Two adjacent code spans would be read as one.
                text.push_str("<!-- -->");
            }
            text.push_str(&code(&dom::text_content(node)));
        }
        "a" => match dom::attribute(node, "href") {
            Some(href) => {
                let inner = inner(pictures);
                let inner = inner.trim();
                text.push_str(&format!("[{inner}]({})", address(&href)));
            }
            None => text.push_str(&inner(pictures)),
        },
        "br" => text.push_str("\\\n"),
        "math" => text.push_str(&formula(node)),
        "img" | "svg" => text.push_str(&pictures.keep(node)),
        "input" if dom::attribute(node, "type").as_deref() == Some("checkbox") => {
            let done = dom::attribute(node, "checked").is_some();
            text.push_str(if done { "[x]" } else { "[ ]" });
        }
        "style" | "script" | "template" | "input" | "button" => {}
        "p" | "div" | "li" | "section" | "pre" if !text.is_empty() => {
            text.push_str("\\\n");
            text.push_str(&inner(pictures));
        }
        _ => text.push_str(&inner(pictures)),
    }
}

/// Spaces stay outside of the marks, as Markdown requires.
fn push_wrapped(text: &mut String, inner: &str, open: &str, close: &str) {
    let trimmed = inner.trim();
    if trimmed.is_empty() {
        return text.push_str(inner);
    }
    let before = &inner[..inner.len() - inner.trim_start().len()];
    let after = &inner[inner.trim_end().len()..];
    for part in [before, open, trimmed, close, after] {
        text.push_str(part);
    }
}

/// A formula between dollars; a display formula as a block.
fn formula(math: &Handle) -> String {
    let Some(tex) = nodes::find(math, "annotation").map(|node| dom::text_content(&node)) else {
        return escaped(&dom::text_content(math));
    };
    let tex = without_labels(tex.trim());
    match dom::attribute(math, "display").as_deref() {
        Some("block") => format!("\n\n$$\n{tex}\n$$\n\n"),
        // A bar would divide a table cell, and a line break could begin a list.
        _ => {
            let tex = tex.replace("\\|", "\\Vert ").replace('|', "\\vert ");
            format!("${}$", tex.split_whitespace().collect::<Vec<_>>().join(" "))
        }
    }
}

/// Neither GitHub nor Quarto draws a formula with a `\label`; the references already hold its
/// number.
fn without_labels(tex: &str) -> String {
    let mut rest = tex;
    let mut kept = String::new();
    while let Some(at) = rest.find("\\label{") {
        kept.push_str(rest[..at].trim_end());
        kept.push(' ');
        let after = &rest[at..];
        rest = after.find('}').map_or("", |end| &after[end + 1..]);
    }
    (kept + rest).trim().to_owned()
}

/// Code between as many backticks as it needs.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text, '`') + 1);
    let space = match text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        true => " ",
        // Markdown strips one space on both sides of a code span.
        false if text.starts_with(' ') && text.ends_with(' ') => " ",
        false => "",
    };
    format!("{ticks}{space}{}{space}{ticks}", text.replace('\n', " "))
}

/// Collapses runs of white space to one space, as HTML does.
fn push_words(text: &mut String, words: &str) {
    let collapses = |c: char| matches!(c, ' ' | '\n' | '\t' | '\r');
    let mut last_is_space = text.is_empty() || text.ends_with([' ', '\n']);
    for c in escaped(words).chars() {
        match collapses(c) {
            true if last_is_space => {}
            true => {
                text.push(' ');
                last_is_space = true;
            }
            false => {
                text.push(c);
                last_is_space = false;
            }
        }
    }
}
