//! Captions of Markdown tables, and columns of numbers that align on the decimal point.
//! Source: pandoc.org/MANUAL.html, "table_captions".

use super::figures::meaningful;
use super::inline::text_of;
use crate::export::dom;
use crate::export::dom::{attribute, set_attribute, set_children, tag_name};
use markup5ever_rcdom::Handle;
use regex::Regex;
use std::sync::LazyLock;

/// A number with its sign, its whole part, its decimals and a short unit.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^[+−–-]?\d(?:[\d,\u{a0}\u{202f}']| \d)*(?P<decimals>\.\d+)?(?P<behind>(?:[eE][+−-]?\d+)?\s?(?:%|×|[a-zA-Zµ]{1,3})?)$")
        .expect("a pattern of the source")
});

/// Whether a block is a table's caption: a paragraph that begins with `: `.
pub fn is_caption(node: &Handle) -> bool {
    let first = node.children.borrow().first().and_then(text_of);
    tag_name(node) == Some("p") && first.is_some_and(|text| text.starts_with(": "))
}

/// A caption without its colon.
pub fn caption_text(caption: &Handle) -> Vec<Handle> {
    let mut nodes = caption.children.take();
    if let Some(first) = nodes.first().and_then(text_of) {
        nodes[0] = dom::text(first.trim_start_matches(": "));
    }
    nodes
}

/// Aligns the columns that hold only numbers. Numbers with fewer decimals than the
/// longest of the column are padded with empty space.
pub fn align(table: &Handle) {
    let rows = rows(table);
    // A header without text is useless to a screen reader.
    let heads = rows
        .iter()
        .flatten()
        .filter(|cell| tag_name(cell) == Some("th"));
    for head in heads.filter(|head| head.children.borrow().is_empty()) {
        set_attribute(head, "role", "presentation");
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    for column in 0..columns {
        let cells: Vec<_> = rows.iter().filter_map(|row| row.get(column)).collect();
        let (heads, body): (Vec<&Handle>, Vec<&Handle>) = cells
            .into_iter()
            .partition(|cell| tag_name(cell) == Some("th"));
        // A table inside a figure is visited twice.
        let is_done = |cell: &&Handle| attribute(cell, "class").as_deref() == Some("number");
        if body.iter().any(is_done) {
            continue;
        }
        let texts: Vec<_> = body
            .iter()
            .map(|cell| dom::text_content(cell).trim().to_owned())
            .collect();
        let said: Vec<_> = texts.iter().filter(|text| !is_gap(text)).collect();
        let parsed: Option<Vec<_>> = said.iter().map(|text| NUMBER.captures(text)).collect();
        let Some(parsed) = parsed.filter(|parsed| parsed.len() > 1) else {
            continue;
        };
        let decimals = parsed.iter().map(|found| part(found, "decimals").len());
        let most = decimals.max().unwrap_or(0);
        for (cell, text) in body.iter().zip(&texts) {
            if let Some(found) = NUMBER.captures(text) {
                pad(
                    cell,
                    most - part(&found, "decimals").len(),
                    part(&found, "behind"),
                );
            }
            set_attribute(cell, "class", "number");
        }
        for head in heads {
            set_attribute(head, "class", "number");
        }
    }
}

fn part<'a>(found: &regex::Captures<'a>, name: &str) -> &'a str {
    found.name(name).map_or("", |found| found.as_str())
}

/// Whether a cell marks a missing number.
fn is_gap(text: &str) -> bool {
    matches!(text, "" | "-" | "–" | "—" | "n/a" | "NaN")
}

/// Adds empty space for `missing` characters after the decimals of a cell.
fn pad(cell: &Handle, missing: usize, behind: &str) {
    // Bold text and formulas stay whole; only plain text is split before its unit.
    let mut children = cell.children.take();
    if missing > 0 {
        let space = "0".repeat(missing);
        let space = dom::element(
            "span",
            &[("class", "pad"), ("data-pad", &*space)],
            Vec::new(),
        );
        match children.as_slice() {
            [only] if text_of(only).is_some() && !behind.is_empty() => {
                let text = text_of(only).unwrap_or_default();
                let text = text.trim();
                let at = text.len() - behind.len();
                children = vec![dom::text(&text[..at]), space, dom::text(behind)];
            }
            _ => children.push(space),
        }
    }
    set_children(cell, children);
}

/// The cells of a table by row; empty for a table with spanning cells.
fn rows(table: &Handle) -> Vec<Vec<Handle>> {
    let mut rows = Vec::new();
    for part in meaningful(table) {
        let found = match tag_name(&part) {
            Some("tr") => vec![part],
            Some("thead" | "tbody" | "tfoot") => meaningful(&part),
            _ => Vec::new(),
        };
        for row in found.iter().filter(|row| tag_name(row) == Some("tr")) {
            let cells = meaningful(row);
            let spans = |cell: &Handle| {
                ["colspan", "rowspan"]
                    .iter()
                    .any(|key| attribute(cell, key).is_some())
            };
            if cells.iter().any(spans) {
                return Vec::new();
            }
            rows.push(cells);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aligned(html: &str) -> String {
        let root = dom::parse(html);
        let table = meaningful(&root).remove(0);
        align(&table);
        align(&table);
        dom::serialise(&root)
    }

    #[test]
    fn a_head_without_words_is_no_head_to_a_screen_reader() {
        let html =
            aligned("<table><tr><th></th><th>W</th></tr><tr><td>a</td><td>b</td></tr></table>");
        assert!(
            html.contains("<th role=\"presentation\"></th><th>W</th>"),
            "{html}"
        );
    }

    #[test]
    fn numbers_align_on_their_point() {
        let html = aligned(
            "<table><tr><th>n</th><th>v</th></tr><tr><td>a</td><td>1.25</td></tr>\
             <tr><td>b</td><td>−10.5 %</td></tr><tr><td>c</td><td>–</td></tr><tr><td>d</td><td><b>3</b></td></tr></table>",
        );
        assert!(
            html.contains("<td>a</td><td class=\"number\">1.25</td>"),
            "{html}"
        );
        let pad = |text: &str| format!("<span class=\"pad\" data-pad=\"{text}\"></span>");
        assert!(
            html.contains(&format!("−10.5{} %</td>", pad("0"))),
            "{html}"
        );
        assert!(
            html.contains(&format!("<b>3</b>{}</td>", pad("000"))),
            "{html}"
        );
        assert!(html.contains("<th class=\"number\">v</th>"), "{html}");
    }

    #[test]
    fn words_and_spanning_cells_stay() {
        for html in [
            "<table><tbody><tr><td>1.5</td></tr><tr><td>x 2</td></tr></tbody></table>",
            "<table><tbody><tr><td>1.5</td></tr></tbody></table>",
            "<table><tbody><tr><td colspan=\"2\">1.5</td></tr><tr><td>2</td><td>3</td></tr></tbody></table>",
        ] {
            assert_eq!(aligned(html), html);
        }
    }
}
