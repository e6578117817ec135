//! Line charts: curves of several named series, such as losses over steps.
//!
//! A curve with more points than pixels keeps the smallest and largest value of every
//! pixel, so that spikes stay visible.

use std::fmt::Write;

use super::scatter::{interval_bars, interval_ends, left_out};
use crate::error::Result;
use crate::show::chart::axis::{Axis, place};
use crate::show::chart::data::Data;
use crate::show::chart::figure::{ChartOptions, Figure, Trace};
use crate::show::chart::plot::{Plan, Plot, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::color::category;
use crate::show::format_number;

/// Number of horizontal buckets when a curve is thinned.
const BUCKETS: f64 = 300.0;

/// Draws one curve per series, over a horizontal axis of steps, tokens, positions, ...
///
/// ```
/// use holoscope::show::{ChartOptions, Trace, line_chart};
/// let loss = Trace::from_steps("train", &[(0, 9.3), (100, 5.9), (200, 5.4)]);
/// let options = ChartOptions::new("Loss", "step", "cross-entropy (nats/token)")
///     .y_reference("bigram baseline", 5.53);
/// let figure = line_chart(&[loss], &options)?;
/// assert!(figure.svg.contains("bigram baseline"));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// When there is no finite point.
pub fn line_chart(series: &[Trace], options: &ChartOptions) -> Result<Figure> {
    line_chart_within(series, options, None)
}

/// The properties that a panel shares with those above and below it.
pub(in crate::show::chart) struct Within {
    pub x: Axis,
    /// The horizontal axis' name, shown only on the last panel.
    pub x_name: String,
    /// Pixels left of the drawing area.
    pub left: f64,
    /// Pixels of the drawing area.
    pub height: f64,
}

/// A line chart, alone or as a panel.
pub(in crate::show::chart) fn line_chart_within(
    series: &[Trace],
    options: &ChartOptions,
    within: Option<&Within>,
) -> Result<Figure> {
    let nothing = || nothing_to_draw("line chart");
    if !is_drawn(series) {
        return Err(nothing());
    }
    let x = match within {
        Some(within) => Some(within.x.clone()),
        None => x_axis(series.iter(), options),
    };
    let (x, y) = (
        x.ok_or_else(nothing)?,
        y_axis(series, options).ok_or_else(nothing)?,
    );
    let n = series.iter().map(|one| one.points.len()).sum();
    let options = &options.with_left_out(left_out(series, options), n, "points");
    let title = match within {
        Some(_) => &options.y_label,
        None => &options.title,
    };
    let mut plan = Plan::new("line chart", options, x, y, alt(series, title, options));
    if series.len() > 1 {
        plan.legend = series
            .iter()
            .enumerate()
            .map(|(i, s)| (s.name.clone(), category(i)))
            .collect();
    }
    plan.x_mesh = false;
    plan.data = Data::of_traces(series, options);
    if let Some(within) = within {
        plan.x_name = Some(within.x_name.clone());
        plan.left = within.left;
        plan.plot_height = within.height;
    }
    let (x_span, x_lo) = (plan.x.hi - plan.x.lo, plan.x.lo);
    draw(plan, |plot| {
        for (i, one) in series.iter().enumerate() {
            curve(plot, i, &runs(&one.points, options), (x_lo, x_span));
        }
        // Elements that may cover a curve are drawn after all curves.
        for (i, one) in series.iter().enumerate() {
            lone_points(plot, i, &runs(&one.points, options));
            interval_bars(plot, i, one, options);
        }
        Ok(())
    })
}

/// Whether there is a finite point.
pub(in crate::show::chart) fn is_drawn(series: &[Trace]) -> bool {
    let mut points = series.iter().flat_map(|s| &s.points);
    points.any(|p| p.0.is_finite() && p.1.is_finite())
}

/// An axis that starts at zero unless a point is to the left of it.
pub(in crate::show::chart) fn x_axis<'t>(
    series: impl Iterator<Item = &'t Trace> + Clone,
    options: &ChartOptions,
) -> Option<Axis> {
    let points = || series.clone().flat_map(|s| &s.points);
    let references = options.x_references.iter().map(|r| r.value);
    let finite = points().filter(|p| p.1.is_finite()).map(|p| p.0);
    let from_zero = !options.log_x && points().all(|p| p.0 >= 0.0 || p.0.is_nan());
    Axis::covering(
        finite.chain(references),
        options.log_x,
        from_zero,
        options.x_ticks(),
    )
}

pub(in crate::show::chart) fn y_axis(series: &[Trace], options: &ChartOptions) -> Option<Axis> {
    let points = series.iter().flat_map(|s| &s.points).map(|p| p.1);
    let references = options.y_references.iter().map(|r| r.value);
    let values = points.chain(references).chain(interval_ends(series));
    Axis::covering(values, options.log_y, false, 6)
}

