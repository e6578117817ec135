//! Charts as SVG: what their axes and paths mean.

pub mod axes;
pub mod path;
