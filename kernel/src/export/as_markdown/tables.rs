//! Tables: with bars where Markdown can express them, else as HTML, which GitHub shows as well.

use super::inlines;
use super::nodes::{self, UNSEEN, has_class};
use super::pictures::Pictures;
use crate::export::dom;
use markup5ever_rcdom::{Handle, NodeData};

/// A table's block, and its caption.
pub fn table(node: &Handle, pictures: &mut Pictures) -> Vec<String> {
    let mut rows = Vec::new();
    let mut blocks = Vec::new();
    collect(node, &mut rows, &mut blocks, pictures);
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return blocks;
    }
    if rows
        .iter()
        .flatten()
        .any(|cell| spans(cell) || holds_blocks(cell))
    {
        strip(node, pictures);
        let alone = dom::element("div", &[], vec![node.clone()]);
        // A blank line would end the HTML.
        blocks.push(dom::serialise(&alone).replace("\n\n", "\n&#10;"));
        return blocks;
    }
    let line = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let mut lines = Vec::new();
    let has_head = rows[0]
        .iter()
        .all(|cell| nodes::tag_name(cell) == Some("th"));
    if !has_head {
        lines.push(line(vec![String::new(); columns]));
        lines.push(rule(&rows[0], columns));
    }
    for (i, row) in rows.iter().enumerate() {
        let mut cells: Vec<String> = row
            .iter()
            .map(|cell| with_escaped_bars(&inlines::one_line(cell, pictures)))
            .collect();
        cells.resize(columns, String::new());
        lines.push(line(cells));
        if has_head && i == 0 {
            lines.push(rule(rows.get(1).unwrap_or(row), columns));
        }
    }
    blocks.push(lines.join("\n"));
    blocks
}

/// Escapes bars, which divide cells even within code.
fn with_escaped_bars(cell: &str) -> String {
    let mut out = String::with_capacity(cell.len());
    let mut backslashes = 0;
    for c in cell.chars() {
        if c == '|' && backslashes % 2 == 0 {
            out.push('\\');
        }
        backslashes = if c == '\\' { backslashes + 1 } else { 0 };
        out.push(c);
    }
    out
}

/// Numbers are right-aligned.
fn rule(row: &[Handle], columns: usize) -> String {
    let is_number = |cell: &Handle| {
        let text = dom::text_content(cell);
        let text = text
            .trim()
            .trim_end_matches('%')
            .replace(['\u{2212}', ','], "");
        !text.is_empty() && text.trim_start_matches('-').parse::<f64>().is_ok()
    };
    let marks = (0..columns).map(|at| match row.get(at).is_some_and(is_number) {
        true => "--:",
        false => ":--",
    });
    format!("|{}|", marks.collect::<Vec<_>>().join("|"))
}

/// Collects rows of cells, and the caption.
fn collect(
    node: &Handle,
    rows: &mut Vec<Vec<Handle>>,
    blocks: &mut Vec<String>,
    pictures: &mut Pictures,
) {
    for child in node.children.borrow().iter() {
        match nodes::tag_name(child) {
            Some("tr") => {
                let cells = child.children.borrow();
                let is_cell = |cell: &&Handle| matches!(nodes::tag_name(cell), Some("td" | "th"));
                rows.push(cells.iter().filter(is_cell).cloned().collect());
            }
            Some("caption") => blocks.push(inlines::one_line(child, pictures)),
            Some("thead" | "tbody" | "tfoot") => collect(child, rows, blocks, pictures),
            _ => {}
        }
    }
}

fn spans(cell: &Handle) -> bool {
    ["rowspan", "colspan"]
        .iter()
        .any(|key| dom::attribute(cell, key).is_some_and(|span| span.trim() != "1"))
}

/// Whether a cell contains blocks.
fn holds_blocks(cell: &Handle) -> bool {
    let is_block =
        |tag: &str| matches!(tag, "ul" | "ol" | "pre" | "table" | "blockquote" | "figure");
    let children = cell.children.borrow();
    let mut all = children.iter();
    all.any(|child| nodes::tag_name(child).is_some_and(is_block) || holds_blocks(child))
}

/// Removes what GitHub drops and what only the page needs; pictures become files, formulas LaTeX.
fn strip(node: &Handle, pictures: &mut Pictures) {
    if let NodeData::Element { attrs, .. } = &node.data {
        let keeps = |name: &str| {
            matches!(
                name,
                "rowspan" | "colspan" | "align" | "href" | "src" | "alt"
            )
        };
        attrs
            .borrow_mut()
            .retain(|attribute| keeps(&attribute.name.local));
    }
    let children = node.children.take();
    let mut kept = Vec::new();
    for child in children {
        let is_unseen = UNSEEN.iter().any(|class| has_class(&child, class));
        match nodes::tag_name(&child) {
            _ if is_unseen => {}
            Some("style" | "script" | "caption") => {}
            Some("svg" | "img") => {
                let (source, alt) = pictures.file(&child);
                kept.push(dom::element(
                    "img",
                    &[("src", &source), ("alt", &alt)],
                    Vec::new(),
                ));
            }
            Some("math") => {
                let tex = nodes::find(&child, "annotation").map(|tex| dom::text_content(&tex));
                kept.push(dom::text(&format!("${}$", tex.unwrap_or_default())));
            }
            _ => {
                strip(&child, pictures);
                kept.push(child);
            }
        }
    }
    node.children.replace(kept);
}
