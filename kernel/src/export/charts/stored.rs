//! The data of charts that contain none, read from the picture at the precision of its drawing. A picture that cannot
//! be read stays unchanged.

mod bars;
mod cells;
mod frame;

use super::marks::{elements, is, is_key, mark, metadata, name, number, points};
use crate::export::dom::{self, attribute};
use crate::svg::axes::{Axes, Axis, Label};
use frame::{BARS, Frame, area, axis, axis_names, is_tick, label};
use markup5ever_rcdom::Handle;
use serde_json::{Value, json};

/// The background colour of every chart of the library.
pub const CARD: &str = "#fdfdfc";
/// Adds a chart's data, or the points that its data lacks; returns whether it has changed.
pub fn complete(svg: &Handle) -> bool {
    match metadata(svg) {
        Some(node) => fill(svg, &node).is_some(),
        None => read(svg).is_some(),
    }
}

/// Completes data that name series but contain no points.
fn fill(svg: &Handle, node: &Handle) -> Option<()> {
    let mut data: Value = serde_json::from_str(&dom::text_content(node)).ok()?;
    let series = data.get("series")?.as_array()?;
    if series.iter().any(|one| one.get("y").is_some()) {
        return None;
    }
    let all = elements(svg);
    let labels: Vec<Label> = all.iter().filter(|n| is_tick(n)).map(label).collect();
    let axes = Axes::find(&labels);
    let frame = Frame {
        area: [0.0, f64::NEG_INFINITY, 0.0, 0.0],
        x: axes.x?,
        y: axes.y?,
    };
    for (i, one) in data["series"].as_array_mut()?.iter_mut().enumerate() {
        let name = one["name"].clone();
        *one = one_series(&all, i, &name, &frame)?;
    }
    node.children.replace(vec![dom::text(&data.to_string())]);
    Some(())
}

/// Reads a chart that has no data.
fn read(svg: &Handle) -> Option<()> {
    let all = elements(svg);
    all.iter()
        .find(|n| name(n) == Some("rect") && is(n, "fill", CARD) && is(n, "rx", "80"))?;
    let data = match cells::read(&all) {
        Some(cells) => cells,
        None => bars::read(&all).or_else(|| curves(&all))?,
    };
    let text = vec![dom::text(&data.to_string())];
    let metadata = dom::element("metadata", &[("class", "chart")], text);
    svg.children.borrow_mut().push(metadata);
    Some(())
}

/// Line charts, scatter plots and histograms.
fn curves(all: &[Handle]) -> Option<Value> {
    let labels: Vec<Label> = all.iter().filter(|n| is_tick(n)).map(label).collect();
    let axes = Axes::find(&labels);
    let frame = Frame {
        area: area(all)?,
        x: axes.x?,
        y: axes.y?,
    };
    let (names, colours) = legend(all);
    mark(all, &colours);
    let series: Option<Vec<Value>> = names
        .iter()
        .enumerate()
        .map(|(i, name)| one_series(all, i, &json!(name), &frame))
        .collect();
    let (x, y) = axis_names(all, &frame);
    let [l, t, r, b] = frame.area;
    Some(json!({
        "area": frame.area,
        "x": axis(&frame.x, l, r, &x),
        "y": axis(&frame.y, b, t, &y),
        "series": series?,
    }))
}

/// The points of the marks of a series, and the values above them.
fn one_series(all: &[Handle], i: usize, name: &Value, frame: &Frame) -> Option<Value> {
    let own = all.iter().filter(|node| is_of(node, i));
    let top = frame.area[1] - 2.0;
    let places: Vec<(f64, f64)> = own
        .flat_map(points)
        .filter(|place| place.1 >= top)
        .collect();
    let x = values(places.iter().map(|place| place.0), &frame.x);
    let y = values(places.iter().map(|place| place.1), &frame.y);
    let beside = |place: &(f64, f64)| {
        let found = all.iter().find(|node| {
            is_of(node, i)
                && number(node, "x") == Some(place.0)
                && number(node, "y") == Some(place.1 - 70.0)
        });
        found.map(dom::text_content)
    };
    let mut series = json!({"name": name, "x": whole(x, &frame.x), "y": y});
    let texts: Option<Vec<String>> = match all.len() < 500 {
        true => places.iter().map(beside).collect(),
        false => None,
    };
    if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
        series["text"] = json!(texts);
    }
    Some(series)
}

/// Whether a mark, or the group around it, is of this series.
fn is_of(node: &Handle, i: usize) -> bool {
    is(node, "data-s", &i.to_string())
}

/// The values at these positions, rounded to the resolution of the picture.
fn values(places: impl Iterator<Item = f64>, axis: &Axis) -> Vec<f64> {
    let one = |place: f64| rounded(axis.value(place), axis.resolution(place));
    places.map(one).collect()
}

fn rounded(value: f64, resolution: f64) -> f64 {
    let digits = -resolution.log10().floor();
    if !(0.0..=15.0).contains(&digits) {
        return value.round();
    }
    format!("{value:.0$}", digits as usize)
        .parse()
        .unwrap_or(value)
}

/// Steps are whole numbers: values are rounded if the axis can resolve whole numbers and all values are near one.
fn whole(values: Vec<f64>, axis: &Axis) -> Vec<f64> {
    // Points and ticks are drawn to whole units.
    let slack = 1.6 * axis.resolution(0.0);
    let near = |value: &f64| (value - value.round()).abs() <= slack;
    match !axis.is_logarithmic() && slack < 0.4 && slack > 0.001 && values.iter().all(near) {
        true => values.iter().map(|value| value.round()).collect(),
        false => values,
    }
}

/// Names and colours; without a legend, one unnamed series.
fn legend(all: &[Handle]) -> (Vec<String>, Vec<String>) {
    let pairs = all
        .windows(2)
        .filter(|pair| is_key(&pair[0]) && name(&pair[1]) == Some("text"));
    let (names, colours): (Vec<String>, Vec<String>) = pairs
        .filter_map(|pair| Some((dom::text_content(&pair[1]), attribute(&pair[0], "fill")?)))
        .unzip();
    match names.is_empty() {
        true => (vec![String::new()], vec![BARS[0].to_owned()]),
        false => (names, colours),
    }
}
