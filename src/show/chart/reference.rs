//! Reference lines: dashed, across a chart, with labels that do not overlap.

use super::axis::{Axis, place};
use super::figure::Reference;
use super::plot::{Plan, Plot, TICK_PX, UNIT};
use crate::show::html::FAINT_INK;
use crate::show::number::text_width;

/// Draws the references' dashed lines and their labels without overlap.
pub(super) fn references(plot: &mut Plot, plan: &Plan) {
    let [left, top, right, bottom] = plot.area;
    // Each line moves with its own axis.
    let dashed = |axis: &str, x1: i32, y1: i32, x2: i32, y2: i32| {
        format!(
            "<path data-m=\"{axis}\" d=\"M{x1} {y1}L{x2} {y2}\" stroke=\"{FAINT_INK}\" stroke-width=\"12\" \
             stroke-dasharray=\"50 40\" fill=\"none\"/>"
        )
    };
    let horizontal = sorted(&plan.options.y_references, &plan.y, true);
    let vertical = sorted(&plan.options.x_references, &plan.x, false);
    // All lines before the first label, so that no line crosses a label.
    for (_, at) in &horizontal {
        let (_, y) = plot.at(plan.x.lo, *at);
        let line = dashed("y", left as i32, y, right as i32, y);
        plot.overlay.push_str(&line);
    }
    for (_, at) in &vertical {
        let (x, _) = plot.at(*at, plan.y.lo);
        let line = dashed("x", x, top as i32, x, bottom as i32);
        plot.overlay.push_str(&line);
    }
    let mut lowest = f64::INFINITY;
    for (reference, at) in horizontal {
        let (_, y) = plot.at(plan.x.lo, at);
        // Above its line, but under the label of the next line above it.
        let text_y = f64::from(y) - 45.0;
        let text_y = if lowest.is_finite() && text_y - lowest < TICK_PX * UNIT {
            lowest + TICK_PX * UNIT
        } else {
            text_y.max(top + TICK_PX * UNIT)
        };
        lowest = text_y;
        plot.overlay.push_str("<g data-m=\"y\">");
        plot.label(right - 50.0, text_y, "end", FAINT_INK, &reference.label);
        plot.overlay.push_str("</g>");
    }
    for (row, (reference, at)) in vertical.into_iter().enumerate() {
        let (x, _) = plot.at(at, plan.y.lo);
        let text_y = top + (TICK_PX + 3.0) * UNIT * (row + 1) as f64;
        let wide = text_width(&reference.label, TICK_PX) * UNIT;
        let (x, anchor) = if f64::from(x) + 50.0 + wide > right {
            (f64::from(x) - 50.0, "end")
        } else {
            (f64::from(x) + 50.0, "start")
        };
        plot.overlay.push_str("<g data-m=\"x\">");
        plot.label(x, text_y, anchor, FAINT_INK, &reference.label);
        plot.overlay.push_str("</g>");
    }
}

/// The references on the axis, with their places, in drawing order.
fn sorted<'a>(references: &'a [Reference], axis: &Axis, down: bool) -> Vec<(&'a Reference, f64)> {
    let mut placed: Vec<(&Reference, f64)> = references
        .iter()
        .filter_map(|r| Some((r, place(r.value, axis.log)?)))
        .filter(|(_, at)| (axis.lo..=axis.hi).contains(at))
        .collect();
    placed.sort_by(|a, b| {
        if down {
            b.1.total_cmp(&a.1)
        } else {
            a.1.total_cmp(&b.1)
        }
    });
    placed
}
