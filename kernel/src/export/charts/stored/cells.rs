//! Heat maps of few cells, from the titles of the cells.

use super::frame::label;
use crate::export::charts::marks::{is, name, number};
use crate::export::dom::{self, attribute};
use markup5ever_rcdom::Handle;
use serde_json::{Value, json};

/// Heat maps whose cells have titles of the form `row, column: value`.
pub(super) fn read(all: &[Handle]) -> Option<Value> {
    let mut found: Vec<(i64, i64, String)> = Vec::new();
    let (mut left, mut top, mut right, mut bottom) = (f64::MAX, f64::MAX, 0.0_f64, 0.0_f64);
    for pair in all.windows(2) {
        let [rect, title] = pair else { continue };
        if name(rect) != Some("rect") || name(title) != Some("title") {
            continue;
        }
        let side = |key| number(rect, key);
        let (x, y, w, h) = (side("x")?, side("y")?, side("width")?, side("height")?);
        (left, top) = (left.min(x), top.min(y));
        (right, bottom) = (right.max(x + w), bottom.max(y + h));
        found.push((y as i64, x as i64, dom::text_content(title)));
    }
    let sorted = |key: fn(&(i64, i64, String)) -> i64| {
        let mut all: Vec<i64> = found.iter().map(key).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let (rows, columns) = (sorted(|cell| cell.0), sorted(|cell| cell.1));
    if found.is_empty() || rows.len() * columns.len() != found.len() {
        return None;
    }
    let split: Vec<(&str, &str)> = found
        .iter()
        .map(|c| c.2.rsplit_once(": "))
        .collect::<Option<_>>()?;
    let first: Vec<&str> = split[..columns.len()].iter().map(|one| one.0).collect();
    let row_names: Vec<&str> = split.chunks(columns.len()).map(common).collect();
    let y: Vec<&str> = row_names
        .iter()
        .map(|name| name.trim_end_matches(", "))
        .collect();
    let x: Vec<&str> = first
        .iter()
        .map(|name| &name[row_names[0].len()..])
        .collect();
    let values = split.iter().map(|(_, value)| match value.parse::<f64>() {
        Ok(value) if value.is_finite() => json!(value),
        _ => json!(value),
    });
    let frame = [left, top, right, bottom];
    let (x_label, y_label, z) = cell_labels(all, frame);
    Some(json!({
        "area": frame,
        "x": {"lo": 0, "hi": columns.len(), "label": x_label},
        "y": {"lo": rows.len(), "hi": 0, "label": y_label},
        "cells": {"x": x, "y": y, "z": z, "shape": [rows.len(), columns.len()],
            "values": values.collect::<Vec<Value>>()},
    }))
}

/// The common prefix of a row's titles, up to a comma; for a single title, up to its first comma.
fn common<'t>(row: &[(&'t str, &str)]) -> &'t str {
    let first = row[0].0;
    let ends = first.match_indices(", ").map(|(at, text)| at + text.len());
    let shared = |end: &usize| row.iter().all(|(name, _)| name.starts_with(&first[..*end]));
    let end = match row.len() {
        1 => ends.take(1).last(),
        _ => ends.filter(shared).last(),
    };
    &first[..end.unwrap_or(0)]
}

/// The labels of the axes and of the colour scale, which is right of the cells.
fn cell_labels(all: &[Handle], area: [f64; 4]) -> (String, String, String) {
    let [left, _, right, bottom] = area;
    let (mut x, mut y, mut z) = (String::new(), String::new(), String::new());
    for text in all
        .iter()
        .filter(|n| name(n) == Some("text") && is(n, "font-size", "125"))
    {
        let (at, turned) = (label(text), attribute(text, "transform").is_some());
        match at.anchor == "middle" {
            true if turned && at.x < left => y = at.text,
            true if turned && at.x > right => z = at.text,
            true if at.y > bottom => x = at.text,
            _ => {}
        }
    }
    (x, y, z)
}
