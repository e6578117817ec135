//! A drawn figure, and the inputs of charts: options, series, groups.

use crate::error::Result;
use crate::file::write_whole;
use crate::show::{MimeBundle, Show, shows_itself};

/// A chart that has been drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The picture: a complete SVG element without ids, so that it can be inlined in
    /// a page any number of times.
    pub svg: String,
    /// What the picture shows, in words.
    pub alt: String,
    /// The chart's title.
    pub title: String,
}

impl Figure {
    /// Writes the SVG to a file; an older one of that name is replaced atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<std::path::Path>) -> Result<()> {
        write_whole(path.as_ref(), self.svg.as_bytes())
    }
}

shows_itself!(Figure);

impl Show for Figure {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        Ok(MimeBundle::svg(&self.svg, &self.alt))
    }
}

/// The options of every chart. `..Default::default()` fills in the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChartOptions {
    /// Text above the chart.
    pub title: String,
    /// The quantity of the horizontal axis, with its unit.
    pub x_label: String,
    /// The quantity of the vertical axis, with its unit.
    pub y_label: String,
    /// The quantity of a heat map's colours, with its unit.
    pub z_label: String,
    /// Text below the chart: what to read from it. Wrapped to the width.
    pub caption: String,
    /// Pixels; 0 selects the default (680).
    pub width: u32,
    /// Pixels; 0 selects a height that suits the chart and its content.
    pub height: u32,
    /// A logarithmic vertical axis, for line charts and scatter plots; values that
    /// are not positive are left out.
    pub log_y: bool,
    /// A logarithmic horizontal axis, as `log_y`.
    pub log_x: bool,
    /// Labelled horizontal lines, for example the baselines of a loss.
    pub y_references: Vec<Reference>,
    /// Labelled vertical lines, for example a threshold of a histogram.
    pub x_references: Vec<Reference>,
}

impl ChartOptions {
    /// About how many ticks the horizontal axis has room for.
    pub(super) fn x_ticks(&self) -> usize {
        match self.width {
            0 => 7,
            width => (width as usize / 90).clamp(2, 7),
        }
    }

    /// Options with a title and axis labels.
    pub fn new(title: &str, x_label: &str, y_label: &str) -> Self {
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: y_label.to_owned(),
            ..Self::default()
        }
    }

    /// Sets the text below the chart.
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// The same options with one more sentence below the chart.
    pub(super) fn noted(&self, note: &str) -> Self {
        let caption = format!("{} {note}", self.caption).trim().to_owned();
        self.clone().caption(caption)
    }

    /// The same options with a sentence about how many of `n` `things` have no place in the chart,
    /// if there are any.
    pub(super) fn with_left_out(&self, left_out: usize, n: usize, things: &str) -> Self {
        if left_out == 0 {
            return self.clone();
        }
        let (are, why) = match (left_out, self.log_x || self.log_y) {
            (1, false) => ("is", "NaN or infinite"),
            (1, true) => ("is", "NaN, infinite or not positive"),
            (_, false) => ("are", "NaN or infinite"),
            (_, true) => ("are", "NaN, infinite or not positive"),
        };
        self.noted(&format!(
            "{left_out} of {n} {things} {are} {why} and not drawn."
        ))
    }

    /// Adds a labelled horizontal line.
    pub fn y_reference(mut self, label: &str, value: f64) -> Self {
        self.y_references.push(Reference::new(label, value));
        self
    }

    /// Adds a labelled vertical line.
    pub fn x_reference(mut self, label: &str, value: f64) -> Self {
        self.x_references.push(Reference::new(label, value));
        self
    }

    /// Makes the vertical axis logarithmic.
    pub fn log_y(mut self) -> Self {
        self.log_y = true;
        self
    }

    /// Makes the horizontal axis logarithmic.
    pub fn log_x(mut self) -> Self {
        self.log_x = true;
        self
    }
}

/// A labelled straight line across a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// Written next to the line.
    pub label: String,
    /// The line's position, in the unit of its axis.
    pub value: f64,
}

impl Reference {
    /// A line at a value.
    pub fn new(label: &str, value: f64) -> Self {
        Self {
            label: label.to_owned(),
            value,
        }
    }
}

/// Named points of a line chart or scatter plot.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Name in the legend.
    pub name: String,
    /// (x, y); a point that is not finite interrupts a line, and the caption counts it.
    pub points: Vec<(f64, f64)>,
    /// (low, high) of the interval around each point, in the unit of y; empty: no intervals are drawn.
    pub intervals: Vec<(f64, f64)>,
}

impl Trace {
    /// A named sequence of points.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points,
            intervals: Vec::new(),
        }
    }

    /// Draws a vertical bar from low to high at each point, in the order of the points; one that is
    /// not finite is left out.
    pub fn intervals(mut self, intervals: Vec<(f64, f64)>) -> Self {
        self.intervals = intervals;
        self
    }

    /// Values at steps under a name, as training histories hold them.
    pub fn from_steps(name: &str, steps: &[(usize, f64)]) -> Self {
        Self::new(name, steps.iter().map(|&(x, y)| (x as f64, y)).collect())
    }
}

/// A named sample of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Name in the legend.
    pub name: String,
    /// Its values; those that are not finite are left out, and the caption says how many.
    pub values: Vec<f64>,
}

impl Group {
    /// A named sample.
    pub fn new(name: &str, values: Vec<f64>) -> Self {
        Self {
            name: name.to_owned(),
            values,
        }
    }
}
