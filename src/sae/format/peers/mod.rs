//! Autoencoders and transcoders in other libraries' files, one module per format.
//!
//! Each field and tensor is applied, known to change nothing, or rejected by name.

mod circuit_tracer;
mod detect;
mod dictionary_learning;
mod gemma_scope;
mod gemma_scope_2;
mod json_fields;
mod llama_scope;
mod loaded;
mod neel_nanda;
mod sparsify;
mod tensors;

pub(super) use circuit_tracer::{
    CONFIG, Entry, SetConfig, has_circuit_tracer_form, read_cross_layer, read_cross_layer_files,
    read_layer, read_set_files, write_cross_layer,
};
pub(super) use detect::{Format, detect, read};
pub(super) use loaded::Loaded;
pub(super) use sparsify::write as write_sparsify;
