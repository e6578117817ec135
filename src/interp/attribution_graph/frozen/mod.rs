//! The model on one prompt, made linear: attention patterns and norm scales are constants of the
//! prompt, and transcoders stand in the place of the MLPs.
//! Source: the local replacement model of Ameisen et al. 2025, "Circuit Tracing".

mod by_block;
mod component_flows;
mod covectors;
mod linear_norm;
mod model;
mod site;
mod sources;

pub(super) use component_flows::component_flows;
pub(super) use covectors::{Target, propagate};
pub(super) use model::{FrozenModel, FrozenTranscoder, read_input};
pub(super) use site::MlpInput;
pub(super) use sources::{ActiveFeature, Sources, active_features};
