//! Scatter plots of a few labelled points, joined within a series; one colour and marker per series.

use super::scatter::{axes, left_out};
use crate::error::Result;
use crate::show::chart::axis::place;
use crate::show::chart::data::Data;
use crate::show::chart::figure::{ChartOptions, Figure, Trace};
use crate::show::chart::plot::{Plan, Plot};
use crate::show::chart::sheet::draw;
use crate::show::color::category;

/// A point with its label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledPoint {
    pub x: f64,
    pub y: f64,
    pub label: String,
}

/// Points of one kind, in the order in which they are joined.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledSeries {
    pub name: String,
    pub points: Vec<LabelledPoint>,
}

/// Markers by series: the character for the legend, and the outline around (0, 0) in drawing units.
const MARKERS: [(&str, &str); 7] = [
    ("\u{25cf}", "m-40 0a40 40 0 1 0 80 0a40 40 0 1 0 -80 0z"),
    ("\u{25a0}", "m-36 -36h72v72h-72z"),
    ("\u{25b2}", "m0 -46l44 78h-88z"),
    ("\u{25c6}", "m0 -50l50 50l-50 50l-50 -50z"),
    ("\u{25bc}", "m0 46l44 -78h-88z"),
    (
        "\u{271a}",
        "m-15 -45h30v30h30v30h-30v30h-30v-30h-30v-30h30z",
    ),
    (
        "\u{2716}",
        "m-43 -22l21 -21l22 22l22 -22l21 21l-22 22l22 22l-21 21l-22 -22l-22 22l-21 -21l22 -22z",
    ),
];

/// Draws one marker per point, with its label above it, and a thin line through each series.
///
/// ```
/// use holoscope::show::{ChartOptions, LabelledPoint, LabelledSeries, labelled_scatter};
/// let point = |x, y, label: &str| LabelledPoint { x, y, label: label.to_owned() };
/// let points = vec![point(8.0, 0.71, "8"), point(32.0, 0.86, "32")];
/// let series = [LabelledSeries { name: "topk".to_owned(), points }];
/// let options = ChartOptions::new("Frontier", "L0", "explained variance");
/// assert!(labelled_scatter(&series, &options)?.svg.contains(">32<"));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// When there is no finite point.
pub fn labelled_scatter(series: &[LabelledSeries], options: &ChartOptions) -> Result<Figure> {
    let traces: Vec<Trace> = series
        .iter()
        .map(|s| Trace::new(&s.name, s.points.iter().map(|p| (p.x, p.y)).collect()))
        .collect();
    let (x, y) = axes(&traces, options)?;
    let total: usize = series.iter().map(|s| s.points.len()).sum();
    let options = options.with_left_out(left_out(&traces, options), total, "points");
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let alt = format!(
        "Scatter plot: {}. {total} labelled points: {}.",
        options.title,
        names.join(", ")
    );
    let mut plan = Plan::new("scatter plot", &options, x, y, alt);
    let legend = series.iter().enumerate();
    plan.legend = legend
        .map(|(i, s)| (format!("{} {}", marker(i).0, s.name), category(i)))
        .collect();
    plan.data = data(series, &traces, &options);
    draw(plan, |plot| {
        for (i, one) in series.iter().enumerate() {
            draw_series(plot, i, one, &options);
        }
        Ok(())
    })
}

/// The points with their labels.
fn data(series: &[LabelledSeries], traces: &[Trace], options: &ChartOptions) -> Data {
    let mut data = Data::of_traces(traces, options);
    if let Data::Points(all) = &mut data {
        for (of, one) in all
            .iter_mut()
            .zip(series)
            .filter(|(of, _)| !of.x.is_empty())
        {
            let drawn = one.points.iter().filter(|point| {
                place(point.x, options.log_x).is_some() && place(point.y, options.log_y).is_some()
            });
            of.texts = drawn.map(|point| point.label.clone()).collect();
        }
    }
    data
}

fn marker(i: usize) -> (&'static str, &'static str) {
    MARKERS[i % MARKERS.len()]
}

fn draw_series(plot: &mut Plot, i: usize, series: &LabelledSeries, options: &ChartOptions) {
    let placed = |point: &LabelledPoint| {
        let place = (
            place(point.x, options.log_x)?,
            place(point.y, options.log_y)?,
        );
        Some((place, point.label.clone()))
    };
    let points: Vec<((i32, i32), String)> = series
        .points
        .iter()
        .filter_map(placed)
        .map(|((x, y), label)| (plot.at(x, y), label))
        .collect();
    let color = category(i).hex();
    let line: Vec<String> = points
        .iter()
        .map(|((x, y), _)| format!("{x},{y}"))
        .collect();
    plot.overlay.push_str(&format!(
        "<g data-s=\"{i}\"><polyline points=\"{}\" stroke=\"{color}\" stroke-width=\"12\" stroke-opacity=\"0.5\" fill=\"none\"/>",
        line.join(" ")
    ));
    let outline = marker(i).1;
    let markers: String = points
        .iter()
        .map(|((x, y), _)| format!("M{x} {y}{outline}"))
        .collect();
    plot.overlay
        .push_str(&format!("<path d=\"{markers}\" fill=\"{color}\"/>"));
    for ((x, y), label) in points {
        plot.label(f64::from(x), f64::from(y) - 70.0, "middle", &color, &label);
    }
    plot.overlay.push_str("</g>");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(name: &str, points: &[(f64, f64)]) -> LabelledSeries {
        let points = points.iter().enumerate().map(|(i, &(x, y))| LabelledPoint {
            x,
            y,
            label: format!("{name}{i}"),
        });
        LabelledSeries {
            name: name.to_owned(),
            points: points.collect(),
        }
    }

    #[test]
    fn every_series_has_its_marker_and_every_point_its_label() {
        let two = [
            series("a", &[(1.0, 1.0), (2.0, 1.5)]),
            series("b", &[(1.0, 2.0)]),
        ];
        let figure = labelled_scatter(&two, &ChartOptions::default()).unwrap();
        for wanted in [
            ">a0<",
            ">a1<",
            ">b0<",
            "\u{25cf} a",
            "\u{25a0} b",
            MARKERS[1].1,
        ] {
            assert!(figure.svg.contains(wanted), "{wanted}");
        }
        assert_eq!(figure.svg.matches(MARKERS[0].1).count(), 2);
    }

    #[test]
    fn points_without_a_place_are_left_out_and_counted() {
        let one = [series("a", &[(1.0, 1.0), (f64::NAN, 2.0), (2.0, 3.0)])];
        let figure = labelled_scatter(&one, &ChartOptions::default()).unwrap();
        assert!(!figure.svg.contains(">a1<"));
        assert!(figure.svg.contains("1 of 3 points is NaN or infinite"));
        let none = [series("a", &[(f64::NAN, 2.0)])];
        assert!(labelled_scatter(&none, &ChartOptions::default()).is_err());
    }
}
