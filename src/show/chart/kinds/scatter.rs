//! Scatter plots of named groups of points.

use crate::error::Result;
use crate::show::chart::axis::{Axis, place};
use crate::show::chart::data::Data;
use crate::show::chart::figure::{ChartOptions, Figure, Trace};
use crate::show::chart::plot::{Plan, Plot, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::color::category;

/// Maximum number of points drawn; of more, every n-th is drawn and the caption says so.
const MAX_POINTS: usize = 4_000;

/// Draws one dot per point, one colour per series.
///
/// # Errors
/// When there is no finite point.
pub fn scatter(series: &[Trace], options: &ChartOptions) -> Result<Figure> {
    let (x, y) = axes(series, options)?;
    let total: usize = series.iter().map(|s| s.points.len()).sum();
    let stride = total.div_ceil(MAX_POINTS).max(1);
    let mut options = options.with_left_out(left_out(series, options), total, "points");
    if stride > 1 {
        options = options.noted(&format!("One point in {stride} of all {total} is drawn."));
    }
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).collect();
    let alt = format!(
        "Scatter plot: {}. {total} points: {}.",
        options.title,
        names.join(", ")
    );
    let mut plan = Plan::new("scatter plot", &options, x, y, alt);
    if series.len() > 1 {
        plan.legend = series
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.clone(), category(i)))
            .collect();
    }
    plan.data = Data::of_traces(series, &options);
    draw(plan, |plot| {
        for (i, one) in series.iter().enumerate() {
            if stride == 1 {
                interval_bars(plot, i, one, &options);
            }
            dots(plot, i, one.points.iter().step_by(stride), &options);
        }
        Ok(())
    })
}

/// Axes over the finite points and the references.
pub(in crate::show::chart) fn axes(
    series: &[Trace],
    options: &ChartOptions,
) -> Result<(Axis, Axis)> {
    let nothing = || nothing_to_draw("scatter plot");
    let points = || {
        let all = series.iter().flat_map(|s| &s.points);
        all.filter(|p| p.0.is_finite() && p.1.is_finite())
    };
    if points().next().is_none() {
        return Err(nothing());
    }
    let x_references = options.x_references.iter().map(|r| r.value);
    let y_references = options.y_references.iter().map(|r| r.value);
    let xs = points().map(|p| p.0).chain(x_references);
    let ys = points()
        .map(|p| p.1)
        .chain(y_references)
        .chain(interval_ends(series));
    let x = Axis::covering(xs, options.log_x, false, options.x_ticks());
    let y = Axis::covering(ys, options.log_y, false, 6);
    Ok((x.ok_or_else(nothing)?, y.ok_or_else(nothing)?))
}

/// Ends of the intervals that are drawn.
pub(in crate::show::chart) fn interval_ends(series: &[Trace]) -> impl Iterator<Item = f64> {
    let intervals = series.iter().flat_map(|s| &s.intervals);
    intervals
        .filter(|(low, high)| low.is_finite() && high.is_finite())
        .flat_map(|&(low, high)| [low, high])
}

/// Draws a vertical bar of series `i` for each interval that has a place on the axes.
pub(in crate::show::chart) fn interval_bars(
    plot: &mut Plot,
    i: usize,
    trace: &Trace,
    options: &ChartOptions,
) {
    let mut path = String::new();
    for (&(x, _), &(low, high)) in trace.points.iter().zip(&trace.intervals) {
        let placed = (
            place(x, options.log_x),
            place(low, options.log_y),
            place(high, options.log_y),
        );
        if let (Some(x), Some(low), Some(high)) = placed {
            let ((x, low), (_, high)) = (plot.at(x, low), plot.at(x, high));
            path.push_str(&format!("M{x} {low}V{high}"));
        }
    }
    if !path.is_empty() {
        plot.overlay.push_str(&format!(
            "<path data-s=\"{i}\" d=\"{path}\" stroke=\"{}\" stroke-width=\"16\" fill=\"none\"/>",
            category(i).hex()
        ));
    }
}

/// How many points have no place on the axes.
pub(in crate::show::chart) fn left_out(series: &[Trace], options: &ChartOptions) -> usize {
    let points = series.iter().flat_map(|s| &s.points);
    let nowhere = |&&(x, y): &&(f64, f64)| {
        place(x, options.log_x).is_none() || place(y, options.log_y).is_none()
    };
    points.filter(nowhere).count()
}

/// The points of series `i` as dots of one colour; those without a place on the axes are left out.
fn dots<'p>(
    plot: &mut Plot,
    i: usize,
    points: impl Iterator<Item = &'p (f64, f64)>,
    options: &ChartOptions,
) {
    let mut path = String::new();
    for &(x, y) in points {
        if let (Some(x), Some(y)) = (place(x, options.log_x), place(y, options.log_y)) {
            let (x, y) = plot.at(x, y);
            // A line of zero length with round ends is a dot in ten bytes.
            path.push_str(&format!("M{x} {y}h0"));
        }
    }
    plot.overlay.push_str(&format!(
        "<path data-s=\"{i}\" d=\"{path}\" stroke=\"{}\" stroke-width=\"60\" stroke-linecap=\"round\" \
         stroke-opacity=\"0.6\" fill=\"none\"/>",
        category(i).hex()
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_without_a_place_are_counted() {
        let points = vec![(1.0, 1.0), (2.0, f64::NAN), (3.0, 2.0)];
        let series = [Trace::new("a", points)];
        let figure = scatter(&series, &ChartOptions::default()).unwrap();
        let note = "1 of 3 points is NaN or infinite and not drawn.";
        assert!(figure.svg.contains(note));
    }

    #[test]
    fn many_points_are_thinned_and_the_caption_says_so() {
        let points = (0..10_000)
            .map(|i| (f64::from(i), f64::from(i % 97)))
            .collect();
        let figure = scatter(&[Trace::new("a", points)], &ChartOptions::default()).unwrap();
        assert!(figure.svg.contains("One point in 3 of all 10000 is drawn."));
        assert!(figure.svg.len() < 60_000, "{}", figure.svg.len());
    }
}
