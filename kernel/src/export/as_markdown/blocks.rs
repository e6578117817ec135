//! Blocks: headings, paragraphs, lists, code, figures.

use super::pictures::Pictures;
use super::{classes, dom, has_class, inlines, tables};
use markup5ever_rcdom::{Handle, NodeData};
use std::collections::HashSet;

/// Parts of the page that are for the page alone.
const UNSEEN: [&str; 4] = ["contents", "preview", "anchor", "way"];

/// A page's blocks in the making.
pub struct Blocks<'p> {
    pub pictures: &'p mut Pictures,
    /// Ids that links lead to.
    pub targets: HashSet<String>,
}

impl Blocks<'_> {
    /// A node's children as blocks: runs of what stands in lines are paragraphs.
    pub fn children(&mut self, node: &Handle) -> Vec<String> {
        let mut blocks = Vec::new();
        let mut line = Vec::new();
        for child in node.children.borrow().iter() {
            if is_inline(child) {
                line.push(child.clone());
                continue;
            }
            self.paragraph(&mut blocks, std::mem::take(&mut line));
            blocks.extend(self.block(child));
        }
        self.paragraph(&mut blocks, line);
        blocks.retain(|block| !block.trim().is_empty());
        blocks
    }

    fn paragraph(&mut self, blocks: &mut Vec<String>, line: Vec<Handle>) {
        if line.is_empty() {
            return;
        }
        let text = inlines::children(&dom::element("p", &[], line), self.pictures);
        // A formula of its own divides it.
        for part in text.split("\n\n") {
            let part = part.trim_matches(['\n', ' ']);
            if !part.is_empty() {
                blocks.push(guarded(part));
            }
        }
    }

    fn block(&mut self, node: &Handle) -> Vec<String> {
        if UNSEEN.iter().any(|class| has_class(node, class)) {
            return Vec::new();
        }
        let mut blocks = self.anchor(node);
        let tag = super::tag_name(node).unwrap_or_default();
        match tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(tag.as_bytes()[1] - b'0');
                let words = inlines::children(node, self.pictures).replace('\n', " ");
                blocks.push(format!("{} {}", "#".repeat(level), words.trim()));
            }
            "p" | "figcaption" | "summary" | "dt" => {
                let children = node.children.borrow().clone();
                self.paragraph(&mut blocks, children);
            }
            "pre" => blocks.push(fenced(node)),
            "ul" | "ol" => blocks.push(self.list(node, tag == "ol")),
            "dl" => blocks.push(self.facts(node)),
            "blockquote" => blocks.push(quoted(&self.children(node).join("\n\n"))),
            "hr" => blocks.push("---".to_owned()),
            "table" => blocks.extend(tables::table(node, self.pictures)),
            "details" if has_class(node, "source") => blocks.extend(self.without_summary(node)),
            "details" if !has_class(node, "callout") => blocks.extend(self.folded(node)),
            "style" | "script" | "template" | "nav" => {}
            _ if has_class(node, "callout") => blocks.push(self.callout(node)),
            _ => blocks.extend(self.children(node)),
        }
        blocks
    }

    /// A place that a link leads to. Quarto and GitHub give headings other ids.
    fn anchor(&mut self, node: &Handle) -> Vec<String> {
        let id = dom::attribute(node, "id").filter(|id| self.targets.remove(id));
        let anchor = id.map(|id| format!("<a id=\"{}\"></a>", crate::export::escape::escape(&id)));
        anchor.into_iter().collect()
    }

    fn list(&mut self, node: &Handle, ordered: bool) -> String {
        let start = dom::attribute(node, "start").and_then(|start| start.parse().ok());
        let mut number: usize = start.unwrap_or(1);
        let mut items = Vec::new();
        let mut loose = false;
        for item in node.children.borrow().iter() {
            if super::tag_name(item) != Some("li") {
                continue;
            }
            let mark = match ordered {
                true => format!("{number}. "),
                false => "- ".to_owned(),
            };
            number += 1;
            let mut blocks = self.anchor(item);
            blocks.extend(self.children(item));
            if blocks.len() > 1 && blocks[0].starts_with("<a id=") {
                let anchor = blocks.remove(0);
                blocks[0].insert_str(0, &anchor);
            }
            loose |= blocks.iter().skip(1).any(|block| !begins_a_list(block));
            let text = blocks.join(if loose { "\n\n" } else { "\n" });
            items.push(mark.clone() + &indented(&text, mark.len()));
        }
        items.join(if loose { "\n\n" } else { "\n" })
    }

    /// Names and what they mean, a line each.
    fn facts(&mut self, node: &Handle) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut stack: Vec<Handle> = node.children.borrow().iter().rev().cloned().collect();
        while let Some(child) = stack.pop() {
            match super::tag_name(&child) {
                Some("dt") => {
                    let name = inlines::children(&child, self.pictures);
                    lines.push(format!("- **{}**:", name.trim()));
                }
                Some("dd") => {
                    let text = self.children(&child).join("\n\n");
                    match lines.last_mut() {
                        Some(line) => *line += &format!(" {}", indented(&text, 2)),
                        None => lines.push(format!("- {}", indented(&text, 2))),
                    }
                }
                _ => stack.extend(child.children.borrow().iter().rev().cloned()),
            }
        }
        lines.join("\n")
    }

    fn without_summary(&mut self, node: &Handle) -> Vec<String> {
        let children = node.children.borrow().clone();
        let is_summary = |child: &Handle| super::tag_name(child) == Some("summary");
        let rest = children.into_iter().filter(|child| !is_summary(child));
        self.children(&dom::element("div", &[], rest.collect()))
    }

    /// What opens with a click, on GitHub as well.
    fn folded(&mut self, node: &Handle) -> Vec<String> {
        let summary = super::find(node, "summary").map(|summary| dom::text_content(&summary));
        let summary = summary.unwrap_or_default();
        let summary = crate::export::escape::escape(summary.trim());
        let mut blocks = vec![format!("<details>\n<summary>{summary}</summary>")];
        blocks.extend(self.without_summary(node));
        blocks.push("</details>".to_owned());
        blocks
    }

    /// GitHub's alerts, whose kinds are Quarto's callouts.
    fn callout(&mut self, node: &Handle) -> String {
        let kinds = ["note", "tip", "important", "warning", "caution"];
        let all = classes(node);
        let is_kind = |kind: &&str| {
            all.iter()
                .any(|class| class.strip_prefix("callout-") == Some(kind))
        };
        let kind = kinds.into_iter().find(is_kind).unwrap_or("note");
        let mut text = format!("[!{}]\n", kind.to_uppercase());
        let mut blocks = Vec::new();
        for child in node.children.borrow().iter() {
            match has_class(child, "callout-title") {
                true => {
                    let title = inlines::children(child, self.pictures);
                    if !title.trim().eq_ignore_ascii_case(kind) {
                        blocks.push(format!("**{}**", title.trim()));
                    }
                }
                false => {
                    let alone = dom::element("div", &[], vec![child.clone()]);
                    blocks.extend(self.children(&alone));
                }
            }
        }
        text += &blocks.join("\n\n");
        quoted(&text)
    }
}

