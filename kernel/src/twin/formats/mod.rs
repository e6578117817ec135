//! One file per notation of twins.

pub(super) mod markdown;
pub(super) mod myst;
pub(super) mod percent;
pub(super) mod quarto;
