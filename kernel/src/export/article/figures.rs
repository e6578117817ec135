//! Figures, tables and listings with captions and numbers, alone and side by side.
//! Source: Quarto, "Figures" and "Figure Layout".

use super::Place;
use super::inline::{is_caption, text_of};
use super::labels::{Labels, letters, word};
use crate::export::dom;
use crate::export::dom::{set_attribute, tag_name};
use crate::export::extract::attributes::Attributes;
use crate::export::extract::cites::Cite;
use markup5ever_rcdom::Handle;
use serde_json::Value;

/// A figure whose parts are lettered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    pub number: String,
    pub parts: usize,
}

/// The text before a caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heading {
    /// "Figure 1:".
    Number(&'static str, String),
    /// "(a)", of a part.
    Letter(String),
    Nothing,
}

impl Heading {
    /// The text; empty for `Nothing`.
    pub fn text(&self) -> String {
        match self {
            Heading::Number(kind, number) => format!("{}\u{a0}{number}:", word(kind)),
            Heading::Letter(letter) => format!("({letter})"),
            Heading::Nothing => String::new(),
        }
    }
}

/// The kind named by a label's prefix.
pub fn kind(label: &str) -> Option<&'static str> {
    let cite = Cite {
        prefix: String::new(),
        key: label.to_owned(),
        bare: false,
        suffix: String::new(),
    };
    // In labels the prefix is lower case.
    let (kind, known) = cite.label()?;
    (known == label).then_some(kind)
}

/// Numbers a labelled element: the next number of its kind, or the letter of a part.
pub fn number(
    labels: &mut Labels,
    label: &str,
    whole: Option<&mut Whole>,
    place: Place,
) -> Heading {
    let Some(kind) = kind(label) else {
        return Heading::Nothing;
    };
    match whole {
        Some(whole) => {
            let letter = letters(whole.parts);
            whole.parts += 1;
            labels.define(label, format!("{} ({letter})", whole.number), place);
            Heading::Letter(letter)
        }
        None => {
            let number = labels.next(kind);
            labels.define(label, number.clone(), place);
            Heading::Number(kind, number)
        }
    }
}

/// A figure with its caption: below it, but above a table or a listing.
pub fn figure(
    id: Option<&str>,
    heading: &Heading,
    content: Vec<Handle>,
    caption: Vec<Handle>,
    above: bool,
) -> Handle {
    let mut children = content;
    if !caption.is_empty() || *heading != Heading::Nothing {
        let caption = figcaption(heading, caption);
        let at = if above { 0 } else { children.len() };
        children.insert(at, caption);
    }
    let figure = dom::element("figure", &[("class", "figure")], children);
    if let Some(id) = id {
        set_attribute(&figure, "id", id);
    }
    figure
}

fn figcaption(heading: &Heading, caption: Vec<Handle>) -> Handle {
    let mut children = Vec::new();
    let text = heading.text();
    if !text.is_empty() {
        let words = vec![dom::text(&text)];
        children.push(dom::element("span", &[("class", "caption-label")], words));
        children.push(dom::text(" "));
    }
    children.extend(caption);
    dom::element("figcaption", &[], children)
}

/// The picture of a paragraph that holds nothing else, and its caption.
pub fn lone_picture(paragraph: &Handle) -> Option<(Handle, Handle, Vec<Handle>)> {
    let mut children = meaningful(paragraph);
    let mut outer = None;
    // A picture that is a link.
    if let [link] = children.as_slice()
        && tag_name(link) == Some("a")
    {
        outer = Some(link.clone());
        let inner = meaningful(link);
        children = inner;
    }
    let (picture, caption) = match children.as_slice() {
        [picture] => (picture.clone(), Vec::new()),
        [picture, caption] if is_caption(caption) => {
            let nodes = caption.children.take();
            (picture.clone(), nodes)
        }
        _ => return None,
    };
    if tag_name(&picture) != Some("img") {
        return None;
    }
    Some((outer.unwrap_or_else(|| picture.clone()), picture, caption))
}

/// Detaches and returns the children that are not blank. (Dropping a node empties its
/// subtree, including nodes that have moved elsewhere.)
pub fn taken(node: &Handle) -> Vec<Handle> {
    let children = meaningful(node);
    node.children.take();
    children
}

/// The children of a node without blank text.
pub fn meaningful(node: &Handle) -> Vec<Handle> {
    let children = node.children.borrow();
    let blank = |node: &Handle| text_of(node).is_some_and(|text| text.trim().is_empty());
    children
        .iter()
        .filter(|node| !blank(node))
        .cloned()
        .collect()
}

/// One row of figures side by side: the widths of its columns, in fractions. A
/// negative one is a gap.
pub type Row = Vec<f64>;

/// The layout of `count` parts: `layout-ncol`, `layout-nrow` or `layout`. Parts
/// beyond the layout's places follow in further rows.
pub fn rows(
    get: &dyn Fn(&str) -> Option<String>,
    count: usize,
) -> Result<Option<Vec<Row>>, String> {
    let whole = |key: &str| match get(key) {
        None => Ok(None),
        Some(text) => match text.trim().parse::<usize>() {
            Ok(number) if (1..=24).contains(&number) => Ok(Some(number)),
            _ => Err(format!(
                "`{key}` is {text:?}; expected a number from 1 to 24"
            )),
        },
    };
    if let Some(layout) = get("layout") {
        return layout_rows(&layout).map(Some);
    }
    let columns = match (whole("layout-ncol")?, whole("layout-nrow")?) {
        (Some(columns), _) => columns,
        (None, Some(rows)) => count.div_ceil(rows).max(1),
        (None, None) => return Ok(None),
    };
    let rows = count.div_ceil(columns);
    Ok(Some(vec![vec![1.0; columns]; rows]))
}

