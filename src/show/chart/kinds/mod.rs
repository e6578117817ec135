//! One file per kind of chart.

pub(super) mod bar;
pub(super) mod heatmap;
pub(super) mod histogram;
pub(super) mod labelled;
pub(super) mod line;
pub(super) mod network;
pub(super) mod panels;
pub(super) mod scatter;
pub(super) mod stacked;
