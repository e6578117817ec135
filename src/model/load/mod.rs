//! Models in the layouts of other libraries.
//!
//! Each loader knows every field and every tensor that its library writes: it applies one, knows
//! that it changes nothing, or refuses it by name.

mod hf;
mod hf_config;
mod neel_config;
mod neox;
mod neox_config;
mod pretrained;
mod tl;
mod tl_config;
mod weights;
