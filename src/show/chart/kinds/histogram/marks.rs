//! The elements of a histogram: bins and box plots.

use std::fmt::Write;
use std::ops::Range;

use super::bins::{Bins, Sample};
use crate::show::chart::plot::Plot;
use crate::show::color::Rgb;

/// Maximum number of outliers drawn per group.
const MAX_OUTLIERS: usize = 200;

/// The bins of group `i`: bars with gaps for a single group; for overlaid ones translucent
/// steps with an outline.
pub(super) fn bars(
    plot: &mut Plot,
    i: usize,
    bins: &Bins,
    percents: &[f64],
    (color, overlaid): (Rgb, bool),
) {
    let color = color.hex();
    let _ = write!(plot.overlay, "<g data-s=\"{i}\">");
    match overlaid {
        true => steps(plot, bins, percents, &color),
        false => columns(plot, bins, percents, &color),
    }
    plot.overlay.push_str("</g>");
}

fn steps(plot: &mut Plot, bins: &Bins, percents: &[f64], color: &str) {
    let outlines = runs(percents).into_iter().map(|run| {
        let mut outline = vec![(bins.edge(run.start), 0.0)];
        for i in run.clone() {
            outline.push((bins.edge(i), percents[i]));
            outline.push((bins.edge(i + 1), percents[i]));
        }
        outline.push((bins.edge(run.end), 0.0));
        let places = outline.into_iter().map(|(x, y)| plot.at(x, y));
        let places: Vec<String> = places.map(|(x, y)| format!("{x},{y}")).collect();
        places.join(" ")
    });
    let outlines: Vec<String> = outlines.collect();
    for points in &outlines {
        let _ = write!(
            plot.overlay,
            "<polygon opacity=\"0.4\" fill=\"{color}\" points=\"{points}\"/>"
        );
    }
    for points in &outlines {
        let _ = write!(
            plot.overlay,
            "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"12\" points=\"{points}\"/>"
        );
    }
}

fn columns(plot: &mut Plot, bins: &Bins, percents: &[f64], color: &str) {
    let gap = bins.width * if bins.count > 150 { 0.0 } else { 0.04 };
    for (i, percent) in percents.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        let (left, bottom) = plot.at(bins.edge(i) + gap, 0.0);
        let (right, top) = plot.at(bins.edge(i + 1) - gap, *percent);
        let _ = write!(
            plot.overlay,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{}\" height=\"{}\" fill=\"{color}\"/>",
            right - left,
            bottom - top
        );
    }
}

/// The stretches of bins that are not empty.
fn runs(percents: &[f64]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for (i, _) in percents.iter().enumerate().filter(|(_, p)| **p > 0.0) {
        match runs.last_mut() {
            Some(run) if run.end == i => run.end = i + 1,
            _ => runs.push(i..i + 1),
        }
    }
    runs
}

/// A horizontal box plot of group `i` whose top is at `y` drawing units.
pub(super) fn box_plot(plot: &mut Plot, i: usize, sample: &Sample, y: f64) {
    let (q1, median, q3) = (
        sample.quantile(0.25),
        sample.quantile(0.5),
        sample.quantile(0.75),
    );
    let reach = 1.5 * (q3 - q1);
    let inside = || {
        sample
            .sorted
            .iter()
            .copied()
            .filter(|v| (q1 - reach..=q3 + reach).contains(v))
    };
    let low = inside().next().unwrap_or(q1);
    let high = inside().next_back().unwrap_or(q3);
    let x = |plot: &Plot, value: f64| plot.at(value, 0.0).0;
    let (x0, x1, xm, x2, x3) = (
        x(plot, low),
        x(plot, q1),
        x(plot, median),
        x(plot, q3),
        x(plot, high),
    );
    let (top, middle, bottom) = (y, y + 60.0, y + 120.0);
    let color = sample.color.hex();
    let (cap_top, cap_bottom) = (y + 25.0, y + 95.0);
    plot.overlay.push_str(&format!(
        "<g data-s=\"{i}\" data-m=\"x\"><path d=\"M{x0} {middle}H{x1}M{x2} {middle}H{x3}M{x0} {cap_top}V{cap_bottom}\
         M{x3} {cap_top}V{cap_bottom}\" stroke=\"{color}\" stroke-width=\"12\" fill=\"none\"/>\
         <rect x=\"{x1}\" y=\"{top}\" width=\"{}\" height=\"120\" fill=\"{color}\" \
         fill-opacity=\"0.35\" stroke=\"{color}\" stroke-width=\"12\"/>\
         <path d=\"M{xm} {top}V{bottom}\" stroke=\"{color}\" stroke-width=\"24\"/>",
        (x2 - x1).max(1)
    ));
    let outliers: Vec<i32> = sample
        .sorted
        .iter()
        .filter(|v| **v < low || **v > high)
        .map(|v| x(plot, *v))
        .collect();
    let stride = outliers.len().div_ceil(MAX_OUTLIERS).max(1);
    let mut path = String::new();
    for x in outliers.iter().step_by(stride) {
        path.push_str(&format!("M{x} {middle}h0"));
    }
    if !path.is_empty() {
        plot.overlay.push_str(&format!(
            "<path d=\"{path}\" stroke=\"{color}\" stroke-width=\"40\" stroke-opacity=\"0.5\" \
             stroke-linecap=\"round\" fill=\"none\"/>"
        ));
    }
    plot.overlay.push_str("</g>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_skip_empty_bins() {
        assert_eq!(runs(&[0.0, 1.0, 2.0, 0.0, 3.0]), [1..3, 4..5]);
    }
}
