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
    /// Of each token's activations the `k` largest in absolute value, with their signs: a feature writes in two
    /// directions (arXiv:2510.00404).
    AbsTopK {
        /// Activations that count, of each token.
        k: usize,
    },
    /// Features one after the other: each time the one that fits best what is left over, as strongly as it does
    /// (matching pursuit, Costa et al. 2025, arXiv:2506.03093). The encoder is the decoder.
    MatchingPursuit {
        /// A token is done when less than this is left over (the residual's norm), in units of the scaled activations
        /// where `SaeConfig::normalize_activations` is set; 0: never.
        #[serde(default = "residual_threshold")]
        residual_threshold: f64,
        /// Steps of a token at most; `None`: `d_in`.
        #[serde(default)]
        max_iterations: Option<usize>,
        /// A token is done, too, when a feature comes that it has already.
        #[serde(default = "yes")]
        stop_on_duplicate_support: bool,
    },
    /// What earlier positions predict, by attention among the features, and novel features of the rest (Temporal Feature
    /// Analysis, arXiv:2511.01836). It reads whole sequences.
    Temporal {
        /// Novel activations that count, of each token, the largest; `None`: all positive ones.
        k: Option<usize>,
        /// Attention heads of each layer.
        #[serde(default = "n_heads")]
        n_heads: usize,
        /// Attention layers; each predicts what the one before leaves over.
        #[serde(default = "one")]
        n_attn_layers: usize,
        /// Queries and keys are `d_sae / bottleneck_factor` wide over all heads.
        #[serde(default = "bottleneck_factor")]
        bottleneck_factor: usize,
    },
    /// Activations above a threshold that each feature learns, and an L0 penalty (Rajamanoharan et al.
    /// 2024, arXiv:2407.14435).
    JumpReLU {
        /// Weight of the sparsity loss, per token: `loss = mean_t |x_hat - x|^2 + l0_coeff * mean_t L0`,
        /// with L0 as `l0_loss` counts it. It and the next two are in units of the scaled activations
        /// where `SaeConfig::normalize_activations` is set.
        l0_coeff: f64,
        /// Width of the rectangle by which the thresholds' gradients are estimated, in units of the
        /// activations.
        #[serde(default = "bandwidth")]
        bandwidth: f64,
        /// Threshold of each feature at the start.
        #[serde(default = "init_threshold")]
        init_threshold: f64,
        /// How active features are counted.
        #[serde(default)]
        l0_loss: L0Loss,
    },
    /// Gates say which features are active, magnitudes how strongly (Rajamanoharan et al. 2024,
    /// arXiv:2404.16014): the L1 penalty is on the gates alone.
    Gated {
        /// Weight of the L1 term, per token: `loss = mean_t |x_hat - x|^2 + l1_coeff * mean_t |relu(pi)|_1 +`
        /// the squared error of what the frozen decoder makes of `relu(pi)`, the gates' pre-activations; in
        /// units of the scaled activations where `SaeConfig::normalize_activations` is set.
        l1_coeff: f64,
    },
    /// Of a batch's positive activations the `k` times the number of tokens largest (Bussmann et al. 2024,
    /// arXiv:2412.06410); afterwards those above one threshold, so that a trained one is a JumpReLU
    /// autoencoder.
    BatchTopK {
        /// Activations that count, of a token on average.
        k: f64,
    },
    /// [`Architecture::BatchTopK`] whose first features are dictionaries of their own (Matryoshka,
    /// Bussmann et al. 2025, arXiv:2503.17547): the loss is the sum of their squared errors.
    MatryoshkaBatchTopK {
        /// Activations that count, of a token on average.
        k: f64,
        /// Number of features of each of these dictionaries, ascending; the whole one is the last,
        /// whether it is written here or not.
        widths: Vec<usize>,
    },
}

/// The sparsity loss of [`Architecture::JumpReLU`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum L0Loss {
    /// The number of activations above their threshold (Rajamanoharan et al. 2024; SAELens' "step").
    #[default]
    Step,
    /// `sum_j tanh(scale acts_j)`, which reaches the weights, too (Anthropic, January 2025 update; SAELens' "tanh",
    /// scale 4); decoder rows have unit length here.
    Tanh { scale: f64 },
}

fn residual_threshold() -> f64 {
    1e-2
}

fn yes() -> bool {
    true
}

fn n_heads() -> usize {
    8
}

fn one() -> usize {
    1
}

fn bottleneck_factor() -> usize {
    64
}

fn bandwidth() -> f64 {
    0.05
}

