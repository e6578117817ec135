//! circuit-tracer's folders: sets of transcoders, one per block, and cross-layer transcoders.

mod cross_layer;
mod set_config;
mod transcoder_set;

pub(in crate::sae::format) use cross_layer::{
    has_circuit_tracer_form, read_cross_layer, read_cross_layer_files, write_cross_layer,
};
pub(in crate::sae::format) use set_config::{CONFIG, Entry, SetConfig};
pub(in crate::sae::format) use transcoder_set::{read_layer, read_set_files};
