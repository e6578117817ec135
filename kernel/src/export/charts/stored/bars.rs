//! Bar charts, from their bars and the text next to them.

use super::frame::{BARS, Frame, area, axis, axis_names, is_tick, label};
use crate::export::charts::marks::{is, is_key, name, number};
use crate::export::dom::attribute;
use crate::svg::axes::{Axes, Label};
use markup5ever_rcdom::Handle;
use serde_json::{Value, json};

/// Horizontal bars with labels next to them and values at their ends.
pub(super) fn read(all: &[Handle]) -> Option<Value> {
    let area = area(all)?;
    let [l, t, r, b] = area;
    let side = |n: &&Handle, key: &str| number(n, key).unwrap_or(f64::NAN);
    let rects: Vec<&Handle> = all
        .iter()
        .filter(|n| name(n) == Some("rect") && !is_key(n))
        .filter(|n| BARS.iter().any(|colour| is(n, "fill", colour)))
        .filter(|n| attribute(n, "fill-opacity").is_none())
        .collect();
    let high = side(rects.first()?, "height");
    let alike = |n: &&Handle| (side(n, "height") - high).abs() <= 2.0;
    let standing = |n: &&Handle| (side(n, "y") + side(n, "height") - b).abs() <= 2.0;
    if !rects.iter().all(alike) || rects.len() > 1 && rects.iter().all(standing) {
        return None;
    }
    let texts: Vec<(Label, bool)> = all
        .iter()
        .filter(|n| name(n) == Some("text") && is(n, "font-size", "115"))
        .map(|n| (label(n), attribute(n, "stroke").is_some()))
        .collect();
    let labels: Vec<Label> = all.iter().filter(|n| is_tick(n)).map(label).collect();
    let x = Axes::find(&labels).x?;
    let (mut xs, mut ys, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for rect in rects {
        let middle = side(&rect, "y") + high / 2.0;
        let near = |at: &Label, below: f64| (at.y - below - middle).abs() <= 30.0;
        let name = texts
            .iter()
            .find(|(at, halo)| !halo && at.x < l && near(at, 0.0))?;
        let value = texts.iter().find(|(at, halo)| *halo && near(at, 40.0))?;
        xs.push(value.0.text.replace('\u{2212}', "-").parse::<f64>().ok()?);
        ys.push((middle - t) / (b - t));
        names.push(name.0.text.clone());
    }
    let frame = Frame { area, x, y: x };
    let (label, _) = axis_names(all, &frame);
    Some(json!({
        "area": area,
        "x": axis(&x, l, r, &label),
        "y": {"lo": 1, "hi": 0},
        "series": [{"name": "", "x": xs, "y": ys, "text": names}],
    }))
}