fn layout_rows(text: &str) -> Result<Vec<Row>, String> {
    let wrong = || format!("`layout` is {text:?}; expected rows of widths as in [[1, 1], [1]]");
    let value: Value = serde_json::from_str(text).map_err(|_| wrong())?;
    let row = |value: &Value| {
        let widths = value.as_array()?;
        widths.iter().map(Value::as_f64).collect::<Option<Row>>()
    };
    let rows = match value.as_array() {
        Some(items) if items.iter().all(Value::is_number) => vec![row(&value).ok_or_else(wrong)?],
        Some(items) => items
            .iter()
            .map(row)
            .collect::<Option<_>>()
            .ok_or_else(wrong)?,
        None => return Err(wrong()),
    };
    let places = |row: &Row| row.iter().any(|width| *width > 0.0);
    match !rows.is_empty() && rows.iter().all(places) {
        true => Ok(rows),
        false => Err(wrong()),
    }
}

/// The CSS of a row.
pub fn template(row: &Row) -> String {
    let widths = row
        .iter()
        .map(|width| format!("minmax(0, {}fr)", width.abs()));
    format!("--columns: {}", widths.collect::<Vec<_>>().join(" "))
}

/// The parts of each row, and the column of each part, from 1.
pub fn places(rows: &[Row], count: usize) -> Vec<(Row, Vec<(usize, usize)>)> {
    let mut next = 0;
    let mut out = Vec::new();
    let last = rows.last().cloned().unwrap_or_else(|| vec![1.0]);
    let more = std::iter::repeat(&last);
    for row in rows.iter().chain(more) {
        if next >= count {
            break;
        }
        let columns = row.iter().enumerate().filter(|(_, width)| **width > 0.0);
        let taken: Vec<_> = columns.map(|(at, _)| at + 1).zip(next..count).collect();
        next += taken.len().max(1);
        out.push((
            row.clone(),
            taken.into_iter().map(|(at, part)| (part, at)).collect(),
        ));
    }
    out
}

/// Nodes side by side.
pub fn lay_out(rows: &[Row], parts: Vec<Handle>) -> Vec<Handle> {
    let count = parts.len();
    let laid = places(rows, count).into_iter().map(|(row, taken)| {
        let cells = taken.iter().map(|(part, column)| {
            let style = format!("grid-column: {column}");
            dom::element("div", &[("style", &*style)], vec![parts[*part].clone()])
        });
        let attributes = [("class", "layout"), ("style", &*template(&row))];
        dom::element("div", &attributes, cells.collect())
    });
    laid.collect()
}

/// Width and height of a picture, from its attributes.
pub fn size(picture: &Handle, attributes: &Attributes) {
    let length = |text: &str| {
        let digits = text.trim_end_matches(['%', 'p', 'x', 'e', 'm', 'i', 'n', 'c']);
        let number = digits
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n > 0.0)?;
        match &text[digits.len()..] {
            "" => Some(format!("{number}px")),
            unit @ ("%" | "px" | "em" | "rem" | "in" | "cm" | "mm") => {
                Some(format!("{number}{unit}"))
            }
            _ => None,
        }
    };
    let mut style = String::new();
    for key in ["width", "height"] {
        if let Some(length) = attributes.get(key).and_then(length) {
            style.push_str(&format!("{key}: {length}; "));
        }
    }
    if !style.is_empty() {
        set_attribute(picture, "style", style.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid(pairs: &[(&str, &str)], count: usize) -> Vec<(usize, Vec<(usize, usize)>)> {
        let get = |key: &str| {
            let found = pairs.iter().find(|(name, _)| *name == key);
            found.map(|(_, value)| (*value).to_owned())
        };
        let rows = rows(&get, count).unwrap().unwrap();
        let places = places(&rows, count).into_iter();
        places.map(|(row, taken)| (row.len(), taken)).collect()
    }

    #[test]
    fn parts_fill_the_rows_of_a_layout() {
        assert_eq!(
            laid(&[("layout-ncol", "2")], 3),
            [(2, vec![(0, 1), (1, 2)]), (2, vec![(2, 1)])]
        );
        assert_eq!(laid(&[("layout-nrow", "2")], 3).len(), 2);
        assert_eq!(
            laid(&[("layout", "[[1, -1, 2], [1]]")], 3),
            [(3, vec![(0, 1), (1, 3)]), (1, vec![(2, 1)])]
        );
        assert_eq!(laid(&[("layout", "[70, 30]")], 4).len(), 2);
        for layout in ["", "1", "[]", "[[]]", "[[-1]]", "[[\"a\"]]"] {
            let get = |key: &str| (key == "layout").then(|| layout.to_owned());
            assert!(rows(&get, 1).is_err(), "{layout}");
        }
        let none = |_: &str| None;
        assert_eq!(rows(&none, 3), Ok(None));
    }

    #[test]
    fn kinds_are_in_small_letters() {
        assert_eq!(kind("fig-x"), Some("fig"));
        assert_eq!(kind("Fig-x"), None);
        assert_eq!(kind("figure"), None);
    }
}
