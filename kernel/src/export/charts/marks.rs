//! The marks of a stored chart, and the points that they represent.

use crate::export::dom::{attribute, set_attribute};
use crate::svg::path;
use markup5ever_rcdom::{Handle, NodeData};

/// An element's name, whatever its namespace.
pub fn name(node: &Handle) -> Option<&str> {
    match &node.data {
        NodeData::Element { name, .. } => Some(&name.local),
        _ => None,
    }
}

/// The `<metadata>` of a chart, if it has one.
pub fn metadata(svg: &Handle) -> Option<Handle> {
    let children = svg.children.borrow();
    let found = children.iter().find(|child| {
        name(child) == Some("metadata") && attribute(child, "class").as_deref() == Some("chart")
    });
    found.cloned()
}

/// All elements of a picture in order, without those of nested pictures.
pub fn elements(svg: &Handle) -> Vec<Handle> {
    let mut all = Vec::new();
    for child in svg.children.borrow().iter() {
        match name(child) {
            None | Some("svg") => {}
            Some(_) => {
                all.push(child.clone());
                all.extend(elements(child));
            }
        }
    }
    all
}

/// A number that an attribute holds.
pub fn number(node: &Handle, key: &str) -> Option<f64> {
    attribute(node, key)?.parse().ok()
}

pub fn is(node: &Handle, key: &str, value: &str) -> bool {
    attribute(node, key).is_some_and(|found| found.eq_ignore_ascii_case(value))
}

/// Whether it is the colour square of a legend entry.
pub fn is_key(node: &Handle) -> bool {
    name(node) == Some("rect") && is(node, "width", "140") && is(node, "height", "100")
}

/// Tags the shapes of each colour with their series, and dashed lines parallel to an axis
/// with that axis.
pub fn mark(all: &[Handle], colours: &[String]) {
    for node in all {
        let shape = matches!(
            name(node),
            Some("polyline" | "polygon" | "path" | "circle" | "rect" | "text")
        );
        if !shape || is_key(node) {
            continue;
        }
        let series = colours
            .iter()
            .position(|colour| is(node, "stroke", colour) || is(node, "fill", colour));
        if let Some(i) = series {
            set_attribute(node, "data-s", &i.to_string());
        }
        if attribute(node, "stroke-dasharray").is_some()
            && let Some((_, points)) = attribute(node, "d").and_then(|d| path::points(&d))
            && let [from, to] = points[..]
        {
            let axis = if from.1 == to.1 { "y" } else { "x" };
            set_attribute(node, "data-m", axis);
        }
    }
}

/// The points that a mark of a series represents, in the picture's units.
pub fn points(node: &Handle) -> Vec<(f64, f64)> {
    found(node).unwrap_or_default()
}

fn found(node: &Handle) -> Option<Vec<(f64, f64)>> {
    let corner = |x: &str, y: &str| Some((number(node, x)?, number(node, y)?));
    let width = number(node, "stroke-width");
    match (name(node)?, width) {
        // Curves, and the outlines of a histogram's steps.
        ("polyline", Some(18.0 | 12.0)) if attribute(node, "stroke-opacity").is_none() => {
            let numbers = path::numbers(&attribute(node, "points")?)?;
            let pairs = numbers.as_chunks::<2>().0.iter();
            let pairs: Vec<(f64, f64)> = pairs.map(|pair| (pair[0], pair[1])).collect();
            Some(if width == Some(18.0) {
                pairs
            } else {
                steps(&pairs)
            })
        }
        ("circle", None) => Some(vec![corner("cx", "cy")?]),
        // Dots, and filled markers.
        ("path", Some(60.0)) | ("path", None) => moves(&attribute(node, "d")?),
        // Bars of a histogram, at their middles.
        ("rect", None) => {
            let (x, y) = corner("x", "y")?;
            Some(vec![(x + number(node, "width")? / 2.0, y)])
        }
        _ => None,
    }
}

/// The start points of a path's pieces: `M12 34h0M..`.
fn moves(d: &str) -> Option<Vec<(f64, f64)>> {
    d.split('M').skip(1).map(start).collect()
}

/// The two numbers that a piece of a path begins with.
fn start(piece: &str) -> Option<(f64, f64)> {
    let end = |text: &str| {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let sign = usize::from(text.starts_with('-'));
        let rest = text[sign..].find(|c| !is_number(c));
        rest.map_or(text.len(), |at| at + sign)
    };
    let (x, rest) = piece.split_at(end(piece));
    let rest = rest.trim_start_matches([' ', ',']);
    Some((x.parse().ok()?, rest[..end(rest)].parse().ok()?))
}

/// The middles of the level stretches of a histogram's outline; its ends are on the axis.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let inner = points
        .get(1..points.len().saturating_sub(1))
        .unwrap_or_default();
    let pairs = inner.as_chunks::<2>().0.iter();
    pairs
        .map(|[from, to]| (f64::midpoint(from.0, to.0), from.1))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_steps_are_read() {
        assert_eq!(
            moves("M12 34h0M-5.5 6m-40 0a40 40 0 1 0 80 0z"),
            Some(vec![(12.0, 34.0), (-5.5, 6.0)])
        );
        assert_eq!(moves("Mx"), None);
        let outline = [
            (0.0, 9.0),
            (0.0, 5.0),
            (2.0, 5.0),
            (2.0, 3.0),
            (4.0, 3.0),
            (4.0, 9.0),
        ];
        assert_eq!(steps(&outline), [(1.0, 5.0), (3.0, 3.0)]);
        assert!(steps(&[]).is_empty());
    }
}
