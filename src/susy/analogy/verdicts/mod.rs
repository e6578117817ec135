//! Deciding: p-values and intervals, the table of predictions, and how often the instrument is right.

mod analogy_table;
mod power;
mod power_curve;
mod power_reach;
mod statistics;
mod twins;

pub use analogy_table::{AnalogyRow, AnalogyTable, AnalogyTest, Verdict};
pub use power::{PowerDesign, power_curve, power_curves};
pub use power_curve::{PowerCurve, PowerCurves, PowerPoint};
pub use power_reach::{PowerReach, StatisticReach};
pub(super) use statistics::derived_seed;
pub use statistics::{
    Interval, Tail, bootstrap_interval, effect_size, permutation_p, q_values, wilson_interval,
};
pub use twins::{Judgement, TwinRow, TwinTable, TwinTest};
