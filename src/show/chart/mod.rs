//! Charts: one function per kind of chart, each returning a [`Figure`] of SVG.
//!
//! Drawn with plotters on an opaque light card, which reads the same on a light and
//! a dark page; text stays text, colours are safe for colour-blind readers.

mod axis;
mod color_bar;
mod data;
mod figure;
mod kinds;
mod plot;
mod reference;
mod sheet;

pub use color_bar::ColorScale;
pub use figure::{ChartOptions, Figure, Group, Reference, Trace};
pub use kinds::bar::bar_chart;
pub use kinds::heatmap::{heatmap, heatmap_with_gaps};
pub use kinds::histogram::{histogram, histogram_by_group};
pub use kinds::labelled::{LabelledPoint, LabelledSeries, labelled_scatter};
pub use kinds::line::line_chart;
pub use kinds::network::{NetworkLink, NetworkNode, network};
pub use kinds::panels::{Panel, line_panels};
pub use kinds::scatter::scatter;
pub use kinds::stacked::stacked;