fn init_threshold() -> f64 {
    0.01
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
            Self::AbsTopK { .. } => "abstopk",
            Self::MatchingPursuit { .. } => "matching_pursuit",
            Self::Temporal { .. } => "temporal",
            Self::JumpReLU { .. } => "jumprelu",
            Self::Gated { .. } => "gated",
            Self::BatchTopK { .. } => "batchtopk",
            Self::MatryoshkaBatchTopK { .. } => "matryoshka_batchtopk",
        }
    }

    /// Whether features compete, so that those that never win are dead: AuxK ([`super::SaeConfig::aux_coeff`]) is for them.
    pub(super) fn keeps_largest(&self) -> bool {
        matches!(
            self,
            Self::TopK { .. }
                | Self::AbsTopK { .. }
                | Self::BatchTopK { .. }
                | Self::MatryoshkaBatchTopK { .. }
        )
    }

    /// Checks the settings against the dictionary's size and the batch's.
    pub(super) fn validate(&self, d_sae: usize, batch_size: usize) -> Result<()> {
        let fields = Fields("SaeConfig");
        match self {
            Self::Standard { l1_coeff } | Self::Gated { l1_coeff } => {
                fields.not_negative("l1_coeff", *l1_coeff)
            }
            Self::TopK { k } | Self::AbsTopK { k } | Self::Temporal { k: Some(k), .. }
                if !(1..=d_sae).contains(k) =>
            {
                fields.bad("k", k, &format!("must lie in 1 to d_sae = {d_sae}"))
            }
            Self::TopK { .. } | Self::AbsTopK { .. } => Ok(()),
            Self::MatchingPursuit {
                residual_threshold,
                max_iterations,
                ..
            } => {
                fields.not_negative("residual_threshold", *residual_threshold)?;
                match max_iterations {
                    Some(0) => fields.at_least_one("max_iterations", 0),
                    _ => Ok(()),
                }
            }
            Self::Temporal {
                n_heads,
                n_attn_layers,
                bottleneck_factor,
                ..
            } => {
                fields.at_least_one("n_heads", *n_heads)?;
                fields.at_least_one("n_attn_layers", *n_attn_layers)?;
                fields.at_least_one("bottleneck_factor", *bottleneck_factor)?;
                match bottleneck_factor.checked_mul(*n_heads) {
                    Some(parts) if d_sae.is_multiple_of(parts) => Ok(()),
                    _ => {
                        let reason =
                            format!("times n_heads = {n_heads} must divide d_sae = {d_sae}");
                        fields.bad("bottleneck_factor", bottleneck_factor, &reason)
                    }
                }
            }
            Self::JumpReLU {
                l0_coeff,
                bandwidth,
                init_threshold,
                l0_loss,
            } => {
                fields.not_negative("l0_coeff", *l0_coeff)?;
                fields.positive("bandwidth", *bandwidth)?;
                fields.not_negative("init_threshold", *init_threshold)?;
                match l0_loss {
                    L0Loss::Step => Ok(()),
                    L0Loss::Tanh { scale } => fields.positive("scale", *scale),
                }
            }
            Self::BatchTopK { k } => batch_k(*k, d_sae, batch_size),
            Self::MatryoshkaBatchTopK { k, widths } => {
                let ascend = widths.is_sorted_by(|a, b| a < b);
                let range = 1..=d_sae;
                if widths.is_empty() || !ascend || !widths.iter().all(|w| range.contains(w)) {
                    let reason = format!("must ascend within 1 to d_sae = {d_sae}");
                    return fields.bad("widths", format!("{widths:?}"), &reason);
                }
                batch_k(*k, d_sae, batch_size)
            }
        }
    }
}

fn batch_k(k: f64, d_sae: usize, batch_size: usize) -> Result<()> {
    // NaN is in no range.
    if k * batch_size as f64 >= 1.0 && k <= d_sae as f64 {
        return Ok(());
    }
    let reason = format!("must lie in 1 / batch_size = 1/{batch_size} to d_sae = {d_sae}");
    Fields("SaeConfig").bad("k", k, &reason)
}

/// What makes a dictionary sparse, in a few words.
impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Standard { l1_coeff } => write!(f, "standard, L1 weight {l1_coeff}"),
            Self::TopK { k } => write!(f, "TopK, the {k} largest of a token"),
            Self::AbsTopK { k } => {
                write!(f, "AbsTopK, the {k} largest of a token in absolute value")
            }
            Self::MatchingPursuit {
                residual_threshold,
                max_iterations,
                ..
            } => {
                write!(
                    f,
                    "matching pursuit, down to a residual of {residual_threshold}"
                )?;
                match max_iterations {
                    Some(n) => write!(f, ", at most {n} steps"),
                    None => Ok(()),
                }
            }
            Self::Temporal { k: Some(k), .. } => {
                write!(f, "temporal, the {k} largest novel ones of a token")
            }
            Self::Temporal { k: None, .. } => write!(f, "temporal, all positive novel ones"),
            Self::Gated { l1_coeff } => write!(f, "gated, L1 weight {l1_coeff}"),
            Self::JumpReLU { l0_coeff, .. } => write!(f, "JumpReLU, L0 weight {l0_coeff}"),
            Self::BatchTopK { k } => write!(f, "BatchTopK, {k} a token on average"),
            Self::MatryoshkaBatchTopK { k, widths } => write!(
                f,
                "Matryoshka BatchTopK, {k} a token on average, nested widths {widths:?}"
            ),
        }
    }
}
