//! Converts KaTeX's MathML, made for screen readers, into what browsers draw: MathML
//! Core and classes of the page's style. Source: MathML Core, W3C.

use super::Formula;
use super::alphabets::letter;
use super::builders::length;
use super::context::Tree;
use super::numbering::{Added, Label, Numbering, Reference};
use super::parts::{decorate, is_text, numbered_table, operator, plain, space, spacer, text_css};
use super::spacing;
use super::table::alignment;
use super::tree::{Class, Element, Node};
use katex::mathml_tree::{MathDomNode, MathNode, MathNodeType};

/// The conversion of one formula.
pub struct Conversion<'a> {
    numbering: &'a Numbering,
    formula: &'a Formula,
    added: Added,
    /// Labels whose equation is not done yet.
    labels: Vec<String>,
    unnumbered: bool,
    style: Style,
}

/// The current `displaystyle` and `scriptlevel` of MathML, and the size of letters
/// as set by `\large` and similar commands.
#[derive(Debug, Clone, Copy)]
struct Style {
    display: bool,
    level: usize,
    size: f64,
}

type Nodes = Result<Vec<Node>, String>;

impl<'a> Conversion<'a> {
    pub fn new(numbering: &'a Numbering, formula: &'a Formula) -> Self {
        Conversion {
            numbering,
            formula,
            added: Added::default(),
            labels: Vec::new(),
            unnumbered: false,
            style: Style {
                display: formula.display,
                level: 0,
                size: 1.0,
            },
        }
    }

    pub fn into_added(self) -> Added {
        self.added
    }

    /// The whole formula.
    ///
    /// # Errors
    /// The part that cannot be drawn.
    pub fn formula(&mut self, tree: Tree) -> Nodes {
        let mut lines = Vec::new();
        for line in tree.lines {
            lines.push(self.row(line)?);
        }
        let body = match lines.len() {
            1 => lines.remove(0),
            _ => vec![Node::Element(self.lines(lines))],
        };
        let tag = match tree.tag {
            Some(tag) => Some(self.row(tag)?),
            None => None,
        };
        Ok(match self.tag(tag)? {
            None => body,
            Some(tag) if self.formula.display => {
                let mut cell = Element::of("mtd", body);
                cell.set("style", "padding:0");
                let mut table = numbered_table(vec![(vec![Node::Element(cell)], Some(tag))]);
                table.set("displaystyle", "true");
                vec![Node::Element(table)]
            }
            Some(tag) => {
                let mut body = body;
                body.push(space(2.0));
                body.push(Node::Element(tag));
                body
            }
        })
    }

    /// The lines of a formula with `\\` outside of any environment.
    fn lines(&self, lines: Vec<Vec<Node>>) -> Element {
        let align = if self.formula.display {
            "center"
        } else {
            "left"
        };
        let rows = lines.into_iter().map(|line| {
            let mut cell = Element::of("mtd", line);
            cell.set("style", format!("{};padding:0.15em 0", alignment(align)));
            Node::Element(Element::of("mtr", vec![Node::Element(cell)]))
        });
        let mut table = Element::of("mtable", rows.collect());
        table.set("displaystyle", self.formula.display.to_string());
        table
    }

    /// The tag of a finished equation: its own, or a number if it has a label. The
    /// labels seen in it are assigned to it.
    fn tag(&mut self, own: Option<Vec<Node>>) -> Result<Option<Element>, String> {
        let labels = std::mem::take(&mut self.labels);
        let unnumbered = std::mem::take(&mut self.unnumbered);
        let mut text = None;
        let mut content = None;
        if let Some(nodes) = own {
            text = Some(plain(&nodes));
            content = Some(nodes);
        } else if !labels.is_empty() && !unnumbered {
            let number = self.numbering.next(&self.added);
            text = Some(format!("({number})"));
            let written = Element::of("mtext", vec![Node::Text(format!("({number})"))]);
            content = Some(vec![Node::Element(written)]);
            self.added.numbered += 1;
        }
        let anchor = self.numbering.anchor(&self.added);
        if !labels.is_empty() {
            self.added.anchored += 1;
        }
        for name in &labels {
            if self.numbering.is_taken(name, &self.added) {
                return Err(format!("the page has two equations labelled {name}"));
            }
            let text = text.as_deref().map(|text| {
                let inner = text
                    .strip_prefix('(')
                    .and_then(|text| text.strip_suffix(')'));
                inner.unwrap_or(text).to_owned()
            });
            let anchor = anchor.clone();
            self.added
                .labels
                .push((name.clone(), Label { text, anchor }));
        }
        Ok(content.map(|nodes| {
            let mut tag = Element::of("mrow", nodes);
            tag.set("class", "math-tag");
            if !labels.is_empty() {
                tag.set("id", anchor);
            }
            tag
        }))
    }

    /// Adjacent nodes, with the spaces between them.
    fn row(&mut self, nodes: Vec<MathDomNode>) -> Nodes {
        let mut row = self.nodes(nodes)?;
        spacing::put(&mut row, self.style.level > 0);
        Ok(row)
    }

