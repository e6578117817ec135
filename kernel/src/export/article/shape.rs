//! Shapes the blocks of a parsed text: fenced divs, figures, tables with captions,
//! callouts, and the attributes left on the elements of a line.
//! Source: pandoc.org/MANUAL.html, "fenced_divs"; Quarto, "Figures", "Tables".

use super::figures::{self, Heading, Whole};
use super::inline::{self, OWN, is_caption, text_of};
use super::labels::{Labels, word};
use super::{Place, callouts, tables};
use crate::export::dom;
use crate::export::dom::{attribute, remove_attribute, set_attribute, set_children, tag_name};
use crate::export::extract::Extracted;
use crate::export::extract::attributes::Attributes;
use markup5ever_rcdom::{Handle, NodeData};

/// Holds the index of the figure that an element's parts belong to.
const PARTS: &str = "data-parts";

/// Hold the id of a heading and the line on which it is given.
pub const LABEL: &str = "data-label";
pub const LINE: &str = "data-line";

/// The inputs for shaping one text.
pub struct Shaper<'a> {
    pub extracted: &'a Extracted,
    pub labels: &'a mut Labels,
    /// The cell's place in the notebook, from 1.
    pub cell: usize,
    /// Whether pictures with a caption become figures even without attributes.
    pub implicit: bool,
    wholes: Vec<Whole>,
}

impl<'a> Shaper<'a> {
    pub fn new(
        extracted: &'a Extracted,
        labels: &'a mut Labels,
        cell: usize,
        implicit: bool,
    ) -> Self {
        Shaper {
            extracted,
            labels,
            cell,
            implicit,
            wholes: Vec::new(),
        }
    }

    /// Shapes all blocks of a text.
    pub fn shape(&mut self, root: &Handle) {
        let mut stack: Vec<(Handle, Option<usize>)> = vec![(root.clone(), None)];
        while let Some((node, whole)) = stack.pop() {
            let whole = match attribute(&node, PARTS) {
                Some(index) => {
                    remove_attribute(&node, PARTS);
                    index.parse().ok()
                }
                None => whole,
            };
            let children = node.children.take();
            let children = self.children(children, whole);
            stack.extend(children.iter().rev().map(|child| (child.clone(), whole)));
            set_children(&node, children);
        }
    }

    fn children(&mut self, children: Vec<Handle>, whole: Option<usize>) -> Vec<Handle> {
        let mut out: Vec<Handle> = Vec::with_capacity(children.len());
        let mut rest = children.into_iter().peekable();
        while let Some(node) = rest.next() {
            match tag_name(&node) {
                Some("table") => {
                    // The caption is below or above the table.
                    let blank =
                        rest.next_if(|next| text_of(next).is_some_and(|t| t.trim().is_empty()));
                    let below = rest.next_if(tables::is_caption);
                    let caption = below.or_else(|| pop_caption(&mut out));
                    out.push(self.table(node, caption, whole));
                    out.extend(blank);
                }
                Some("p") => out.push(self.paragraph(node, whole)),
                Some("div") => out.extend(self.div(node, whole)),
                Some("blockquote") => out.push(callouts::alert(node)),
                Some("span") if is_caption(&node) => {}
                Some(name) => {
                    // Scrollable elements must be reachable by keyboard.
                    if name == "pre" {
                        set_attribute(&node, "tabindex", "0");
                    }
                    self.own(&node);
                    out.push(node);
                }
                None => out.push(node),
            }
        }
        out
    }

    fn place(&self, number: usize) -> Place {
        Place {
            cell: self.cell,
            line: self.extracted.line(number),
        }
    }

    /// Applies the attributes of an inline link, span, heading or picture.
    fn own(&mut self, node: &Handle) {
        let Some((number, attributes)) = inline::take(node, self.extracted) else {
            return;
        };
        let heading = matches!(
            tag_name(node),
            Some("h1" | "h2" | "h3" | "h4" | "h5" | "h6")
        );
        if let Some(id) = &attributes.id {
            set_attribute(node, "id", id);
            if !heading && figures::kind(id).is_some_and(|kind| kind != "sec") {
                let reason = format!(
                    "the label {id} is on an element without a number; a figure is a picture \
                     in a paragraph of its own"
                );
                self.labels.faults.push(self.place(number).fault(reason));
            }
        }
        if heading {
            set_attribute(node, LINE, &self.extracted.line(number).to_string());
            if let Some(id) = &attributes.id {
                set_attribute(node, LABEL, id);
            }
        }
        if tag_name(node) == Some("img") {
            picture(node, attributes);
        }
        decorate(node, attributes);
    }

