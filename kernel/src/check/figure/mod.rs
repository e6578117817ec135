//! Compares figures by their data. The shapes of an SVG are read in drawing order. Where tick
//! labels define an axis, the points of the shapes are converted to values and compared as values;
//! otherwise as positions in the picture. Texts are compared as texts, colours as three numbers
//! from 0 to 255; positions of texts, stroke widths and fonts are not compared.

pub mod drawing;

use super::difference::{Difference, Kind};
use super::rules::cell::CellRules;
use super::rules::tolerance::Tolerance;
use super::text;
use crate::svg::axes::{Axes, Axis, Label};
use crate::svg::path;
use drawing::{Drawing, Mark};

/// Compares two drawings.
pub fn compare(stored: &Drawing, fresh: &Drawing, rules: &CellRules) -> Vec<Difference> {
    let mut found = Vec::new();
    if stored.panels.len() != fresh.panels.len() {
        let one = Difference::new(Kind::Figure, "panels");
        let count = |drawing: &Drawing| format!("{} panels", drawing.panels.len());
        return vec![one.sides(count(stored), count(fresh))];
    }
    found.extend(panel(stored, fresh, rules));
    for (at, (a, b)) in stored.panels.iter().zip(&fresh.panels).enumerate() {
        let place = format!("panel {}", at + 1);
        found.extend(
            compare(a, b, rules)
                .into_iter()
                .map(|one| one.within(&place)),
        );
    }
    found
}

/// Compares the content of two `<svg>`, without nested ones.
fn panel(stored: &Drawing, fresh: &Drawing, rules: &CellRules) -> Vec<Difference> {
    let names: Vec<String> = stored
        .labels
        .iter()
        .map(|label| label.text.clone())
        .collect();
    let labels = |drawing: &Drawing| -> String {
        let texts: Vec<&str> = drawing
            .labels
            .iter()
            .map(|label: &Label| label.text.as_str())
            .collect();
        texts.join("\n")
    };
    let mut found: Vec<Difference> = Vec::new();
    let mut texts = |a: &str, b: &str, what: &str| {
        // A text in a figure is one line; its number among the texts is of little use.
        let differences = text::compare(a, b, rules, &[]).into_iter();
        found.extend(differences.map(|one| Difference {
            place: what.to_owned(),
            ..one
        }));
    };
    texts(&labels(stored), &labels(fresh), "text in the figure");
    texts(
        &stored.descriptions.join("\n"),
        &fresh.descriptions.join("\n"),
        "description of the figure",
    );
    let tolerance = rules
        .tolerances
        .named(&names)
        .unwrap_or(rules.tolerances.general());
    let (a, b) = (Axes::find(&stored.labels), Axes::find(&fresh.labels));
    found.extend(marks((stored, &a), (fresh, &b), tolerance));
    found
}

fn marks(
    (stored, a): (&Drawing, &Axes),
    (fresh, b): (&Drawing, &Axes),
    tolerance: Tolerance,
) -> Vec<Difference> {
    // Where the axes differ, their ticks have moved; the tick labels are compared as texts.
    let same = a == b;
    let drawn = |drawing: &'_ Drawing, axes: &Axes| -> Vec<Mark> {
        let marks = drawing.marks.iter();
        marks
            .filter(|mark| same || !is_tick(mark, axes))
            .cloned()
            .collect()
    };
    let (x, y) = (drawn(stored, a), drawn(fresh, b));
    if x.len() != y.len() {
        let one = Difference::new(Kind::Figure, "shapes");
        return vec![one.sides(format!("{} shapes", x.len()), format!("{} shapes", y.len()))];
    }
    let sides = Sides {
        axes: (a, b),
        size: stored.size.max(fresh.size),
        tolerance,
    };
    let mut found = Vec::new();
    for (at, (one, other)) in x.iter().zip(&y).enumerate() {
        let place = format!("shape {} of {} ({})", at + 1, x.len(), one.kind());
        found.extend(
            mark(one, other, &sides)
                .into_iter()
                .map(|difference| difference.within(&place)),
        );
    }
    found
}

/// Whether a mark is the line of a tick or of the grid.
fn is_tick(mark: &Mark, axes: &Axes) -> bool {
    let near = |ticks: &[f64], place: f64| ticks.iter().any(|tick| (tick - place).abs() <= 1.5);
    match mark.points[..] {
        [p, q] if p.0 == q.0 => near(&axes.x_ticks, p.0),
        [p, q] if p.1 == q.1 => near(&axes.y_ticks, p.1),
        _ => false,
    }
}

/// The parameters for comparing two marks.
struct Sides<'a> {
    axes: (&'a Axes, &'a Axes),
    size: f64,
    tolerance: Tolerance,
}

