//! How good a dictionary is at its hook point: reconstruction, sparsity, loss recovered, densities.
//! `measure` gives one table with intervals; `compare_with_controls` the same for four controls beside it.
//! Source: SAEBench 0.6 (Karvonen et al. 2025), "core"; Bricken et al. 2023.

mod compare;
mod config;
mod controls;
mod fast_ica;
mod harvest;
mod labels;
mod many;
mod measurement;
mod measurement_view;
mod metric_table;
mod metrics;
#[cfg(test)]
mod tests;

pub use compare::{
    ControlComparison, ControlDifference, compare_with_controls, compare_with_controls_with,
};
pub use config::MeasureConfig;
pub use controls::{Control, control_dictionary};
pub use labels::metric_label;
pub use many::{DictionaryMeasurements, measure_each, measure_each_with, measure_sweep};
pub use measurement::{
    Measurement, MetricRow, measure, measure_tokens, measure_tokens_with, measure_with,
};
pub use metric_table::{MetricTable, MetricTableRow};
