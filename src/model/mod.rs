//! A transformer of GPT-2's or GPT-NeoX' kind whose every activation can be watched or replaced.
//!
//! `logits = LN(x_L) W_U + b_U`, `x_{l+1} = x_l + Attn(LN(x_l)) + MLP(LN(..))`.
//! Source: Radford et al. 2019; Black et al. 2022; hook points and parameter names of TransformerLens.

mod blocks;
#[cfg(feature = "notebook")]
mod checkpoint;
mod circuit;
mod device;
#[cfg(feature = "notebook")]
mod experiment;
mod hooks;
mod init;
#[cfg(feature = "notebook")]
mod load;
mod ops;
mod passes;
mod process_weights;
mod safetensors_io;
#[cfg(feature = "notebook")]
mod summary;
mod transformer;

pub(crate) use blocks::relu;
pub use circuit::{Edge, Receiver, Sender};
pub use hooks::{
    ActivationCache, BlockPoint, Hook, HookName, NamesFilter, NonFinite, mean_ablate, zero_ablate,
};
pub(crate) use hooks::{first_not_finite, first_not_finite_of, mean_over};
pub(crate) use ops::{Kernel, exp_shifted, widest};
pub use passes::GenerateConfig;
pub(crate) use safetensors_io::{TensorFile, check_finite, read as read_tensors};
#[cfg(feature = "notebook")]
pub use summary::{ModelSummary, ParameterRow};
pub use transformer::Transformer;
