//! The data of a chart within its picture, so that a page can look up the value of a point.
//!
//! It is JSON in a `<metadata>` element, which no viewer shows and `holoscope check` does not compare:
//! `area`, the drawing area in the picture's units (left, top, right, bottom); `x` and `y`, the axes from
//! `lo` to `hi` (logarithms if `log` is true) with their labels; and `series` of points, in the order of
//! the legend, or `cells`. Evenly spaced `x` are `{"from", "by"}`; with `bins`, the first edge and the width,
//! there are none. Marks of series `i` have `data-s="i"`; elements that move with one axis only have `data-m="x"`
//! or `data-m="y"`.

use std::fmt::Write;

use super::axis::{Axis, place};
use super::figure::{ChartOptions, Trace};
use crate::show::escaping::one_line;

/// Charts with more points do not contain them, so that notebooks stay small; the picture itself gives
/// the points to visible accuracy.
const MAX_POINTS: usize = 1_000;
/// Heat maps with more cells contain no values.
const MAX_CELLS: usize = 32 * 32;
/// Longer names are truncated.
const MAX_NAME: usize = 60;

/// The data of a chart as embedded in its picture.
#[derive(Debug, Default)]
pub(super) enum Data {
    /// Named points, in the order of the legend.
    Points(Vec<Series>),
    /// Percent in bins of equal width from the first edge on; `Series::x` is not used.
    Bins {
        first: f64,
        width: f64,
        series: Vec<Series>,
    },
    /// Names of columns and rows (empty: numbered), and the values by rows; `None` for an empty cell.
    Cells {
        x: Vec<String>,
        y: Vec<String>,
        rows: Vec<Vec<Option<f64>>>,
    },
    #[default]
    None,
}

/// Points with a common name.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub name: String,
    pub x: Vec<f64>,
    pub y: Vec<f64>,
    /// The interval around each point; empty without intervals.
    pub intervals: Vec<(f64, f64)>,
    /// The name of each point; empty without names.
    pub texts: Vec<String>,
}

impl Data {
    /// The points of traces that have a place on the axes.
    pub(super) fn of_traces(traces: &[Trace], options: &ChartOptions) -> Self {
        let total: usize = traces.iter().map(|trace| trace.points.len()).sum();
        let series = traces.iter().map(|trace| {
            let mut series = Series {
                name: trace.name.clone(),
                ..Series::default()
            };
            if total > MAX_POINTS {
                return series;
            }
            for (i, &(x, y)) in trace.points.iter().enumerate() {
                if place(x, options.log_x).is_none() || place(y, options.log_y).is_none() {
                    continue;
                }
                series.x.push(x);
                series.y.push(y);
                series.intervals.extend(trace.intervals.get(i));
            }
            series
        });
        Data::Points(series.collect())
    }
}

/// An axis, and its name in the data, if its values have a meaning.
pub(super) type NamedAxis<'a> = (&'a Axis, Option<&'a str>);

/// The element, empty for a chart without data. `z_label` names the values of cells; `area` is left,
/// top, right, bottom.
pub(super) fn metadata(
    data: &Data,
    x: NamedAxis<'_>,
    y: NamedAxis<'_>,
    z_label: &str,
    area: [f64; 4],
) -> String {
    let (x_axis, y_axis) = (axis(x.0, x.1), axis(y.0, y.1));
    let mut json = String::new();
    match data {
        Data::None => return json,
        Data::Points(series) => {
            let _ = write!(json, "\"series\":{}", list(series, one_series));
        }
        Data::Bins {
            first,
            width,
            series,
        } => {
            let (first, width) = (number(*first, 7), number(*width, 7));
            let series = list(series, one_series);
            let _ = write!(json, "\"bins\":[{first},{width}],\"series\":{series}");
        }
        Data::Cells { rows, .. } if rows.len() * rows[0].len() > MAX_CELLS => return json,
        Data::Cells { x, y, rows } => {
            let (x, y) = (list(x, |name| quoted(name)), list(y, |name| quoted(name)));
            let z = quoted(z_label);
            let values: Vec<Option<f64>> = rows.iter().flatten().copied().collect();
            let values = list(&values, |value| match value {
                Some(value) if value.is_finite() => number(*value, 5),
                Some(value) => format!("\"{value}\""),
                None => "null".to_owned(),
            });
            let shape = format!("{},{}", rows.len(), rows[0].len());
            let _ = write!(
                json,
                "\"cells\":{{\"x\":{x},\"y\":{y},\"z\":{z},\"shape\":[{shape}],\"values\":{values}}}"
            );
        }
    }
    let area = list(&area, |place| number(*place, 7));
    let json = format!("{{\"area\":{area},\"x\":{x_axis},\"y\":{y_axis},{json}}}");
    let json = json.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<metadata class=\"chart\">{}</metadata>",
        json.replace('>', "&gt;")
    )
}

fn axis(axis: &Axis, name: Option<&str>) -> String {
    let mut json = format!(
        "{{\"lo\":{},\"hi\":{}",
        number(axis.lo, 9),
        number(axis.hi, 9)
    );
    if let Some(name) = name {
        let _ = write!(json, ",\"label\":{}", quoted(name));
    }
    if axis.log {
        json.push_str(",\"log\":true");
    }
    json + "}"
}

