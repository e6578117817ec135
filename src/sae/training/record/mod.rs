//! Records of training: the figures of a step, and the history of a run.

mod figures;
mod history;

pub use figures::StepFigures;
pub use history::SaeHistory;
pub(super) use history::Units;
