//! Which part of a feature with signed activations is meant: `act = max(act, 0) - max(-act, 0)`.

#[cfg(feature = "notebook")]
use polars::prelude::Column;
use std::fmt;

/// The part of a feature's activations that counts as a detector.
///
/// Activations of AbsTopK (arXiv:2510.00404) have a sign, and the two signs may mean two things: what asks "is the feature
/// active here" asks it of `max(act, 0)` and of `max(-act, 0)` apart. All other architectures have the positive part
/// alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ActivationSign {
    /// `max(act, 0)`.
    #[default]
    Positive,
    /// `max(-act, 0)`.
    Negative,
}

impl ActivationSign {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        }
    }

    /// The activation whose part of this sign is `size`.
    pub(super) fn signed(self, size: f32) -> f32 {
        match self {
            Self::Positive => size,
            Self::Negative => -size,
        }
    }
}

impl fmt::Display for ActivationSign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A column that names the signs; none where all are positive, as of every architecture but AbsTopK.
#[cfg(feature = "notebook")]
pub(super) fn sign_column(name: &str, signs: &[ActivationSign]) -> Option<Column> {
    let names: Vec<&str> = signs.iter().map(|sign| sign.name()).collect();
    let any = signs.contains(&ActivationSign::Negative);
    any.then(|| Column::new(name.into(), names))
}
