//! Charts: one function a kind of chart, each giving a [`Figure`] of SVG.
//!
//! Drawn with plotters on an opaque light card, which reads the same on a light and
//! a dark page; text stays text, colours are safe for colour-blind readers.

mod axis;
mod bar;
mod color_bar;
mod data;
mod figure;
mod heatmap;
mod histogram;
mod labelled;
mod line;
mod network;
mod panels;
mod plot;
mod reference;
mod scatter;
mod sheet;
mod stacked;

pub use bar::bar_chart;
pub use color_bar::ColorScale;
pub use figure::{ChartOptions, Figure, Group, Reference, Trace};
pub use heatmap::{heatmap, heatmap_with_gaps};
pub use histogram::{histogram, histogram_by_group};
pub use labelled::{LabelledPoint, LabelledSeries, labelled_scatter};
pub use line::line_chart;
pub use network::{NetworkLink, NetworkNode, network};
pub use panels::{Panel, line_panels};
pub use scatter::scatter;
pub use stacked::stacked;