/// What stands in a line of text.
fn is_inline(node: &Handle) -> bool {
    match &node.data {
        NodeData::Text { .. } => true,
        NodeData::Element { .. } => matches!(
            super::tag_name(node).unwrap_or_default(),
            "a" | "abbr"
                | "b"
                | "bdi"
                | "bdo"
                | "br"
                | "cite"
                | "code"
                | "data"
                | "del"
                | "dfn"
                | "em"
                | "i"
                | "img"
                | "input"
                | "ins"
                | "kbd"
                | "label"
                | "mark"
                | "math"
                | "q"
                | "s"
                | "samp"
                | "small"
                | "span"
                | "strong"
                | "sub"
                | "sup"
                | "svg"
                | "time"
                | "tt"
                | "u"
                | "var"
                | "wbr"
        ),
        _ => true,
    }
}

/// Code, or what a cell has printed.
fn fenced(node: &Handle) -> String {
    let text = dom::text_content(node);
    let text = text.trim_matches('\n');
    let fence = "`".repeat((inlines::longest_run(text, '`') + 1).max(3));
    let language = match has_class(node, "code") {
        true => language(node),
        false => "text".to_owned(),
    };
    format!("{fence}{language}\n{text}\n{fence}")
}

/// The language of a listing, which the page keeps as a class; cells are Rust.
fn language(node: &Handle) -> String {
    let code = super::find(node, "code");
    let named = code
        .iter()
        .flat_map(classes)
        .find_map(|class| class.strip_prefix("language-").map(str::to_owned));
    named.unwrap_or_else(|| "rust".to_owned())
}

/// Whether a block is a list; a paragraph that looks like one is guarded.
fn begins_a_list(block: &str) -> bool {
    let digits = block.bytes().take_while(u8::is_ascii_digit).count();
    block.starts_with("- ") || (digits > 0 && block[digits..].starts_with(". "))
}

fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => ">".to_owned(),
        false => format!("> {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// All lines but the first, moved to the right.
fn indented(text: &str, by: usize) -> String {
    let space = " ".repeat(by);
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out += &space;
            out += line;
        }
    }
    out
}

/// A paragraph whose beginning is read as no heading, list or quotation.
fn guarded(text: &str) -> String {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[digits..];
    let is_number = digits > 0 && (rest.starts_with(". ") || rest.starts_with(") "));
    match text.as_bytes().first() {
        Some(b'#' | b'+' | b'=') => format!("\\{text}"),
        Some(b'-') if text.starts_with("- ") || text.bytes().all(|b| b == b'-') => {
            format!("\\{text}")
        }
        _ if is_number => format!("{}\\{rest}", &text[..digits]),
        _ => text.to_owned(),
    }
}