impl Sides<'_> {
    /// Whether two positions along one direction are close enough, and the values that they
    /// represent.
    fn close(&self, axes: (Option<Axis>, Option<Axis>), one: f64, other: f64) -> (bool, f64, f64) {
        match axes {
            (Some(a), Some(b)) => {
                let (x, y) = (a.value(one), b.value(other));
                // Marks and ticks are both drawn to a unit of the picture.
                let slack = 1.5 * (a.resolution(one) + b.resolution(other));
                let same = a == b && one == other;
                (same || self.tolerance.allows(x, y, slack), x, y)
            }
            _ => (self.near(one, other), one, other),
        }
    }

    /// Whether two positions without values are close enough.
    fn near(&self, one: f64, other: f64) -> bool {
        let allowed = 1.0 + self.tolerance.relative * self.size;
        one == other || (!self.tolerance.is_zero() && (one - other).abs() <= allowed)
    }
}

fn mark(one: &Mark, other: &Mark, sides: &Sides) -> Vec<Difference> {
    let differs =
        |place: &str, a: String, b: String| Difference::new(Kind::Figure, place).sides(a, b);
    if one.points.len() != other.points.len() {
        let count = |mark: &Mark| format!("{} points", mark.points.len());
        return vec![differs("", count(one), count(other))];
    }
    if one.shape != other.shape {
        return vec![differs("", one.shape.clone(), other.shape.clone())];
    }
    let mut found = Vec::new();
    let mut far = 0;
    let (a, b) = sides.axes;
    for (at, (p, q)) in one.points.iter().zip(&other.points).enumerate() {
        let (near_x, x1, x2) = sides.close((a.x, b.x), p.0, q.0);
        let (near_y, y1, y2) = sides.close((a.y, b.y), p.1, q.1);
        if near_x && near_y {
            continue;
        }
        far += 1;
        if far == 1 {
            let place = format!("point {} of {}", at + 1, one.points.len());
            let tolerance = sides.tolerance;
            let note = match near_y {
                true => text::off_by(x1, x2),
                false => text::off_by(y1, y2),
            };
            let point = differs(&place, point(x1, y1), point(x2, y2));
            found.push(point.note(format!("{note}; tolerance {tolerance}")));
        }
    }
    if let (Some(first), true) = (found.last_mut(), far > 1) {
        first
            .note
            .push_str(&format!("\nand {} more points of this shape", far - 1));
    }
    let same_sizes = one.sizes.len() == other.sizes.len()
        && one
            .sizes
            .iter()
            .zip(&other.sizes)
            .all(|(a, b)| sides.near(*a, *b));
    if !same_sizes {
        let list = |sizes: &[f64]| format!("{sizes:?}");
        found.push(differs("size", list(&one.sizes), list(&other.sizes)));
    }
    for name in [
        "fill",
        "stroke",
        "fill-opacity",
        "stroke-opacity",
        "opacity",
        "stop-color",
    ] {
        let (a, b) = (one.colours.get(name), other.colours.get(name));
        if a != b && !close_colours(a, b, sides.tolerance) {
            let text =
                |colour: Option<&String>| colour.cloned().unwrap_or_else(|| "none".to_owned());
            found.push(differs(name, text(a), text(b)));
        }
    }
    if one.picture != other.picture {
        let one = Difference::new(Kind::Picture, "picture of pixels");
        found.push(one.note("raster images are compared byte for byte"));
    }
    found
}

/// `(350, 4.512)`, to six digits.
fn point(x: f64, y: f64) -> String {
    let short = |value: f64| format!("{value:.5e}").parse().unwrap_or(value);
    format!("({}, {})", short(x), short(y))
}

/// Whether each component of two colours is close enough, as a fraction of 255; opacities are
/// compared as numbers.
fn close_colours(one: Option<&String>, other: Option<&String>, tolerance: Tolerance) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    if tolerance.is_zero() {
        return false;
    }
    if let (Ok(a), Ok(b)) = (one.parse::<f64>(), other.parse::<f64>()) {
        return tolerance.allows(a, b, 0.0);
    }
    let (Some(a), Some(b)) = (rgb(one), rgb(other)) else {
        return false;
    };
    let allowed = 1.0 + 255.0 * tolerance.relative;
    a.iter().zip(b).all(|(a, b)| (a - b).abs() <= allowed)
}

/// The components of `#rrggbb`, `#rgb` or `rgb(r, g, b)`.
fn rgb(colour: &str) -> Option<[f64; 3]> {
    let parts: Vec<f64> = if let Some(digits) = colour.strip_prefix('#') {
        let (width, factor) = match digits.len() {
            3 => (1, 17.0),
            6 => (2, 1.0),
            _ => return None,
        };
        let part =
            |at: usize| u8::from_str_radix(digits.get(at * width..(at + 1) * width)?, 16).ok();
        let parts: Option<Vec<u8>> = (0..3).map(part).collect();
        parts?
            .into_iter()
            .map(|part| f64::from(part) * factor)
            .collect()
    } else {
        path::numbers(colour.strip_prefix("rgb(")?.strip_suffix(')')?)?
    };
    parts.try_into().ok()
}

#[cfg(test)]
mod tests;
