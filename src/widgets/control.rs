//! What all controls have in common.

use super::model::Widget;

/// A control whose value a function can take.
pub trait Control: Clone + Send + 'static {
    /// What the control chooses.
    type Value;

    /// Its widget.
    fn control(&self) -> Widget;

    /// The value of now.
    fn current(&self) -> Self::Value;
}
