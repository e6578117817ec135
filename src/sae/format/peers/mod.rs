//! Autoencoders and transcoders in the files of other libraries, one file a format.
//!
//! A reader applies each field and tensor, knows that it changes nothing, or refuses it by name.

mod detect;
mod dictionary_learning;
mod gemma_scope;
mod gemma_scope_2;
mod json_fields;
mod llama_scope;
mod loaded;
mod neel_nanda;
mod set_config;
mod sparsify;
mod tensors;
mod transcoder_set;

pub(super) use detect::{Format, detect, read};
pub(super) use loaded::Loaded;
pub(super) use set_config::{Entry, SetConfig};
pub(super) use transcoder_set::{read_layer, read_set_files};