    fn paragraph(&mut self, paragraph: Handle, whole: Option<usize>) -> Handle {
        let Some((outer, image, caption)) = figures::lone_picture(&paragraph) else {
            // Attributes of a caption without its table.
            if let Some((number, _)) = inline::take(&paragraph, self.extracted) {
                let mark = dom::text(&self.extracted.mark_of(number));
                paragraph.children.borrow_mut().push(mark);
            }
            return paragraph;
        };
        let own = inline::take(&image, self.extracted);
        let own = own.or_else(|| inline::take(&outer, self.extracted));
        if own.is_none() && (!self.implicit || caption.is_empty()) {
            return paragraph;
        }
        paragraph.children.take();
        let mut heading = Heading::Nothing;
        let mut id = None;
        if let Some((number, attributes)) = own {
            picture(&image, attributes);
            id = attributes.id.as_deref();
            if let Some(id) = id {
                heading = self.number(id, whole, number);
            }
        }
        let figure = figures::figure(id, &heading, vec![outer], caption, false);
        if let Some((_, attributes)) = own {
            decorate(&figure, attributes);
        }
        figure
    }

    fn number(&mut self, label: &str, whole: Option<usize>, number: usize) -> Heading {
        let place = self.place(number);
        let whole = whole.and_then(|index| self.wholes.get_mut(index));
        figures::number(self.labels, label, whole, place)
    }

    fn table(&mut self, table: Handle, caption: Option<Handle>, whole: Option<usize>) -> Handle {
        tables::align(&table);
        let Some(caption) = caption else {
            return table;
        };
        let own = inline::take(&caption, self.extracted);
        let nodes = tables::caption_text(&caption);
        let id = own.and_then(|(_, attributes)| attributes.id.as_deref());
        let heading = match (id, own) {
            (Some(id), Some((number, _))) => self.number(id, whole, number),
            _ => Heading::Nothing,
        };
        let figure = figures::figure(id, &heading, vec![table], nodes, true);
        if let Some((_, attributes)) = own {
            decorate(&figure, attributes);
        }
        figure
    }

    /// Keeps a div written in HTML; a fenced one becomes what its attributes specify.
    fn div(&mut self, div: Handle, whole: Option<usize>) -> Vec<Handle> {
        let class = attribute(&div, "class").unwrap_or_default();
        let Some((number, attributes)) = self.extracted.attributes(&class) else {
            return vec![div];
        };
        if hidden(attributes) {
            return Vec::new();
        }
        remove_attribute(&div, "class");
        let kind = attributes.id.as_deref().and_then(figures::kind);
        let made = match (kind, &attributes.id) {
            (Some("fig" | "tbl" | "lst"), Some(id)) => {
                self.whole(&div, id, number, attributes, whole)
            }
            (Some("eq" | "sec"), _) | (None, _) => match callouts::callout(&div, attributes) {
                Some(callout) => callout,
                None => self.plain(&div, number, attributes),
            },
            (Some(kind), Some(id)) => self.theorem(&div, kind, id, number),
            (Some(_), None) => div,
        };
        if let Some(id) = &attributes.id {
            set_attribute(&made, "id", id);
        }
        decorate(&made, attributes);
        vec![made]
    }

    fn plain(&mut self, div: &Handle, number: usize, attributes: &Attributes) -> Handle {
        let parts = figures::taken(div);
        set_children(div, parts.clone());
        if let Some(laid) = self.laid_out(parts, number, attributes) {
            set_children(div, laid);
        }
        div.clone()
    }

    fn laid_out(
        &mut self,
        parts: Vec<Handle>,
        number: usize,
        attributes: &Attributes,
    ) -> Option<Vec<Handle>> {
        let get = |key: &str| attributes.get(key).map(str::to_owned);
        match figures::rows(&get, parts.len()) {
            Ok(rows) => rows.map(|rows| figures::lay_out(&rows, parts)),
            Err(reason) => {
                self.labels.faults.push(self.place(number).fault(reason));
                None
            }
        }
    }

