//! Which autoencoder is trained, with the settings that only that one has.

use super::Fields;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The architecture of an autoencoder. Each variant's file in `src/sae/variants/` has its equations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Architecture {
    /// ReLU and an L1 penalty (Bricken et al. 2023).
    Standard {
        /// Weight of the L1 term, per token: `loss = mean_t |x_hat - x|^2 + l1_coeff * mean_t |acts|_1`,
        /// in units of the scaled activations where `SaeConfig::normalize_activations` is set.
        l1_coeff: f64,
    },
    /// Of each token's positive activations the `k` largest (Gao et al. 2024).
    TopK {
        /// Activations that count, of each token.
        k: usize,
    },
}

impl Default for Architecture {
    fn default() -> Self {
        Self::Standard { l1_coeff: 1.5 }
    }
}

impl Architecture {
    /// The name by which SAELens registers it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Standard { .. } => "standard",
            Self::TopK { .. } => "topk",
        }
    }

    /// Checks the settings against the dictionary's size.
    pub(super) fn validate(&self, d_sae: usize) -> Result<()> {
        let fields = Fields("SaeConfig");
        match *self {
            Self::Standard { l1_coeff } => fields.not_negative("l1_coeff", l1_coeff),
            Self::TopK { k } if !(1..=d_sae).contains(&k) => {
                fields.bad("k", k, &format!("must lie in 1 to d_sae = {d_sae}"))
            }
            Self::TopK { .. } => Ok(()),
        }
    }
}

/// What makes a dictionary sparse, in a few words.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Standard { l1_coeff } => write!(f, "standard, L1 weight {l1_coeff}"),
            Self::TopK { k } => write!(f, "TopK, the {k} largest of a token"),
        }
    }
}
