//! Measurements of autoencoders: how good a dictionary is, beside controls, on labels, on known factors.
//! Intervals are bootstrap intervals over sequences; everything is computed in f64.
//! Source: SAEBench 0.6 (Karvonen et al. 2025, arXiv:2503.09532); each file names its own.

mod bootstrap;
mod cosines;
mod ground_truth;
mod labelled;
mod quality;
mod replacement;
mod structure;

pub use ground_truth::*;
pub use labelled::*;
pub use quality::*;
pub use replacement::*;
pub use structure::*;
