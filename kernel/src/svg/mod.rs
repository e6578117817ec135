//! Charts as SVG: reads their axes and paths.

pub mod axes;
pub mod path;
