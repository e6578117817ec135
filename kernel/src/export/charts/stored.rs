//! The data of charts that do not carry it: read from the picture, to what can be seen in it. Nothing is
//! done where a picture cannot be read.

mod bars;
mod cells;

use super::marks::{elements, is, is_key, mark, name, number, points};
use super::metadata;
use crate::export::dom::{self, attribute};
use crate::svg::axes::{Axes, Axis, Label};
use markup5ever_rcdom::Handle;
use serde_json::{Value, json};

/// The colour of the card that every chart of the library stands on.
pub const CARD: &str = "#fdfdfc";
/// Colours of bars to the right and to the left of zero; the first is that of a lone series.
const BARS: [&str; 2] = ["#0072b2", "#d55e00"];

/// Gives a chart its data, or the points that its data lacks; whether it has changed.
pub fn complete(svg: &Handle) -> bool {
    match metadata(svg) {
        Some(node) => fill(svg, &node).is_some(),
        None => read(svg).is_some(),
    }
}

/// A drawing area with its axes.
struct Frame {
    /// Left, top, right, bottom.
    area: [f64; 4],
    x: Axis,
    y: Axis,
}

/// Completes data that name series and no points.
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

fn axis(axis: &Axis, from: f64, to: f64, label: &str) -> Value {
    json!({"lo": axis.position(from), "hi": axis.position(to), "log": axis.is_logarithmic(), "label": label})
}

/// The points of the marks of a series, and what stands above them.
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

/// The values at these places, to the digits that the picture resolves.
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

/// Steps are whole numbers: so are the values where the axis can tell whole numbers apart and all are
/// near one.
fn whole(values: Vec<f64>, axis: &Axis) -> Vec<f64> {
    // Points and ticks are drawn to whole units.
    let slack = 1.6 * axis.resolution(0.0);
    let near = |value: &f64| (value - value.round()).abs() <= slack;
    match !axis.is_logarithmic() && slack < 0.4 && slack > 0.001 && values.iter().all(near) {
        true => values.iter().map(|value| value.round()).collect(),
        false => values,
    }
}

/// From the lines of the two axes.
fn area(all: &[Handle]) -> Option<[f64; 4]> {
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

/// Names and colours; without a legend one series without a name.
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

/// The labels of the two axes: below the area, and turned beside it.
fn axis_names(all: &[Handle], frame: &Frame) -> (String, String) {
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

fn is_tick(node: &Handle) -> bool {
    name(node) == Some("text")
        && is(node, "font-size", "115")
        && attribute(node, "fill").as_deref() == Some("#57606A")
}

fn label(node: &Handle) -> Label {
    Label {
        text: dom::text_content(node),
        x: number(node, "x").unwrap_or(f64::NAN),
        y: number(node, "y").unwrap_or(f64::NAN),
        anchor: attribute(node, "text-anchor").unwrap_or_default(),
    }
}
