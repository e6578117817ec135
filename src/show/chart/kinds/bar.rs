//! Horizontal bars of named values, such as the logits of a feature's top tokens.

use plotters::element::Rectangle;
use plotters::style::{Color, RGBColor};

use crate::error::{Error, Result};
use crate::show::chart::axis::{Axis, place};
use crate::show::chart::data::{Data, Series};
use crate::show::chart::figure::{ChartOptions, Figure};
use crate::show::chart::plot::{Plan, Plot, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::color::{NEGATIVE, POSITIVE};
use crate::show::escaping::one_line;
use crate::show::format_number;
use crate::show::html::INK;
use crate::show::number::Mark;

/// Pixels of a bar and its gap.
const ROW_PX: f64 = 22.0;
/// Longer labels are truncated.
const MAX_LABEL_CHARS: usize = 36;

/// Draws one bar per label, the first on top: blue to the right of zero, orange to
/// the left, with the value at its end. Leading and trailing spaces of labels show as `·`.
///
/// # Errors
/// When there are not as many values as labels, or no finite value.
pub fn bar_chart(labels: &[String], values: &[f64], options: &ChartOptions) -> Result<Figure> {
    if labels.len() != values.len() {
        return Err(Error::argument(
            "values",
            values.len(),
            format!("there must be one for each of the {} labels", labels.len()),
        ));
    }
    let x = value_axis(values, options).ok_or_else(|| nothing_to_draw("bar chart"))?;
    let (y, alt) = (label_axis(labels), alt(labels, values, options));
    let mut plan = Plan::new("bar chart", options, x, y, alt);
    plan.plot_height = ROW_PX * (labels.len() as f64).max(2.0);
    plan.y_mesh = false;
    plan.data = data(labels, values);
    plan.y_name = None;
    draw(plan, |plot| bars(plot, values))
}

/// An axis that covers zero, the values and the references, with room at either end for the values'
/// labels; `None` when no value is finite.
fn value_axis(values: &[f64], options: &ChartOptions) -> Option<Axis> {
    if values.iter().all(|v| place(*v, false).is_none()) {
        return None;
    }
    let references = options.x_references.iter().map(|r| r.value);
    let x = Axis::covering(values.iter().copied().chain(references), false, true, 6)?;
    let span = x.hi - x.lo;
    let (lo, hi) = (
        if x.lo < 0.0 { x.lo - 0.08 * span } else { x.lo },
        if x.hi > 0.0 { x.hi + 0.08 * span } else { x.hi },
    );
    Some(Axis::spanning(lo, hi, false, 6))
}

/// An axis with one row per label, the first on top.
fn label_axis(labels: &[String]) -> Axis {
    Axis {
        lo: labels.len() as f64,
        hi: 0.0,
        log: false,
        marks: labels
            .iter()
            .enumerate()
            .map(|(i, label)| Mark {
                at: i as f64 + 0.5,
                label: edge_spaces(&one_line(label, MAX_LABEL_CHARS)),
            })
            .collect(),
    }
}

/// One point per bar, at its end, named by the label.
fn data(labels: &[String], values: &[f64]) -> Data {
    let rows = labels.iter().zip(values).enumerate();
    let rows = rows.filter(|(_, (_, value))| place(**value, false).is_some());
    let mut series = Series::default();
    for (i, (label, value)) in rows {
        series.x.push(*value);
        series.y.push(i as f64 + 0.5);
        series.texts.push(edge_spaces(label));
    }
    Data::Points(vec![series])
}

/// What the picture shows, in words.
fn alt(labels: &[String], values: &[f64], options: &ChartOptions) -> String {
    let listed: Vec<String> = labels
        .iter()
        .zip(values)
        .take(12)
        .map(|(label, value)| format!("{} {}", one_line(label, 24), format_number(*value)))
        .collect();
    format!(
        "Bar chart: {}. {} bars: {}.",
        options.title,
        labels.len(),
        listed.join(", ")
    )
}

/// The bars, their values and the line at zero.
fn bars(plot: &mut Plot, values: &[f64]) -> Result<()> {
    let bars = values.iter().enumerate();
    let bars = bars.filter(|(_, v)| place(**v, false).is_some());
    let bars = bars.map(|(i, value)| {
        let color = if *value < 0.0 { NEGATIVE } else { POSITIVE };
        let style = RGBColor(color.0, color.1, color.2).filled();
        let y = i as f64;
        Rectangle::new([(0.0, y + 0.14), (*value, y + 0.86)], style)
    });
    let drawn = plot.chart.draw_series(bars).map(|_| ());
    drawn.map_err(|e| plot.error(e))?;
    for (i, value) in values.iter().enumerate() {
        let shown = place(*value, false).unwrap_or(0.0);
        let (x, y) = plot.at(shown, i as f64 + 0.5);
        let (gap, anchor) = if *value < 0.0 {
            (-40, "end")
        } else {
            (40, "start")
        };
        let text = format_number(*value).replace('-', "−");
        plot.label(f64::from(x + gap), f64::from(y + 40), anchor, INK, &text);
    }
    let (x, _) = plot.at(0.0, 0.0);
    let [_, top, _, bottom] = plot.area;
    plot.overlay.push_str(&format!(
        "<path d=\"M{x} {top}V{bottom}\" stroke=\"{INK}\" stroke-width=\"10\"/>"
    ));
    Ok(())
}

/// Replaces leading and trailing spaces, which a page would drop, with `·`.
fn edge_spaces(label: &str) -> String {
    let inner = label.trim_matches(' ');
    let left = label.len() - label.trim_start_matches(' ').len();
    if inner.is_empty() {
        return "·".repeat(left);
    }
    let right = label.len() - label.trim_end_matches(' ').len();
    format!("{}{inner}{}", "·".repeat(left), "·".repeat(right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edge_spaces_are_visible() {
        assert_eq!(edge_spaces(" the king "), "·the king·");
        assert_eq!(edge_spaces("  "), "··");
    }

    #[test]
    fn lengths_must_agree_and_something_must_be_finite() {
        let labels = ["a".to_owned()];
        assert!(bar_chart(&labels, &[], &ChartOptions::default()).is_err());
        assert!(bar_chart(&labels, &[f64::NAN], &ChartOptions::default()).is_err());
    }
}
