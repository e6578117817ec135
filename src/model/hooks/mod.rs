//! Hook points: their names, the functions that see or replace an activation there, the activations
//! that a run keeps, and what is not a number among them. Source: TransformerLens.

mod cache;
mod finite;
mod hook;
mod hook_name;
mod short_hook_name;

pub use cache::ActivationCache;
pub use finite::NonFinite;
pub(super) use finite::non_finite_at;
pub(crate) use finite::{first_not_finite, first_not_finite_of};
pub(super) use hook::Run;
pub(crate) use hook::mean_over;
pub use hook::{Hook, NamesFilter, mean_ablate, zero_ablate};
pub use hook_name::{BlockPoint, HookName};