    fn nodes(&mut self, nodes: Vec<MathDomNode>) -> Nodes {
        let mut out = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node {
                MathDomNode::Math(node) => out.extend(self.element(node)?),
                MathDomNode::Fragment(fragment) => out.extend(self.nodes(fragment.children)?),
                MathDomNode::Space(node) => out.push(space(node.width)),
                MathDomNode::Text(node) => {
                    let token = Element::of("mtext", vec![Node::Text(node.text)]);
                    out.push(Node::Element(token));
                }
            }
        }
        Ok(out)
    }

    fn element(&mut self, node: MathNode) -> Result<Option<Node>, String> {
        use MathNodeType as Type;
        let made = match node.node_type {
            Type::Mi | Type::Mn | Type::Mtext => self.token(node)?,
            Type::Mo => match operator(&node) {
                Some(operator) => operator,
                None if node.children.iter().all(is_text) => return Ok(None),
                None => self.group("mrow", node)?,
            },
            Type::Mspace => match spacer(&node) {
                Some(spacer) => spacer,
                None => return Ok(None),
            },
            Type::Mrow | Type::Math => match self.mark(&node)? {
                Some(mark) => return Ok(mark),
                None => self.group("mrow", node)?,
            },
            Type::Mphantom => self.group("mphantom", node)?,
            Type::Msqrt => self.group("msqrt", node)?,
            Type::Mpadded => self.padded(node)?,
            Type::Mstyle => self.styled(node)?,
            Type::Mfrac => self.fraction(node)?,
            Type::Mroot => self.scripts("mroot", node)?,
            Type::Msup => self.scripts("msup", node)?,
            Type::Msub => self.scripts("msub", node)?,
            Type::Msubsup => self.scripts("msubsup", node)?,
            Type::Mover => self.scripts("mover", node)?,
            Type::Munder => self.scripts("munder", node)?,
            Type::Munderover => self.scripts("munderover", node)?,
            Type::Mtable => self.table(node)?,
            other => {
                return Err(format!(
                    "a part of it, <{}>, cannot be drawn",
                    other.as_ref()
                ));
            }
        };
        Ok(Some(Node::Element(made)))
    }

    /// A label, which produces nothing, or a reference.
    fn mark(&mut self, node: &MathNode) -> Result<Option<Option<Node>>, String> {
        let attribute = |key: &str| node.attributes.get(key).cloned();
        if attribute("x-nonumber").is_some() {
            self.unnumbered = true;
            return Ok(Some(None));
        }
        if let Some(name) = attribute("x-label") {
            self.labels.push(name);
            return Ok(Some(None));
        }
        let parentheses = attribute("x-eqref").is_some();
        let Some(label) = attribute("x-eqref").or_else(|| attribute("x-ref")) else {
            return Ok(None);
        };
        let placeholder = self.numbering.placeholder(&self.added);
        self.added.references.push(Reference {
            label,
            parentheses,
            source: self.formula.source.clone(),
        });
        let text = Element::of("mtext", vec![Node::Reference(placeholder)]);
        Ok(Some(Some(Node::Element(text))))
    }

    fn group(&mut self, name: &'static str, mut node: MathNode) -> Result<Element, String> {
        let children = std::mem::take(&mut node.children);
        let mut made = Element::of(name, self.row(children)?);
        decorate(&mut made, &node);
        Ok(made)
    }

    /// A part that must be one element.
    fn single(&mut self, node: MathDomNode) -> Result<Node, String> {
        let mut nodes = self.row(vec![node])?;
        Ok(match nodes.pop() {
            Some(Node::Element(only)) if nodes.is_empty() => Node::Element(only),
            last => {
                nodes.extend(last);
                Node::Element(Element::of("mrow", nodes))
            }
        })
    }

    fn token(&mut self, node: MathNode) -> Result<Element, String> {
        if !node.children.iter().all(is_text) {
            return self.group("mrow", node);
        }
        let name = match node.node_type {
            MathNodeType::Mn => "mn",
            MathNodeType::Mtext => "mtext",
            _ => "mi",
        };
        let mut text: String = node.children.iter().map(MathDomNode::to_text).collect();
        let mut made = Element::new(name);
        let variant = node.attributes.get("mathvariant").map(String::as_str);
        match variant {
            Some("normal") if name == "mi" && text.chars().count() == 1 => {
                made.set("mathvariant", "normal");
            }
            Some(variant) if name == "mtext" => {
                let css = text_css(variant);
                if !css.is_empty() {
                    made.set("class", css);
                }
            }
            Some(variant) => text = text.chars().map(|c| letter(c, variant)).collect(),
            None => {}
        }
        made.children.push(Node::Text(text));
        made.class = Some(Class::Ord);
        decorate(&mut made, &node);
        Ok(made)
    }

    fn padded(&mut self, mut node: MathNode) -> Result<Element, String> {
        let attribute = |key: &str| node.attributes.get(key).cloned();
        let sizes = ["width", "height", "depth", "voffset"].map(|key| (key, attribute(key)));
        if sizes
            .iter()
            .any(|(_, size)| size.as_deref().is_some_and(|size| size.starts_with('+')))
        {
            // The text on an arrow, with padding at its sides.
            node.set_attribute("x-style", "padding:0 0.4em");
            return self.group("mrow", node);
        }
        let left = attribute("lspace").is_some_and(|space| space == "-1width");
        let mut made = self.group("mpadded", node)?;
        if left {
            // A label to the left of an arrow; MathML Core has no such unit.
            let mut body = Element::of("mrow", std::mem::take(&mut made.children));
            body.set("class", "math-llap");
            made.children = vec![Node::Element(body)];
        }
        for (key, size) in sizes {
            if let Some(size) = size {
                made.set(key, size);
            }
        }
        Ok(made)
    }

    fn styled(&mut self, mut node: MathNode) -> Result<Element, String> {
        let before = self.style;
        let mut made = Element::new("mstyle");
        if let Some(level) = node.attributes.get("scriptlevel") {
            self.style.level = level.parse().unwrap_or(0);
            made.set("scriptlevel", level.as_str());
        }
        if let Some(display) = node.attributes.get("displaystyle") {
            self.style.display = display == "true";
            made.set("displaystyle", display.as_str());
        }
        if node
            .attributes
            .get("style")
            .is_some_and(|style| style.starts_with("text-shadow"))
        {
            node.set_attribute("x-css", "math-pmb");
        }
        let size = node
            .attributes
            .get("mathsize")
            .and_then(|size| size.strip_suffix("em"));
        if let Some(size) = size.and_then(|size| size.parse::<f64>().ok()) {
            // KaTeX's sizes are relative to the text, MathML's to the parent.
            node.set_attribute("mathsize", length(size / before.size));
            self.style.size = size;
        }
        made.tight = Some(self.style.level > 0);
        made.children = self.nodes(std::mem::take(&mut node.children))?;
        self.style = before;
        decorate(&mut made, &node);
        Ok(made)
    }

    fn fraction(&mut self, mut node: MathNode) -> Result<Element, String> {
        let before = self.style;
        if !before.display {
            self.style.level += 1;
        }
        self.style.display = false;
        let mut parts = Vec::new();
        for part in std::mem::take(&mut node.children) {
            parts.push(self.single(part)?);
        }
        self.style = before;
        let mut made = Element::of("mfrac", parts);
        if let Some(thickness) = node.attributes.get("linethickness") {
            made.set("linethickness", thickness.as_str());
        }
        decorate(&mut made, &node);
        Ok(made)
    }

    /// The scripts above, below or next to a base.
    fn scripts(&mut self, name: &'static str, mut node: MathNode) -> Result<Element, String> {
        let before = self.style;
        let mut parts = Vec::new();
        for (i, part) in std::mem::take(&mut node.children).into_iter().enumerate() {
            if i > 0 {
                self.style = Style {
                    display: false,
                    level: before.level + 1,
                    ..before
                };
            }
            parts.push(self.single(part)?);
        }
        self.style = before;
        let mut made = Element::of(name, parts);
        for key in ["accent", "accentunder"] {
            if node.attributes.contains_key(key) {
                made.set(key, "true");
            }
        }
        decorate(&mut made, &node);
        Ok(made)
    }

    fn table(&mut self, node: MathNode) -> Result<Element, String> {
        let before = self.style;
        self.style.display = false;
        let mut rows = Vec::new();
        for row in node.children {
            if let MathDomNode::Math(row) = row {
                rows.push(self.table_row(row)?);
            }
        }
        self.style = before;
        let tagged = rows.iter().any(|(_, tag)| tag.is_some());
        if tagged && self.formula.display {
            return Ok(numbered_table(rows));
        }
        let rows = rows.into_iter().map(|(mut cells, tag)| {
            if let Some(tag) = tag {
                let mut cell = Element::of("mtd", vec![Node::Element(tag)]);
                cell.set("style", "padding:0 0 0 2em");
                cells.push(Node::Element(cell));
            }
            Node::Element(Element::of("mtr", cells))
        });
        Ok(Element::of("mtable", rows.collect()))
    }

    fn table_row(&mut self, row: MathNode) -> Result<(Vec<Node>, Option<Element>), String> {
        let equation = row.attributes.contains_key("x-equation");
        let (mut cells, mut tag) = (Vec::new(), None);
        for cell in row.children {
            let MathDomNode::Math(mut cell) = cell else {
                continue;
            };
            let children = self.row(std::mem::take(&mut cell.children))?;
            if cell.attributes.contains_key("x-tag") {
                tag = Some(children);
                continue;
            }
            let mut made = Element::of("mtd", children);
            decorate(&mut made, &cell);
            cells.push(Node::Element(made));
        }
        let tag = if equation { self.tag(tag)? } else { None };
        Ok((cells, tag))
    }
}
