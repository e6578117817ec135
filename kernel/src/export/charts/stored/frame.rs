//! The drawing area of a stored chart, its axes and their labels.

use crate::export::charts::marks::{is, name, number};
use crate::export::dom::{self, attribute};
use crate::svg::axes::{Axis, Label};
use markup5ever_rcdom::Handle;
use serde_json::{Value, json};

/// Colours of bars to the right and to the left of zero; the first is also that of a single
/// series.
pub(super) const BARS: [&str; 2] = ["#0072b2", "#d55e00"];

/// A drawing area with its axes.
pub(super) struct Frame {
    /// Left, top, right, bottom.
    pub area: [f64; 4],
    pub x: Axis,
    pub y: Axis,
}

pub(super) fn axis(axis: &Axis, from: f64, to: f64, label: &str) -> Value {
    json!({"lo": axis.position(from), "hi": axis.position(to), "log": axis.is_logarithmic(), "label": label})
}

/// The drawing area, from the lines of the two axes.
pub(super) fn area(all: &[Handle]) -> Option<[f64; 4]> {
    let lines = all
        .iter()
        .filter(|n| name(n) == Some("polyline") && is(n, "stroke", "#9aa0a6"));
    let mut area = [f64::NAN; 4];
    for line in lines {
        let numbers = crate::svg::path::numbers(&attribute(line, "points")?)?;
        match numbers[..] {
            [x, top, x1, bottom] if x == x1 && bottom - top > 100.0 => {
                (area[1], area[3]) = (top, bottom + 1.0);
            }
            [left, y, right, y1] if y == y1 && right - left > 100.0 => {
                (area[0], area[2]) = (left, right);
            }
            _ => {}
        }
    }
    area.iter().all(|side| side.is_finite()).then_some(area)
}

/// The labels of the two axes: below the area, and rotated next to it.
pub(super) fn axis_names(all: &[Handle], frame: &Frame) -> (String, String) {
    let texts = all.iter().filter(|n| {
        name(n) == Some("text") && is(n, "font-size", "125") && is(n, "text-anchor", "middle")
    });
    let (mut x, mut y) = (String::new(), String::new());
    for text in texts {
        let at = (number(text, "x"), number(text, "y"));
        let (Some(left), Some(top)) = at else {
            continue;
        };
        match attribute(text, "transform") {
            Some(_) if left < frame.area[0] => y = dom::text_content(text),
            None if top > frame.area[3] => x = dom::text_content(text),
            _ => {}
        }
    }
    (x, y)
}

pub(super) fn is_tick(node: &Handle) -> bool {
    name(node) == Some("text")
        && is(node, "font-size", "115")
        && attribute(node, "fill").as_deref() == Some("#57606A")
}

pub(super) fn label(node: &Handle) -> Label {
    Label {
        text: dom::text_content(node),
        x: number(node, "x").unwrap_or(f64::NAN),
        y: number(node, "y").unwrap_or(f64::NAN),
        anchor: attribute(node, "text-anchor").unwrap_or_default(),
    }
}
