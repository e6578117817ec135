//! Autoencoders and transcoders of other libraries, from files written here byte by byte.
//!
//! What is expected is computed from the arrays that went into the file, by the equations of the
//! library that writes such files, in f64 and element by element.

#[path = "../common/archives.rs"]
mod archives;
mod dictionary_learning;
mod gemma_scope;
mod llama_scope;
mod neel_nanda;
mod setting;
mod sparsify;
mod transcoder_sets;
