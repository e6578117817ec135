//! Passes through the whole model: forward, from the middle, backward in a training step, token by token
//! when text is generated, and in search of the first activation that is not a number.

mod backward;
mod decode;
mod first_non_finite;
mod forward;
mod from_residual;
mod generate;
mod gradients;

pub use generate::GenerateConfig;
