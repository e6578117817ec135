//! Reads foreign HTML with an HTML5 parser, which handles unclosed and stray tags as
//! browsers do, and writes it out with all tags closed.
//! Source: HTML Standard, 13.2 "Parsing HTML documents".

pub mod anchors;
pub mod complete;
pub mod sanitise;

use super::escape::escape;
use html5ever::serialize::{SerializeOpts, TraversalScope, serialize};
use html5ever::tendril::TendrilSink;
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{Attribute, LocalName, ParseOpts, QualName, local_name, ns, parse_fragment};
use markup5ever_rcdom::{Handle, Node, NodeData, RcDom, SerializableHandle};
use std::rc::Rc;

/// Reads a fragment as the content of a `<div>`; the handle's children are its nodes.
pub fn parse(html: &str) -> Handle {
    parse_with(html, false)
}

/// With `scripting`, the content of `<noscript>` is text, as in a browser that runs scripts.
fn parse_with(html: &str, scripting: bool) -> Handle {
    let options = ParseOpts {
        tree_builder: TreeBuilderOpts {
            scripting_enabled: scripting,
            ..TreeBuilderOpts::default()
        },
        ..ParseOpts::default()
    };
    let context = name_of("div");
    let parser = parse_fragment(RcDom::default(), options, context, Vec::new(), scripting);
    let dom = parser.one(html);
    // Moved to a separate tree: dropping the document empties all of its nodes.
    let children = dom.document.children.borrow()[0].children.take();
    element("div", &[], children)
}

