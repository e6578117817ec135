//! Splits HTML into its text, its tables, its figures, and its invisible texts, and compares
//! them.

use super::difference::{Difference, Kind};
use super::figure;
use super::figure::drawing::{self, Drawing};
use super::rules::cell::CellRules;
use super::table::{self, Table};
use super::text;
use crate::export::dom::{attribute, parse};
use markup5ever_rcdom::{Handle, NodeData};

/// The content of a piece of HTML.
#[derive(Debug, Default)]
struct Content {
    text: String,
    tables: Vec<Table>,
    figures: Vec<Drawing>,
    /// Titles and alternative texts, one per line.
    said: String,
    /// Addresses of pictures.
    pictures: Vec<String>,
}

/// Elements that begin a new line.
const BLOCKS: [&str; 22] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "br",
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "figure",
    "h1",
    "h2",
    "h3",
    "h4",
    "li",
    "ol",
    "p",
    "pre",
    "summary",
    "ul",
];
/// Elements without visible text.
const UNSEEN: [&str; 5] = ["style", "script", "template", "head", "noscript"];

/// Compares two pieces of HTML: texts as texts, tables by column, figures by their data. Styles,
/// classes and identifiers are not compared.
pub fn compare(stored: &str, fresh: &str, rules: &CellRules) -> Vec<Difference> {
    let (stored, fresh) = (rules.sanitiser.apply(stored), rules.sanitiser.apply(fresh));
    if stored == fresh {
        return Vec::new();
    }
    let (a, b) = (content(&stored), content(&fresh));
    let mut found = text::compare(&a.text, &b.text, rules, &[]);
    let said = text::compare(&a.said, &b.said, rules, &[]).into_iter();
    found.extend(said.map(|one| one.within("titles of elements")));
    let counts = |what: &str, kind: Kind, n: usize, m: usize| {
        (n != m).then(|| {
            let count = |n: usize| format!("{n} {what}");
            Difference::new(kind, what).sides(count(n), count(m))
        })
    };
    found.extend(counts(
        "tables",
        Kind::Table,
        a.tables.len(),
        b.tables.len(),
    ));
    for (at, (one, other)) in a.tables.iter().zip(&b.tables).enumerate() {
        let place = match a.tables.len() {
            1 => "table".to_owned(),
            _ => format!("table {}", at + 1),
        };
        let differences = table::compare(one, other, rules).into_iter();
        found.extend(differences.map(|one| one.within(&place)));
    }
    found.extend(counts(
        "figures",
        Kind::Figure,
        a.figures.len(),
        b.figures.len(),
    ));
    for (at, (one, other)) in a.figures.iter().zip(&b.figures).enumerate() {
        let differences = figure::compare(one, other, rules).into_iter();
        found.extend(differences.map(|one| one.within(&format!("figure {}", at + 1))));
    }
    if a.pictures != b.pictures {
        let one = Difference::new(Kind::Picture, "picture of pixels");
        found.push(one.note("raster images are compared byte for byte"));
    }
    found
}

/// Compares two SVG documents.
pub fn compare_svg(stored: &str, fresh: &str, rules: &CellRules) -> Vec<Difference> {
    let (stored, fresh) = (rules.sanitiser.apply(stored), rules.sanitiser.apply(fresh));
    if stored == fresh {
        return Vec::new();
    }
    // A prolog before the element belongs only in a separate file.
    let svg = |text: &str| -> Option<Drawing> {
        let start = text.find("<svg")?;
        content(&text[start..]).figures.into_iter().next()
    };
    match (svg(&stored), svg(&fresh)) {
        (Some(a), Some(b)) => figure::compare(&a, &b, rules),
        _ => text::compare(&stored, &fresh, rules, &[]),
    }
}

fn content(html: &str) -> Content {
    let mut content = Content::default();
    walk(&parse(html), &mut content);
    let lines = content.text.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.trim().is_empty()).collect();
    content.text = lines.join("\n");
    content
}

fn name(node: &Handle) -> String {
    match &node.data {
        NodeData::Element { name, .. } => name.local.to_string(),
        _ => String::new(),
    }
}

