//! Blocks: headings, paragraphs, lists, code, figures.

use super::nodes::{self, UNSEEN, classes, has_class};
use super::pictures::Pictures;
use super::{inlines, tables, words};
use crate::export::dom;
use markup5ever_rcdom::{Handle, NodeData};

/// Collects the Markdown blocks of a page.
pub struct Blocks<'p> {
    pub pictures: &'p mut Pictures,
}

impl Blocks<'_> {
    /// A node's children as blocks: runs of inline nodes become paragraphs.
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
        // A display formula divides the paragraph.
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
        let mut blocks: Vec<String> = self.pictures.anchor(node).into_iter().collect();
        let tag = nodes::tag_name(node).unwrap_or_default();
        match tag {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                let level = usize::from(tag.as_bytes()[1] - b'0');
                let words = inlines::one_line(node, self.pictures);
                // A `#` at the end would be read as closing the heading.
                let words = match words.strip_suffix('#') {
                    Some(before) => format!("{before}\\#"),
                    None => words,
                };
                blocks.push(format!("{} {words}", "#".repeat(level)));
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

    fn list(&mut self, node: &Handle, ordered: bool) -> String {
        let start = dom::attribute(node, "start").and_then(|start| start.parse().ok());
        let mut number: usize = start.unwrap_or(1);
        let mut items = Vec::new();
        let mut loose = false;
        for item in node.children.borrow().iter() {
            if nodes::tag_name(item) != Some("li") {
                continue;
            }
            let mark = match ordered {
                true => format!("{number}. "),
                false => "- ".to_owned(),
            };
            number += 1;
            let anchor = self.pictures.anchor(item);
            let mut blocks = self.children(item);
            match (anchor, blocks.first_mut()) {
                (Some(anchor), Some(first)) if is_paragraph(first) => first.insert_str(0, &anchor),
                (Some(anchor), _) => blocks.insert(0, anchor),
                (None, _) => {}
            }
            loose |= blocks.iter().skip(1).any(|block| !may_follow_a_line(block));
            let text = blocks.join(if loose { "\n\n" } else { "\n" });
            items.push(mark.clone() + &indented(&text, mark.len()));
        }
        items.join(if loose { "\n\n" } else { "\n" })
    }

    /// Names and their values, one per line.
    fn facts(&mut self, node: &Handle) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut stack: Vec<Handle> = node.children.borrow().iter().rev().cloned().collect();
        while let Some(child) = stack.pop() {
            match nodes::tag_name(&child) {
                Some("dt") => {
                    let name = inlines::one_line(&child, self.pictures);
                    lines.push(format!("- **{name}**:"));
                }
                Some("dd") => {
                    let text = self.children(&child).join("\n\n");
                    match lines.last_mut() {
                        Some(line) if is_paragraph(&text) => {
                            *line += &format!(" {}", indented(&text, 2));
                        }
                        Some(line) => *line += &format!("\n\n  {}", indented(&text, 2)),
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
        let is_summary = |child: &Handle| nodes::tag_name(child) == Some("summary");
        let rest = children.into_iter().filter(|child| !is_summary(child));
        self.children(&dom::element("div", &[], rest.collect()))
    }

    /// A folded part (`<details>`), which GitHub supports as well.
    fn folded(&mut self, node: &Handle) -> Vec<String> {
        let summary = nodes::find(node, "summary").map(|summary| dom::text_content(&summary));
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
                    let title = inlines::one_line(child, self.pictures);
                    if !title.eq_ignore_ascii_case(kind) {
                        blocks.push(format!("**{title}**"));
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

/// Whether a node is inline.
fn is_inline(node: &Handle) -> bool {
    match &node.data {
        NodeData::Text { .. } => true,
        NodeData::Element { .. } => matches!(
            nodes::tag_name(node).unwrap_or_default(),
            "a" | "abbr"
                | "big"
                | "button"
                | "font"
                | "nobr"
                | "ruby"
                | "strike"
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

/// Code, or a cell's printed output.
fn fenced(node: &Handle) -> String {
    let text = dom::text_content(node);
    let text = text.trim_matches('\n');
    let fence = "`".repeat((words::longest_run(text, '`') + 1).max(3));
    let language = match has_class(node, "code") {
        true => language(node),
        false => "text".to_owned(),
    };
    format!("{fence}{language}\n{text}\n{fence}")
}

/// The language of a listing, from its class; cells are Rust.
fn language(node: &Handle) -> String {
    let code = nodes::find(node, "code");
    let named = code
        .iter()
        .flat_map(classes)
        .find_map(|class| class.strip_prefix("language-").map(str::to_owned));
    named.unwrap_or_else(|| "rust".to_owned())
}

/// Whether a block is read as a new block directly below a line of text: a numbered list only if it starts at 1.
fn may_follow_a_line(block: &str) -> bool {
    block.starts_with("- ") || block.starts_with("1. ")
}

/// Whether text may precede the block on its first line.
fn is_paragraph(block: &str) -> bool {
    let begins_otherwise = ["```", "$$", "#", "- ", "> ", "|", "<", "---", "!["];
    let digits = block.bytes().take_while(u8::is_ascii_digit).count();
    let is_list = digits > 0 && block[digits..].starts_with(". ");
    !is_list && !begins_otherwise.iter().any(|mark| block.starts_with(mark))
}

fn quoted(text: &str) -> String {
    let lines = text.lines().map(|line| match line.is_empty() {
        true => ">".to_owned(),
        false => format!("> {line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Indents all lines but the first.
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

/// A paragraph in which no line is read as the start of another block.
fn guarded(text: &str) -> String {
    if text.starts_with("$$\n") {
        return text.to_owned();
    }
    // A line break at the end has no effect.
    let text = text.trim_end();
    let backslashes = text.bytes().rev().take_while(|b| *b == b'\\').count();
    let text = &text[..text.len() - backslashes % 2];
    let lines: Vec<String> = text.split('\n').map(guarded_line).collect();
    lines.join("\n")
}

fn guarded_line(line: &str) -> String {
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    let ends = |rest: &str| rest.is_empty() || rest.starts_with([' ', '\\']);
    let is_number = digits > 0 && rest.starts_with(['.', ')']) && ends(&rest[1..]);
    let is_rule = |b: u8| matches!(b, b'-' | b' ' | b'\\');
    match line.as_bytes().first() {
        Some(b'#' | b'+' | b'=') => format!("\\{line}"),
        Some(b'-') if ends(&line[1..]) || line.bytes().all(is_rule) => format!("\\{line}"),
        _ if is_number => format!("{}\\{rest}", &line[..digits]),
        _ => line.to_owned(),
    }
}
