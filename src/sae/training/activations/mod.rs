//! The activations that training reads: the shuffled buffer, and their scale and variance.

mod buffer;
mod statistics;

pub use buffer::ActivationBuffer;
pub(super) use statistics::{Statistics, first_rows, unscaled};
