//! The part of a chart that differs by kind, and the drawing tools.

use std::fmt::{Display, Write};

use plotters::chart::ChartContext;
use plotters::coord::cartesian::Cartesian2d;
use plotters::prelude::SVGBackend;

use super::axis::Axis;
use super::data::Data;
use super::figure::ChartOptions;
use crate::error::Error;
use crate::show::color::Rgb;
use crate::show::escaping::{escape, one_line};
use crate::show::html::CARD_FILL;

/// Drawing units per pixel.
pub(super) const UNIT: f64 = 10.0;
/// Size of the small texts of a chart, in pixels.
pub(super) const TICK_PX: f64 = 11.5;

/// What plotters draws a chart into.
pub(super) type Plotters<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

/// The settings particular to a chart; the sheet provides the rest.
pub(super) struct Plan<'a> {
    /// For error messages: "histogram", ...
    pub kind: &'static str,
    pub options: &'a ChartOptions,
    pub x: Axis,
    pub y: Axis,
    /// Names and colours; if empty, no legend is drawn.
    pub legend: Vec<(String, Rgb)>,
    /// Pixels of the drawing area when the options give no height.
    pub plot_height: f64,
    /// Pixels above the drawing area, for marginal plots.
    pub panel: f64,
    /// Minimum pixels left of the drawing area, so that panels are aligned.
    pub left: f64,
    /// Pixels right of the drawing area, for a colour bar.
    pub right: f64,
    pub x_mesh: bool,
    pub y_mesh: bool,
    pub alt: String,
    /// The data embedded in the picture.
    pub data: Data,
    /// The axes' names in the data; `None` where the values have no meaning, such as rows of bars.
    pub x_name: Option<String>,
    pub y_name: Option<String>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(
        kind: &'static str,
        options: &'a ChartOptions,
        x: Axis,
        y: Axis,
        alt: String,
    ) -> Self {
        Self {
            kind,
            options,
            x,
            y,
            legend: Vec::new(),
            plot_height: 270.0,
            panel: 0.0,
            left: 0.0,
            right: 0.0,
            x_mesh: true,
            y_mesh: true,
            alt,
            data: Data::None,
            x_name: Some(options.x_label.clone()),
            y_name: Some(options.y_label.clone()),
        }
    }
}

/// A chart while it is drawn.
pub(super) struct Plot<'p, 'a, 'b> {
    pub chart: &'p mut Plotters<'a, 'b>,
    /// SVG drawn over what plotters has drawn, in drawing units.
    pub overlay: String,
    /// The drawing area in drawing units: left, top, right, bottom.
    pub area: [f64; 4],
    pub kind: &'static str,
}

impl Plot<'_, '_, '_> {
    /// The place of a point in drawing units.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        self.chart.backend_coord(&(x, y))
    }

    /// Wraps an error of plotters.
    pub(super) fn error(&self, error: impl Display) -> Error {
        draw_error(self.kind, error)
    }

    /// A small text with a halo, so that it is legible on any background.
    pub(super) fn label(&mut self, x: f64, y: f64, anchor: &str, color: &str, text: &str) {
        let _ = write!(
            self.overlay,
            "<text x=\"{x:.0}\" y=\"{y:.0}\" text-anchor=\"{anchor}\" font-size=\"{}\" \
             fill=\"{color}\" stroke=\"{CARD_FILL}\" stroke-width=\"30\" stroke-linejoin=\"round\" \
             paint-order=\"stroke\">{}</text>",
            TICK_PX * UNIT,
            escape(&one_line(text, 60)),
        );
    }
}

pub(super) fn draw_error(kind: &'static str, error: impl Display) -> Error {
    Error::Draw {
        figure: kind.to_owned(),
        reason: error.to_string(),
    }
}

/// The error for a chart without anything to draw.
pub(super) fn nothing_to_draw(kind: &'static str) -> Error {
    draw_error(kind, "there is no finite value to draw")
}