fn walk(node: &Handle, content: &mut Content) {
    for child in node.children.borrow().iter() {
        if let NodeData::Text { contents } = &child.data {
            content.text.push_str(&contents.borrow());
            continue;
        }
        let name = name(child);
        if name != "svg" {
            said(child, content);
        }
        match name.as_str() {
            "svg" => content.figures.push(drawing::read(child)),
            "table" => {
                table(child, content);
            }
            "img" => content.pictures.extend(attribute(child, "src")),
            name if UNSEEN.contains(&name) => {}
            name => {
                let block = BLOCKS.contains(&name);
                if block {
                    content.text.push('\n');
                }
                walk(child, content);
                if block {
                    content.text.push('\n');
                }
            }
        }
    }
}

/// Collects an element's invisible texts.
fn said(node: &Handle, content: &mut Content) {
    for key in ["title", "alt", "aria-label"] {
        if let Some(said) = attribute(node, key) {
            content.said.push_str(&said);
            content.said.push('\n');
        }
    }
}

/// Reads a table; its caption is text, and figures within its cells are figures.
fn table(node: &Handle, content: &mut Content) {
    let mut rows: Vec<(bool, Vec<String>)> = Vec::new();
    let mut stack = vec![node.clone()];
    while let Some(node) = stack.pop() {
        match name(&node).as_str() {
            "caption" => {
                content.text.push('\n');
                walk(&node, content);
                content.text.push('\n');
            }
            "tr" => {
                let cells: Vec<Handle> = node.children.borrow().clone();
                let cells = cells
                    .iter()
                    .filter(|cell| ["td", "th"].contains(&&*name(cell)));
                let mut headings = true;
                let mut row = Vec::new();
                for cell in cells {
                    headings &= name(cell) == "th";
                    said(cell, content);
                    let mut inner = Content::default();
                    walk(cell, &mut inner);
                    row.push(inner.text.split_whitespace().collect::<Vec<_>>().join(" "));
                    content.tables.extend(inner.tables);
                    content.figures.extend(inner.figures);
                    content.pictures.extend(inner.pictures);
                    content.said.push_str(&inner.said);
                }
                rows.push((headings, row));
            }
            _ => stack.extend(node.children.borrow().iter().rev().cloned()),
        }
    }
    content.tables.push(Table::new(rows));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::rules::Rules;
    use crate::notebook::{Cell, Notebook};
    use proptest::prelude::*;

    fn found(stored: &str, fresh: &str, tolerances: &[&str]) -> Vec<(Kind, String)> {
        let rules = Rules::with_tolerances(tolerances);
        let rules = CellRules::of(&Cell::code(""), &Notebook::new(), &rules).unwrap();
        let found = compare(stored, fresh, &rules).into_iter();
        found.map(|one| (one.kind, one.place)).collect()
    }

    const TABLE: &str = "<div><div>Scores</div><table><thead><tr><th>name</th><th>L0</th>\
        <th>tok/s</th></tr></thead><tbody><tr><td>topk</td><td>32.0</td><td>512</td></tr>\
        <tr><td title=\"all of it\">gated</td><td>40.6</td><td>498</td></tr></tbody></table></div>";

    fn planted(from: &str, to: &str, tolerances: &[&str]) -> Vec<(Kind, String)> {
        assert!(TABLE.contains(from));
        found(TABLE, &TABLE.replace(from, to), tolerances)
    }

    #[test]
    fn a_cell_of_a_table_is_named_by_its_column_and_row() {
        let place = "table, column `L0`, row 2 (`gated`)".to_owned();
        assert_eq!(planted("40.6", "41.9", &[]), [(Kind::Table, place.clone())]);
        assert_eq!(
            planted("40.6", "41.9", &["0.01"]),
            [(Kind::Table, place.clone())]
        );
        assert_eq!(planted("40.6", "41.9", &["0.1"]), []);
        assert_eq!(planted("40.6", "41.9", &["L0=0.1"]), []);
        assert_eq!(planted("40.6", "41.9", &["gated=0.1"]), []);
        assert_eq!(
            planted("40.6", "41.9", &["topk=0.1"]),
            [(Kind::Table, place)]
        );
        let place = "table, column `name`, row 1".to_owned();
        assert_eq!(planted("topk", "TopK", &["1"]), [(Kind::Table, place)]);
    }

    #[test]
    fn columns_and_rows_that_come_and_go_are_named() {
        assert_eq!(
            planted("<tr><td>topk</td><td>32.0</td><td>512</td></tr>", "", &[]),
            [(Kind::Table, "table, row 1 is missing".to_owned())]
        );
        assert_eq!(
            planted("</tbody>", "<tr><td>x</td></tr></tbody>", &[]),
            [(Kind::Table, "table, row 3 is new".to_owned())]
        );
        let fewer = TABLE
            .replace("<th>L0</th>", "")
            .replace("<td>32.0</td>", "")
            .replace("<td>40.6</td>", "");
        assert_eq!(
            found(TABLE, &fewer, &[]),
            [(Kind::Table, "table, column `L0` is missing".to_owned())]
        );
    }

    #[test]
    fn rates_and_styles_are_not_compared_and_the_rest_is() {
        assert_eq!(planted("512", "12", &[]), []);
        assert_eq!(
            planted(
                "<table>",
                "<table style=\"color:red\" class=\"x\" id=\"y\">",
                &[]
            ),
            []
        );
        assert_eq!(
            planted("Scores", "Points", &[]),
            [(Kind::Text, "line 1".to_owned())]
        );
        assert_eq!(
            planted("all of it", "a part", &[]),
            [(Kind::Text, "titles of elements, line 1".to_owned())]
        );
        let figure = |y: u32| {
            format!("<p>x</p><svg viewBox=\"0 0 9 9\"><circle cx=\"1\" cy=\"{y}\" r=\"1\"/></svg>")
        };
        assert_eq!(
            found(&figure(1), &figure(5), &["0.1"]),
            [(
                Kind::Figure,
                "figure 1, shape 1 of 1 (circle), point 1 of 1".to_owned()
            )]
        );
        let image = |data: &str| format!("<img src=\"data:image/png;base64,{data}\">");
        assert_eq!(
            found(&image("AAAA"), &image("AAAB"), &["1"]),
            [(Kind::Picture, "picture of pixels".to_owned())]
        );
    }

    /// A table of numbers, with names for its columns and rows.
    fn table_of(values: &[Vec<f64>]) -> String {
        let cells = |tag: &str, cells: &[String]| -> String {
            cells
                .iter()
                .map(|cell| format!("<{tag}>{cell}</{tag}>"))
                .collect()
        };
        let width = values.first().map_or(0, Vec::len);
        let names: Vec<String> = (0..=width).map(|at| format!("c{at}")).collect();
        let mut html = format!("<table><tr>{}</tr>", cells("th", &names));
        for (at, row) in values.iter().enumerate() {
            let mut texts = vec![format!("r{at}")];
            texts.extend(row.iter().map(|value| format!("{value:.3}")));
            html += &format!("<tr>{}</tr>", cells("td", &texts));
        }
        html + "</table>"
    }

    proptest! {
        #[test]
        fn every_cell_of_a_table_that_moves_too_far_is_found(
            values in (1usize..5).prop_flat_map(|width| {
                proptest::collection::vec(proptest::collection::vec(1.0f64..100.0, width), 1..6)
            }),
            row in any::<prop::sample::Index>(), column in any::<prop::sample::Index>()
        ) {
            let (row, column) = (row.index(values.len()), column.index(values[0].len()));
            let mut moved = values.clone();
            moved[row][column] *= 1.5;
            let (a, b) = (table_of(&values), table_of(&moved));
            let place = format!("table, column `c{}`, row {} (`r{row}`)", column + 1, row + 1);
            prop_assert_eq!(found(&a, &b, &["0.01"]), vec![(Kind::Table, place)]);
            prop_assert_eq!(found(&a, &format!("{a}<i></i>"), &["0.01"]), vec![]);
        }
    }
}
