//! What a dictionary is made of and how short it can say things: a second dictionary of its directions,
//! bits a token. Source: SAEBench 0.6, `meta_structure` and `mdl`; Leask et al. 2025; Ayonrinde et al. 2024.

mod description_length;
mod meta_dictionary;
mod meta_structure;

pub use description_length::{DescriptionLength, DescriptionLengthRow, description_length};
pub use meta_structure::{MetaConfig, MetaStructure, meta_structure};
