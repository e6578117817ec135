//! The smallest parts of a formula, and the attributes common to all parts.

use super::alphabets::letter;
use super::builders::length;
use super::tree::{Class, Element, Node, WIDE};
use katex::mathml_tree::{MathDomNode, MathNode};

/// A table as wide as the page, with its equations in the middle and their tags
/// at the right.
pub fn numbered_table(rows: Vec<(Vec<Node>, Option<Element>)>) -> Element {
    let glue = || {
        let mut glue = Element::new("mtd");
        glue.set("class", "math-glue");
        Node::Element(glue)
    };
    let rows = rows.into_iter().map(|(mut cells, tag)| {
        cells.insert(0, glue());
        cells.push(glue());
        let mut cell = Element::of("mtd", tag.map(Node::Element).into_iter().collect());
        cell.set("style", "padding:0");
        cells.push(Node::Element(cell));
        Node::Element(Element::of("mtr", cells))
    });
    let mut table = Element::of("mtable", rows.collect());
    table.set("class", WIDE);
    table
}

pub fn is_text(node: &MathDomNode) -> bool {
    matches!(node, MathDomNode::Text(_) | MathDomNode::Space(_))
}

pub fn space(em: f64) -> Node {
    let mut space = Element::new("mspace");
    if em < 0.0 {
        // A width must not be negative.
        space.set("style", format!("margin-left:{}", length(em)));
    } else {
        space.set("width", length(em));
    }
    Node::Element(space)
}

pub fn spacer(node: &MathNode) -> Option<Element> {
    let mut made = Element::new("mspace");
    for key in ["width", "height", "depth", "mathbackground"] {
        if let Some(value) = node.attributes.get(key) {
            made.set(key, value.as_str());
        }
    }
    if made.attributes.contains_key("mathbackground") {
        made.class = Some(Class::Ord);
    }
    (!made.attributes.is_empty()).then_some(made)
}

/// An operator; `None` for one that is invisible or not text.
pub fn operator(node: &MathNode) -> Option<Element> {
    if !node.children.iter().all(is_text) {
        return None;
    }
    let mut text: String = node.children.iter().map(MathDomNode::to_text).collect();
    let attribute = |key: &str| node.attributes.get(key).map(String::as_str);
    // U+2061 marks the application of a function.
    if text == "\u{2061}" || (text.is_empty() && attribute("x-class").is_none()) {
        return None;
    }
    if let Some(variant) = attribute("mathvariant") {
        text = text.chars().map(|c| letter(c, variant)).collect();
    }
    let fence = attribute("fence") == Some("true");
    let mut made = Element::of("mo", vec![Node::Text(text)]);
    // The spaces are inserted by `spacing`.
    made.set("lspace", "0em");
    made.set("rspace", "0em");
    if attribute("x-class") == Some("op") {
        // KaTeX has decided the position of the limits.
        made.set("movablelimits", "false");
    }
    let stretchy = attribute("stretchy").unwrap_or(if fence { "true" } else { "false" });
    made.set("stretchy", stretchy);
    if fence || attribute("minsize").is_some() {
        made.set("symmetric", "true");
    }
    for key in ["minsize", "maxsize", "largeop"] {
        if let Some(value) = attribute(key) {
            made.set(key, value);
        }
    }
    decorate(&mut made, node);
    Some(made)
}

/// Attributes that all elements may have: colours, size, class, and the style
/// set by our own builders. A formula cannot set another.
pub fn decorate(made: &mut Element, node: &MathNode) {
    let attribute = |key: &str| node.attributes.get(key).map(String::as_str);
    for key in ["mathcolor", "mathbackground", "mathsize"] {
        if let Some(value) = attribute(key) {
            made.set(key, value);
        }
    }
    if let Some(class) = attribute("x-class") {
        made.class = Some(Class::named(class));
    }
    if let Some(css) = attribute("x-css") {
        made.set("class", css);
    }
    let border = attribute("x-border").filter(|color| {
        let color = color.strip_prefix('#').unwrap_or(color);
        color.chars().all(|c| c.is_ascii_alphanumeric())
    });
    let style = attribute("x-style").map(str::to_owned);
    if let Some(style) = style.or_else(|| border.map(|color| format!("border-color:{color}"))) {
        made.set("style", style);
    }
}

/// The class of text in another font.
pub fn text_css(variant: &str) -> String {
    let mut css = Vec::new();
    if variant.contains("bold") {
        css.push("math-bold");
    }
    if variant.contains("italic") {
        css.push("math-italic");
    }
    if variant.contains("sans") {
        css.push("math-sans");
    }
    if variant == "monospace" {
        css.push("math-mono");
    }
    css.join(" ")
}

/// The letters of a tag.
pub fn plain(nodes: &[Node]) -> String {
    let texts = nodes.iter().map(|node| match node {
        Node::Text(text) => text.clone(),
        Node::Element(element) => plain(&element.children),
        Node::Reference(_) => String::new(),
    });
    texts.collect()
}
