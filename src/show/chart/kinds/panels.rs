//! Line charts of several quantities, one panel below the other over the same horizontal axis, each
//! quantity with its own vertical axis, since an axis has one unit.

use super::line::{Within, is_drawn, line_chart_within, x_axis, y_axis};
use super::stacked::stacked;
use crate::error::Result;
use crate::show::chart::figure::{ChartOptions, Figure, Trace};
use crate::show::chart::plot::nothing_to_draw;
use crate::show::chart::sheet::left_of;

/// Pixels of all drawing areas together, and minimum and maximum of one.
const HEIGHT: f64 = 400.0;
const LEAST: f64 = 130.0;
const MOST: f64 = 270.0;

/// Curves of one quantity.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The quantity, with its unit.
    pub y_label: String,
    /// Its curves.
    pub series: Vec<Trace>,
    /// A logarithmic vertical axis.
    pub log_y: bool,
}

impl Panel {
    /// A panel with a linear axis.
    pub fn new(y_label: &str, series: Vec<Trace>) -> Self {
        Self {
            y_label: y_label.to_owned(),
            series,
            log_y: false,
        }
    }

    /// Makes the vertical axis logarithmic.
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }
}

/// Draws one panel per quantity. The title, width, horizontal axis and caption in `options` apply to
/// the whole; `y_label`, `log_y`, `y_references` and `height` are not used. A panel without a
/// finite point is left out.
///
/// ```
/// use holoscope::show::{ChartOptions, Panel, Trace, line_panels};
/// let panel = |name: &str, unit: &str| {
///     Panel::new(unit, vec![Trace::from_steps(name, &[(0, 1.0), (9, 2.0)])])
/// };
/// let panels = [panel("L0", "active features a token"), panel("l2", "squared error")];
/// let figure = line_panels(&panels, &ChartOptions::new("Training", "step", ""))?;
/// assert_eq!(figure.svg.matches("<svg").count(), 3);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// When there is no finite point.
pub fn line_panels(panels: &[Panel], options: &ChartOptions) -> Result<Figure> {
    let drawn: Vec<&Panel> = panels.iter().filter(|p| is_drawn(&p.series)).collect();
    let all = drawn.iter().flat_map(|panel| &panel.series);
    let nothing = || nothing_to_draw("line chart");
    let x = x_axis(all, options).ok_or_else(nothing)?;
    let own: Vec<ChartOptions> = (0..drawn.len())
        .map(|at| of_panel(options, &drawn, at))
        .collect();
    let lefts = drawn.iter().zip(&own).filter_map(|(panel, own)| {
        let y = y_axis(&panel.series, own)?;
        Some(left_of(&y, own))
    });
    let within = Within {
        left: lefts.fold(0.0, f64::max),
        height: (HEIGHT / drawn.len() as f64).clamp(LEAST, MOST),
        x_name: options.x_label.clone(),
        x,
    };
    let figures: Vec<Figure> = drawn
        .iter()
        .zip(&own)
        .map(|(panel, own)| line_chart_within(&panel.series, own, Some(&within)))
        .collect::<Result<_>>()?;
    match <[Figure; 1]>::try_from(figures) {
        Ok([one]) => Ok(one),
        Err(figures) => stacked(&figures, &options.title),
    }
}

/// The title is above the first panel; the horizontal axis' name and the caption are below the last.
fn of_panel(options: &ChartOptions, panels: &[&Panel], at: usize) -> ChartOptions {
    let panel = panels[at];
    let mut own = ChartOptions {
        y_label: panel.y_label.clone(),
        log_y: panel.log_y,
        y_references: Vec::new(),
        height: 0,
        ..options.clone()
    };
    if at > 0 {
        own.title.clear();
    }
    if at + 1 < panels.len() {
        own.x_label.clear();
        own.caption.clear();
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(unit: &str, points: &[(usize, f64)]) -> Panel {
        Panel::new(unit, vec![Trace::from_steps(unit, points)])
    }

    /// `<metadata>` of each panel.
    fn data(figure: &Figure) -> Vec<serde_json::Value> {
        let parts = figure.svg.split("<metadata class=\"chart\">").skip(1);
        let json = parts.map(|part| part.split_once("</metadata>").unwrap().0);
        json.map(|json| serde_json::from_str(json).unwrap())
            .collect()
    }

    #[test]
    fn panels_share_their_horizontal_axis_and_nothing_else() {
        let panels = [
            panel("share", &[(0, 0.5), (90, 0.25)]).log_y(),
            panel("active features a token", &[(0, 12_000.0), (200, 32.0)]),
        ];
        let options = ChartOptions::new("Training", "step", "").caption("Below.");
        let figure = line_panels(&panels, &options).unwrap();
        let (first, second) = (&data(&figure)[0], &data(&figure)[1]);
        assert_eq!(first["x"], second["x"]);
        assert_eq!(first["x"]["label"], "step");
        for side in [0, 2] {
            assert_eq!(first["area"][side], second["area"][side]);
        }
        assert_eq!(first["y"]["log"], true);
        assert_eq!(second["y"].get("log"), None);
        assert_eq!(first["y"]["label"], "share");
        for text in [">Training<", ">step<", ">Below.<"] {
            assert_eq!(figure.svg.matches(text).count(), 1, "{text}");
        }
        assert!(figure.alt.contains("Line chart: active features a token."));
    }

    #[test]
    fn a_panel_without_points_is_left_out() {
        let none = panel("none", &[(0, f64::NAN)]);
        let panels = [none.clone(), panel("share", &[(0, 1.0)])];
        let options = ChartOptions::new("t", "step", "");
        let figure = line_panels(&panels, &options).unwrap();
        assert_eq!(figure.svg.matches("<svg").count(), 1);
        assert!(figure.svg.contains(">step<"));
        assert!(line_panels(&[none], &options).is_err());
    }
}