/// Writes the children of a node.
pub fn serialise(root: &Handle) -> String {
    let options = SerializeOpts {
        scripting_enabled: false,
        traversal_scope: TraversalScope::ChildrenOnly(None),
        ..SerializeOpts::default()
    };
    let mut bytes = Vec::new();
    let node = SerializableHandle::from(root.clone());
    // Writing into memory does not fail.
    let _ = serialize(&mut bytes, &node, options);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The HTML of an output with all tags closed: elements left open end with it, and stray
/// closing tags are dropped. Its scripts and styles stay. `seen` is called with every id.
pub fn enclose(html: &str, seen: &mut dyn FnMut(&str)) -> String {
    let mut html = html.to_owned();
    // A few trees parse differently once written out, and are stable the second time.
    for _ in 0..3 {
        let root = parse(&html);
        remove_page_wide(&root, seen);
        let closed = serialise(&root);
        if stays_inside(&closed) {
            return closed;
        }
        html = closed;
    }
    // No known input gets here.
    format!("<pre>{}</pre>", escape(&html))
}

/// Drops elements that affect the whole page: link bases, metadata, redirects; and elements
/// that swallow all text after them.
fn remove_page_wide(root: &Handle, seen: &mut dyn FnMut(&str)) {
    let mut stack = vec![root.clone()];
    while let Some(node) = stack.pop() {
        if let NodeData::Element {
            template_contents, ..
        } = &node.data
            && let Some(contents) = template_contents.borrow_mut().take()
        {
            // Written as children, where a parser finds them again.
            node.children.replace(contents.children.take());
        }
        node.children.borrow_mut().retain(|child| {
            !matches!(
                tag_name(child),
                Some("base" | "meta" | "plaintext" | "frameset")
            )
        });
        if scrolls(&node) && attribute(&node, "tabindex").is_none() {
            set_attribute(&node, "tabindex", "0");
        }
        if let Some(id) = attribute(&node, "id") {
            seen(&id);
            if id == anchors::TOGGLE {
                remove_attribute(&node, "id");
            }
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
}

/// Whether an element's own style lets it scroll, so that it must be reachable by keyboard.
fn scrolls(node: &Handle) -> bool {
    let style = attribute(node, "style").unwrap_or_default();
    style.split(';').any(|rule| {
        let (name, value) = rule.split_once(':').unwrap_or_default();
        name.trim().starts_with("overflow") && matches!(value.trim(), "auto" | "scroll")
    })
}

/// Whether an element appended to the fragment is parsed as following it.
fn stays_inside(html: &str) -> bool {
    const END: &str = "data-holoscope-end";
    [false, true].into_iter().all(|scripting| {
        let root = parse_with(&format!("{html}<i {END}></i>"), scripting);
        let last = root.children.borrow().last().cloned();
        last.is_some_and(|last| attribute(&last, END).is_some())
    })
}

/// The text of a node and its descendants.
pub fn text_content(node: &Handle) -> String {
    let mut words = String::new();
    let mut stack = vec![node.clone()];
    while let Some(node) = stack.pop() {
        if let NodeData::Text { contents } = &node.data {
            words.push_str(&contents.borrow());
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    words
}

/// The text of a piece of HTML.
pub fn text_of_html(html: &str) -> String {
    text_content(&parse(html)).trim().to_owned()
}

/// The name of an HTML element; `None` for text and for elements of SVG and MathML.
pub fn tag_name(node: &Handle) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } if name.ns == ns!(html) => Some(&name.local),
        _ => None,
    }
}

pub fn attribute(node: &Handle, key: &str) -> Option<String> {
    let NodeData::Element { attrs, .. } = &node.data else {
        return None;
    };
    let attrs = attrs.borrow();
    let found = attrs.iter().find(|attr| &*attr.name.local == key);
    found.map(|attr| attr.value.to_string())
}

pub fn set_attribute(node: &Handle, key: &str, value: &str) {
    remove_attribute(node, key);
    if let NodeData::Element { attrs, .. } = &node.data {
        attrs.borrow_mut().push(pair(key, value));
    }
}

pub fn remove_attribute(node: &Handle, key: &str) {
    if let NodeData::Element { attrs, .. } = &node.data {
        attrs.borrow_mut().retain(|attr| &*attr.name.local != key);
    }
}

/// A new element.
pub fn element(name: &str, attributes: &[(&str, &str)], children: Vec<Handle>) -> Handle {
    let attrs = attributes.iter().map(|(key, value)| pair(key, value));
    let node = Node::new(NodeData::Element {
        name: name_of(name),
        attrs: std::cell::RefCell::new(attrs.collect()),
        template_contents: std::cell::RefCell::new(None),
        mathml_annotation_xml_integration_point: false,
    });
    set_children(&node, children);
    node
}

/// A new piece of text.
pub fn text(contents: &str) -> Handle {
    Node::new(NodeData::Text {
        contents: std::cell::RefCell::new(contents.into()),
    })
}

/// Sets the children of a node, and their parent.
pub fn set_children(node: &Handle, children: Vec<Handle>) {
    for child in &children {
        child.parent.set(Some(Rc::downgrade(node)));
    }
    node.children.replace(children);
}

fn pair(key: &str, value: &str) -> Attribute {
    Attribute {
        name: QualName::new(None, ns!(), LocalName::from(key)),
        value: value.into(),
    }
}

fn name_of(name: &str) -> QualName {
    let local = match name {
        "div" => local_name!("div"),
        other => LocalName::from(other),
    };
    QualName::new(None, ns!(html), local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(html: &str) -> String {
        enclose(html, &mut |_| {})
    }

    #[test]
    fn what_scrolls_is_reached_by_the_keyboard() {
        let scrolling = "<div style=\"color: red; overflow-x:auto\">a</div>";
        let reached = "<div style=\"color: red; overflow-x:auto\" tabindex=\"0\">a</div>";
        assert_eq!(enclose(scrolling, &mut |_| {}), reached);
        for still in ["<div style=\"overflow:hidden\">a</div>", "<div>a</div>"] {
            assert_eq!(enclose(still, &mut |_| {}), still);
        }
    }

    #[test]
    fn an_output_ends_where_it_ends() {
        for (html, expected) in [
            ("<b>x <a href=\"u\">y", "<b>x <a href=\"u\">y</a></b>"),
            ("</div></main></section>x", "x"),
            (
                "<table><tr><td>1",
                "<table><tbody><tr><td>1</td></tr></tbody></table>",
            ),
            (
                "<details><summary>s",
                "<details><summary>s</summary></details>",
            ),
            ("<!-- never closed", "<!-- never closed-->"),
            (
                "<script>if (a < b && c) {}</script>",
                "<script>if (a < b && c) {}</script>",
            ),
            ("<script>let x = '", "<script>let x = '</script>"),
            (
                "<style>td > p { color: red",
                "<style>td > p { color: red</style>",
            ),
            ("<textarea><b>", "<textarea>&lt;b&gt;</textarea>"),
            ("a<plaintext>b", "a"),
            (
                "<base href=\"https://x.org\"><meta http-equiv=refresh>x",
                "x",
            ),
            (
                "<html><head><style>p{}</style></head><body onload=\"x\"><p>y</body></html>",
                "<style>p{}</style><p>y</p>",
            ),
            ("<template><b>x</template>", "<template><b>x</b></template>"),
        ] {
            assert_eq!(closed(html), expected, "{html}");
        }
    }

    #[test]
    fn a_script_cannot_hide_its_end() {
        // Within a comment, a second `<script>` consumes the first `</script>`.
        let html = closed("<script><!-- <script>x");
        assert!(!stays_inside("<script><!-- <script>x</script>"));
        assert_eq!(html, "<script><!-- <script>x</script></script>");
        let html = closed("<noscript></div></main><b></noscript>");
        assert!(stays_inside(&html), "{html}");
    }

    #[test]
    fn figures_and_formulas_keep_their_names_and_styles() {
        for html in [
            "<svg viewBox=\"0 0 1 1\" preserveAspectRatio=\"none\"><defs><linearGradient id=\"g\"></linearGradient></defs><style>text { fill: var(--ink) }</style><foreignObject><p>x</p></foreignObject></svg>",
            "<math display=\"block\"><mrow><mi>x</mi><mo stretchy=\"false\">&lt;</mo></mrow></math>",
            "<table style=\"color: red\"><thead><tr><th>a</th></tr></thead></table>",
            "<img src=\"data:image/png;base64,AA==\"><details open=\"\"><summary>s</summary>x</details>",
            "<button onclick=\"f(1, &quot;a&quot;)\">b</button>",
        ] {
            assert_eq!(closed(html), html);
        }
        assert_eq!(
            closed("<svg><path d=\"M0\"/><text>a</text></svg>"),
            "<svg><path d=\"M0\"></path><text>a</text></svg>"
        );
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let html = closed(&"<div><b>".repeat(2_000));
        assert!(html.ends_with("</div>"));
    }
}