/// Draws the runs of series `i` that have more than one point.
fn curve(plot: &mut Plot, i: usize, runs: &[Vec<(f64, f64)>], (x_lo, x_span): (f64, f64)) {
    for run in runs.iter().filter(|run| run.len() > 1) {
        let points = thinned(run, x_lo, x_span).into_iter();
        let points = points.map(|(x, y)| plot.at(x, y));
        let points: Vec<String> = points.map(|(x, y)| format!("{x},{y}")).collect();
        let _ = write!(
            plot.overlay,
            "<polyline data-s=\"{i}\" fill=\"none\" stroke=\"{}\" stroke-width=\"18\" points=\"{}\"/>",
            category(i).hex(),
            points.join(" ")
        );
    }
}

/// The points of series `i` without a neighbour.
fn lone_points(plot: &mut Plot, i: usize, runs: &[Vec<(f64, f64)>]) {
    for run in runs {
        if let [(x, y)] = run[..] {
            let (x, y) = plot.at(x, y);
            let _ = write!(
                plot.overlay,
                "<circle data-s=\"{i}\" cx=\"{x}\" cy=\"{y}\" r=\"30\" fill=\"{}\"/>",
                category(i).hex()
            );
        }
    }
}

/// The stretches of points that have a place on both axes.
fn runs(points: &[(f64, f64)], options: &ChartOptions) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![Vec::new()];
    for &(x, y) in points {
        match (place(x, options.log_x), place(y, options.log_y)) {
            (Some(x), Some(y)) => {
                if let Some(run) = runs.last_mut() {
                    run.push((x, y));
                }
            }
            _ => runs.push(Vec::new()),
        }
    }
    runs.retain(|run| !run.is_empty());
    runs
}

/// A curve with at most the first, lowest, highest and last point of every bucket.
fn thinned(run: &[(f64, f64)], x_lo: f64, x_span: f64) -> Vec<(f64, f64)> {
    if (run.len() as f64) < 4.0 * BUCKETS {
        return run.to_vec();
    }
    let bucket = |x: f64| ((x - x_lo) / x_span * BUCKETS).floor();
    let mut out = Vec::new();
    for chunk in run.chunk_by(|a, b| bucket(a.0) == bucket(b.0)) {
        let index = |better: fn(f64, f64) -> bool| {
            (1..chunk.len()).fold(0, |best, i| {
                if better(chunk[i].1, chunk[best].1) {
                    i
                } else {
                    best
                }
            })
        };
        let mut keep = [0, index(|a, b| a < b), index(|a, b| a > b), chunk.len() - 1];
        keep.sort_unstable();
        let mut last = None;
        for i in keep {
            if last != Some(i) {
                out.push(chunk[i]);
                last = Some(i);
            }
        }
    }
    out
}

fn alt(series: &[Trace], title: &str, options: &ChartOptions) -> String {
    let mut out = format!("Line chart: {title}.");
    for one in series {
        let finite = || one.points.iter().filter(|p| p.1.is_finite());
        if let (Some(first), Some(last)) = (finite().next(), finite().next_back()) {
            out.push_str(&format!(
                " {}: {} points, from {} to {}.",
                one.name,
                one.points.len(),
                format_number(first.1),
                format_number(last.1)
            ));
        }
    }
    for reference in &options.y_references {
        out.push_str(&format!(
            " {}: {}.",
            reference.label,
            format_number(reference.value)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_a_spike_and_the_ends() {
        let mut run: Vec<(f64, f64)> = (0..20_000).map(|i| (f64::from(i), 1.0)).collect();
        run[7777].1 = 9.0;
        let thin = thinned(&run, 0.0, 20_000.0);
        assert!(thin.len() <= 1_300, "{}", thin.len());
        assert!(thin.contains(&(7777.0, 9.0)));
        assert_eq!((thin[0].0, thin[thin.len() - 1].0), (0.0, 19_999.0));
    }

    #[test]
    fn intervals_are_drawn_and_the_axis_covers_them() {
        let points = vec![(1.0, 0.5), (2.0, 0.6), (3.0, 0.7)];
        let plain = Trace::new("a", points);
        let intervals = vec![(0.4, 0.6), (f64::NAN, 0.7), (0.6, 9.0)];
        let with = plain.clone().intervals(intervals);
        let bars = |figure: &Figure| figure.svg.matches("stroke-width=\"16\"").count();
        let figure = line_chart(&[plain], &ChartOptions::default()).unwrap();
        assert_eq!(bars(&figure), 0);
        assert!(!figure.svg.contains(">8<"));
        let figure = line_chart(&[with], &ChartOptions::default()).unwrap();
        // One path with a bar for each of the two intervals that are finite.
        assert_eq!(bars(&figure), 1);
        let path = figure.svg.split("stroke-width=\"16\"").next().unwrap();
        let d = path
            .rsplit("d=\"")
            .next()
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert_eq!(d.matches('V').count(), 2, "{d}");
        assert!(
            figure.svg.contains(">8<"),
            "the axis ends below the interval"
        );
    }

    #[test]
    fn a_gap_interrupts_the_curve() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)];
        assert_eq!(runs(&points, &ChartOptions::default()).len(), 2);
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let empty = Trace::new("a", vec![(0.0, f64::NAN)]);
        let options = ChartOptions::default().y_reference("bigram", 5.5);
        assert!(line_chart(&[empty], &options).is_err());
        assert!(line_chart(&[], &ChartOptions::default()).is_err());
    }
}
