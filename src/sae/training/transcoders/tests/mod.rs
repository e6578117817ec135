//! Tests of the step against numeric gradients in f64, of recovery of planted features, and of the folding
//! of scales.

mod folding;
mod gradients;
mod planted;
mod reference;
mod refusals;