fn one_series(series: &Series) -> String {
    let mut json = format!("{{\"name\":{}", quoted(&series.name));
    let numbers = |values: &[f64]| list(values, |value| number(*value, 5));
    if !series.x.is_empty() {
        let _ = write!(json, ",\"x\":{}", places(&series.x));
    }
    if !series.y.is_empty() {
        let _ = write!(json, ",\"y\":{}", numbers(&series.y));
    }
    if !series.intervals.is_empty() {
        let (low, high): (Vec<f64>, Vec<f64>) = series.intervals.iter().copied().unzip();
        let _ = write!(
            json,
            ",\"low\":{},\"high\":{}",
            numbers(&low),
            numbers(&high)
        );
    }
    if !series.texts.is_empty() {
        let _ = write!(
            json,
            ",\"text\":{}",
            list(&series.texts, |text| quoted(text))
        );
    }
    json + "}"
}

/// Steps are mostly evenly spaced: then only the first and the distance are written.
fn places(x: &[f64]) -> String {
    if let [first, second, _, ..] = x {
        let by = second - first;
        let even = |(i, at): (usize, &f64)| (first + by * i as f64) == *at;
        if x.iter().enumerate().all(even) {
            return format!(
                "{{\"from\":{},\"by\":{}}}",
                number(*first, 9),
                number(by, 9)
            );
        }
    }
    list(x, |at| number(*at, 7))
}

fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(one).collect();
    format!("[{}]", items.join(","))
}

/// A number with at most `digits` significant digits; null if not finite.
fn number(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        return "null".to_owned();
    }
    let rounded: f64 = format!("{value:.0$e}", digits - 1).parse().unwrap_or(value);
    let (plain, power) = (format!("{rounded}"), format!("{rounded:e}"));
    if plain.len() <= power.len() {
        plain
    } else {
        power
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(one_line(text, MAX_NAME)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::{ColorScale, Figure, heatmap, histogram, line_chart};
    use serde_json::{Value, json};

    /// The data embedded in a figure.
    fn told(figure: &Figure) -> Value {
        let (_, rest) = figure.svg.split_once("<metadata class=\"chart\">").unwrap();
        let json = rest.split_once("</metadata>").unwrap().0;
        let json = json
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn a_chart_carries_its_points_and_axes() {
        let even = Trace::new("a <&>", vec![(1.0, 5.123_456), (3.0, f64::NAN), (5.0, 4.0)]);
        let other = Trace::from_steps("b", &[(10, 1.0), (20, 1e-9), (30, 2.0)]).intervals(vec![
            (0.5, 1.5),
            (f64::NAN, 1.0),
            (1.0, 3.0),
        ]);
        let options = ChartOptions::new("t", "step", "loss (nats/token)");
        let data = told(&line_chart(&[even, other], &options).unwrap());
        assert_eq!(
            data["series"][0],
            json!({"name": "a <&>", "x": [1, 5], "y": [5.1235, 4]})
        );
        let b = json!({"name": "b", "x": {"from": 10, "by": 10}, "y": [1, 1e-9, 2],
            "low": [0.5, null, 1], "high": [1.5, 1, 3]});
        assert_eq!(data["series"][1], b);
        assert_eq!(data["x"]["label"], "step");
        assert_eq!(data["y"]["label"], "loss (nats/token)");
        assert_eq!(data["x"]["lo"], 0);
        assert_eq!(data["area"].as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn places_on_a_logarithmic_axis_are_logarithms_and_values_are_values() {
        let trace = Trace::new("a", vec![(1.0, 1e-3), (2.0, 10.0)]);
        let options = ChartOptions::default().log_y();
        let data = told(&line_chart(&[trace], &options).unwrap());
        assert_eq!(data["y"]["log"], true);
        let (lo, hi) = (
            data["y"]["lo"].as_f64().unwrap(),
            data["y"]["hi"].as_f64().unwrap(),
        );
        assert!((-3.3..-3.0).contains(&lo) && (1.0..1.3).contains(&hi));
        assert_eq!(data["series"][0]["y"], json!([0.001, 10]));
    }

    #[test]
    fn a_long_curve_keeps_its_points_to_itself() {
        let points = (0..1_001)
            .map(|i| (f64::from(i), f64::from(i % 7)))
            .collect();
        let data = told(&line_chart(&[Trace::new("a", points)], &ChartOptions::default()).unwrap());
        assert_eq!(data["series"], json!([{"name": "a"}]));
    }

    #[test]
    fn bins_and_cells_have_their_places() {
        let data = told(&histogram(&[0.0, 1.0, 1.0, 4.0], 4, &ChartOptions::default()).unwrap());
        assert_eq!(data["bins"], json!([0, 1]));
        assert_eq!(data["series"][0]["y"], json!([25, 50, 0, 25]));
        assert_eq!(data["y"]["label"], "percent");
        let names = ["a".to_owned(), "b".to_owned()];
        let options = ChartOptions {
            z_label: "share".to_owned(),
            ..ChartOptions::default()
        };
        let rows = [vec![1.0, 3.0], vec![f64::NAN, 0.5]];
        let figure = heatmap(&rows, &names, &[], ColorScale::Sequential, &options);
        let cells = json!({"x": ["a", "b"], "y": [], "z": "share", "shape": [2, 2],
            "values": [1, 3, "NaN", 0.5]});
        assert_eq!(told(&figure.unwrap())["cells"], cells);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(1_234_567.0, 5), "1234600");
        assert_eq!(number(0.000_012_345_6, 5), "1.2346e-5");
        assert_eq!(number(-0.5, 5), "-0.5");
        assert_eq!(number(f64::INFINITY, 5), "null");
    }
}