    /// A div that is one figure, table or listing; its last paragraph is the caption.
    fn whole(
        &mut self,
        div: &Handle,
        id: &str,
        number: usize,
        attributes: &Attributes,
        outer: Option<usize>,
    ) -> Handle {
        let heading = self.number(id, outer, number);
        let mut parts = figures::taken(div);
        let caption = caption_of(&mut parts, attributes);
        let content = match self.laid_out(parts.clone(), number, attributes) {
            Some(laid) => laid,
            None => parts,
        };
        let above = figures::kind(id) != Some("fig");
        let figure = figures::figure(Some(id), &heading, content, caption, above);
        if let Heading::Number(_, number) = heading {
            self.wholes.push(Whole { number, parts: 0 });
            set_attribute(&figure, PARTS, &(self.wholes.len() - 1).to_string());
        }
        figure
    }

    /// A theorem, lemma or similar, named by its first heading or its `name`.
    fn theorem(&mut self, div: &Handle, kind: &'static str, id: &str, number: usize) -> Handle {
        let count = self.labels.next(kind);
        self.labels.define(id, count.clone(), self.place(number));
        let mut children = figures::taken(div);
        let name = callouts::pop_heading(&mut children);
        let mut head = vec![dom::text(&format!("{}\u{a0}{count}", word(kind)))];
        if let Some(name) = name {
            head.push(dom::text(" ("));
            head.extend(name);
            head.push(dom::text(")"));
        }
        let head = dom::element("strong", &[("class", "theorem-title")], head);
        match children.first().filter(|node| tag_name(node) == Some("p")) {
            Some(first) => {
                let mut nodes = vec![head, dom::text(" ")];
                nodes.extend(first.children.take());
                set_children(first, nodes);
            }
            None => children.insert(0, dom::element("p", &[], vec![head])),
        }
        dom::element("div", &[("class", "theorem")], children)
    }
}

/// Removes a caption above its table, and the blank text between them.
fn pop_caption(out: &mut Vec<Handle>) -> Option<Handle> {
    let blank = |node: &Handle| text_of(node).is_some_and(|text| text.trim().is_empty());
    let at = out.iter().rposition(|node| !blank(node))?;
    if !tables::is_caption(&out[at]) {
        return None;
    }
    out.truncate(at + 1);
    out.pop()
}

/// The caption of a div: its last paragraph of text, or an attribute.
fn caption_of(parts: &mut Vec<Handle>, attributes: &Attributes) -> Vec<Handle> {
    for key in ["fig-cap", "tbl-cap", "lst-cap"] {
        if let Some(text) = attributes.get(key) {
            return vec![dom::text(text)];
        }
    }
    let Some(last) = parts.last().filter(|last| tag_name(last) == Some("p")) else {
        return Vec::new();
    };
    let children = figures::meaningful(last);
    let picture = |node: &Handle| tag_name(node) == Some("img") || is_caption(node);
    if children.is_empty() || children.iter().any(picture) || parts.len() == 1 {
        return Vec::new();
    }
    let caption = last.children.take();
    parts.pop();
    caption
}

/// Whether a div is for formats other than HTML.
fn hidden(attributes: &Attributes) -> bool {
    let html = |key: &str| {
        let formats = attributes.get(key)?;
        Some(
            formats
                .split([' ', ','])
                .any(|format| format.starts_with("html")),
        )
    };
    let visible = attributes.has("content-visible");
    (visible && (html("when-format") == Some(false) || html("unless-format") == Some(true)))
        || (attributes.has("content-hidden")
            && html("when-format") != Some(false)
            && html("unless-format") != Some(true))
}

/// Sets the alternative text and the size of a picture.
fn picture(image: &Handle, attributes: &Attributes) {
    let alt = attributes.get("fig-alt").or_else(|| attributes.get("alt"));
    if let Some(alt) = alt {
        set_attribute(image, "alt", alt);
    }
    figures::size(image, attributes);
}

/// Adds classes to those of an element.
fn decorate(node: &Handle, attributes: &Attributes) {
    let own = attribute(node, "class").unwrap_or_default();
    let mut classes: Vec<&str> = own.split(' ').filter(|class| !class.is_empty()).collect();
    for class in &attributes.classes {
        if !classes.contains(&class.as_str()) {
            classes.push(class);
        }
    }
    if !classes.is_empty() && matches!(node.data, NodeData::Element { .. }) {
        set_attribute(node, "class", &classes.join(" "));
    }
    remove_attribute(node, OWN);
}
