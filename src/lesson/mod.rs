//! Exercises that check themselves: assertions whose messages teach, and a hint on the second failure.

mod check;
mod result;

pub use check::{CheckOutcome, check};
pub use result::{ExerciseResult, ExerciseState};
