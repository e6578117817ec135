//! A transformer of GPT-2's or GPT-NeoX' kind whose every activation can be watched or replaced.
//!
//! `logits = LN(x_L) W_U + b_U`, `x_{l+1} = x_l + Attn(LN(x_l)) + MLP(LN(..))`.
//! Source: Radford et al. 2019; Black et al. 2022; hook points and parameter names of TransformerLens.

mod attention;
mod backward;
mod cache;
mod checkpoint;
mod circuit;
mod decode;
mod device;
mod experiment;
mod finite;
mod first_non_finite;
mod forward;
mod from_residual;
mod functions;
mod generate;
mod gradients;
mod hook_name;
mod hooks;
mod init;
mod layer_norm;
mod load;
mod mlp;
mod ops;
mod process_weights;
mod rotary;
mod safetensors_io;
mod short_hook_name;
mod summary;
mod transformer;

pub use cache::ActivationCache;
pub use circuit::{Edge, Receiver, Sender};
pub use finite::NonFinite;
pub(crate) use finite::{first_not_finite, first_not_finite_of};
pub use generate::GenerateConfig;
pub use hook_name::{BlockPoint, HookName};
pub(crate) use hooks::mean_over;
pub use hooks::{Hook, NamesFilter, mean_ablate, zero_ablate};
pub(crate) use mlp::relu;
pub(crate) use ops::{Kernel, widest};
pub(crate) use safetensors_io::{TensorFile, check_finite, read as read_tensors};
pub use transformer::Transformer;
