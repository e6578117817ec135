//! The transformer's shape: TransformerLens' names, GPT-2's defaults at toy size.

use super::Fields;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// The MLP's nonlinearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x Phi(x)` with the exact error function.
    Gelu,
    /// GPT-2's tanh approximation of GELU.
    #[default]
    GeluNew,
    Relu,
    Silu,
    /// `x softmax(x)` (Elhage et al. 2022), without the LayerNorm that follows it in the paper.
    Solu,
    /// SoLU, followed by a LayerNorm over the hidden units, as in the paper.
    SoluLn,
}

/// What normalises the residual stream before attention, MLP and unembedding; TransformerLens'
/// `normalization_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Normalization {
    /// LayerNorm with weight and bias.
    #[default]
    #[serde(rename = "LN")]
    Ln,
    /// LayerNorm without weight and bias: TransformerLens folds them into the matrices that follow.
    #[serde(rename = "LNPre")]
    LnPre,
    /// Nothing: every part reads the residual stream as it is.
    #[serde(rename = "none")]
    None,
}

/// How the model knows where a token stands; TransformerLens' `positional_embedding_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionalEmbedding {
    /// A learned vector a position, added to the token's embedding (GPT-2).
    #[default]
    Standard,
    /// Queries and keys are rotated by angles that grow with the position (GPT-NeoX, Pythia): a score
    /// depends on the distance of the two. Source: Su et al. 2021, arXiv:2104.09864.
    Rotary,
}

/// Element type of parameters and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    #[default]
    F32,
    F16,
    Bf16,
}

/// Where tensors live. CUDA and Metal need the feature of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    #[default]
    Cpu,
    Cuda,
    Metal,
}

/// A decoder: normalisation before each part, causal attention scaled by `sqrt(d_head)`, biases
/// everywhere. With the defaults it is of GPT-2's kind; with rotary positions and
/// `parallel_attn_mlp`, of GPT-NeoX' (Pythia).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerConfig {
    /// Number of blocks; 0 leaves embedding, final norm and unembedding.
    pub n_layers: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Heads per block; must divide `d_model`.
    pub n_heads: usize,
    /// Hidden width of the MLP.
    pub d_mlp: usize,
    /// Longest sequence, in tokens.
    pub n_ctx: usize,
    /// Number of token ids.
    pub d_vocab: usize,
    pub act_fn: Activation,
    /// No MLPs: blocks of attention alone.
    pub attn_only: bool,
    pub normalization_type: Normalization,
    pub positional_embedding_type: PositionalEmbedding,
    /// With rotary positions: the first dimensions of each head that are rotated, an even number;
    /// `None` is the whole head.
    pub rotary_dim: Option<usize>,
    /// With rotary positions: pair i of `rotary_dim / 2` turns by `rotary_base^(-2 i / rotary_dim)`
    /// radians a position.
    pub rotary_base: f64,
    /// Attention and MLP of a block read the same stream, `x + Attn(LN1(x)) + MLP(LN2(x))`, so that
    /// there is no `hook_resid_mid`.
    pub parallel_attn_mlp: bool,
    /// LayerNorm's epsilon, added to the variance.
    pub eps: f64,
    /// `W_U = W_E^T` (one parameter for both).
    pub tied_unembed: bool,
    /// Standard deviation of the normal initialisation of matrices.
    pub init_std: f64,
    /// Seed of the initialisation.
    pub seed: u64,
    pub dtype: Precision,
    pub device: DeviceKind,
}

impl Default for TransformerConfig {
    fn default() -> Self {
        Self {
            n_layers: 1,
            d_model: 128,
            n_heads: 4,
            d_mlp: 512,
            n_ctx: 128,
            d_vocab: 50_257,
            act_fn: Activation::default(),
            attn_only: false,
            normalization_type: Normalization::default(),
            positional_embedding_type: PositionalEmbedding::default(),
            rotary_dim: None,
            rotary_base: 10_000.0,
            parallel_attn_mlp: false,
            eps: 1e-5,
            tied_unembed: false,
            init_std: 0.02,
            seed: 42_069,
            dtype: Precision::default(),
            device: DeviceKind::default(),
        }
    }
}

impl TransformerConfig {
    /// Width of one head, `d_model / n_heads`; 0 where there is no head.
    pub fn d_head(&self) -> usize {
        self.d_model.checked_div(self.n_heads).unwrap_or(0)
    }

    /// Dimensions of each query and key that are rotated; 0 where positions are learned.
    pub fn n_rotated(&self) -> usize {
        match self.positional_embedding_type {
            PositionalEmbedding::Standard => 0,
            PositionalEmbedding::Rotary => self.rotary_dim.unwrap_or(self.d_head()),
        }
    }

    /// The first field, the device apart, in which the two differ: its name and both values.
    pub(crate) fn first_difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        // Taken apart, so that a new field cannot be forgotten here.
        let parts = |cfg: &Self| {
            let Self {
                n_layers,
                d_model,
                n_heads,
                d_mlp,
                n_ctx,
                d_vocab,
                act_fn,
                attn_only,
                normalization_type,
                positional_embedding_type,
                rotary_dim,
                rotary_base,
                parallel_attn_mlp,
                eps,
                tied_unembed,
                init_std,
                seed,
                dtype,
                device: _,
            } = cfg;
            [
                ("n_layers", n_layers.to_string()),
                ("d_model", d_model.to_string()),
                ("n_heads", n_heads.to_string()),
                ("d_mlp", d_mlp.to_string()),
                ("n_ctx", n_ctx.to_string()),
                ("d_vocab", d_vocab.to_string()),
                ("act_fn", format!("{act_fn:?}")),
                ("attn_only", attn_only.to_string()),
                ("normalization_type", format!("{normalization_type:?}")),
                (
                    "positional_embedding_type",
                    format!("{positional_embedding_type:?}"),
                ),
                ("rotary_dim", format!("{rotary_dim:?}")),
                ("rotary_base", rotary_base.to_string()),
                ("parallel_attn_mlp", parallel_attn_mlp.to_string()),
                ("eps", eps.to_string()),
                ("tied_unembed", tied_unembed.to_string()),
                ("init_std", init_std.to_string()),
                ("seed", seed.to_string()),
                ("dtype", format!("{dtype:?}")),
            ]
        };
        parts(self)
            .into_iter()
            .zip(parts(other))
            .find(|((_, a), (_, b))| a != b)
            .map(|((field, a), (_, b))| (field, a, b))
    }

    /// Checks every field; the error names the field, its value and the rule.
    pub fn validate(&self) -> Result<()> {
        let fields = Fields("TransformerConfig");
        fields.at_least_one("d_model", self.d_model)?;
        fields.at_least_one("n_heads", self.n_heads)?;
        fields.at_least_one("n_ctx", self.n_ctx)?;
        fields.at_least_one("d_vocab", self.d_vocab)?;
        if !self.d_model.is_multiple_of(self.n_heads) {
            let reason = format!("must divide d_model = {}", self.d_model);
            return fields.bad("n_heads", self.n_heads, &reason);
        }
        if !self.attn_only && self.n_layers > 0 {
            fields.at_least_one("d_mlp", self.d_mlp)?;
        }
        self.validate_positions(fields)?;
        fields.positive("eps", self.eps)?;
        fields.not_negative("init_std", self.init_std)
    }

    fn validate_positions(&self, fields: Fields) -> Result<()> {
        /// Sines in the table of angles: 4 GiB, far more than any model has.
        const MOST_ANGLES: usize = 1 << 30;
        fields.positive("rotary_base", self.rotary_base)?;
        if self.positional_embedding_type == PositionalEmbedding::Standard {
            return match self.rotary_dim {
                None => Ok(()),
                Some(n) => {
                    let reason = "needs positional_embedding_type = Rotary, but it is Standard";
                    fields.bad("rotary_dim", n, reason)
                }
            };
        }
        let (n, d_head) = (self.n_rotated(), self.d_head());
        if n < 2 || n > d_head || !n.is_multiple_of(2) {
            let reason = format!(
                "must be even, at least 2 and at most d_head = {d_head}, which it is where it is None"
            );
            return fields.bad("rotary_dim", n, &reason);
        }
        match self.n_ctx.checked_mul(n / 2) {
            Some(angles) if angles <= MOST_ANGLES => Ok(()),
            _ => {
                let most = MOST_ANGLES / (n / 2);
                let reason = format!("must be at most {most} for {n} rotated dimensions");
                fields.bad("n_ctx", self.n_ctx, &reason)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_heads_have_no_width() {
        let cfg = TransformerConfig {
            n_heads: 0,
            ..TransformerConfig::default()
        };
        assert_eq!(cfg.d_head(), 0);
        assert!(cfg.validate().is_err());
    }

    #[test]
    fn rotary_dimensions_are_checked() {
        let rotary = |rotary_dim, rotary_base| TransformerConfig {
            positional_embedding_type: PositionalEmbedding::Rotary,
            rotary_dim,
            rotary_base,
            ..TransformerConfig::default()
        };
        for good in [None, Some(2), Some(8), Some(32)] {
            rotary(good, 1e4).validate().unwrap();
        }
        assert_eq!(rotary(None, 1e4).n_rotated(), 32);
        assert_eq!(TransformerConfig::default().n_rotated(), 0);
        for bad in [0, 3, 34, usize::MAX] {
            let message = rotary(Some(bad), 1e4).validate().unwrap_err().to_string();
            assert!(message.contains("rotary_dim"), "{message}");
        }
        for base in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let message = rotary(None, base).validate().unwrap_err().to_string();
            assert!(message.contains("rotary_base"), "{message}");
        }
        let long = TransformerConfig {
            n_ctx: usize::MAX / 4,
            ..rotary(None, 1e4)
        };
        assert!(long.validate().unwrap_err().to_string().contains("n_ctx"));
        let unused = TransformerConfig {
            rotary_dim: Some(8),
            ..TransformerConfig::default()
        };
        let message = unused.validate().unwrap_err().to_string();
        assert!(message.contains("positional_embedding_type"), "{message}");
    }

    #[test]
    fn the_first_difference_is_named_and_the_device_is_none() {
        let cfg = TransformerConfig::default();
        let elsewhere = TransformerConfig {
            device: DeviceKind::Cuda,
            ..cfg.clone()
        };
        assert_eq!(cfg.first_difference(&elsewhere), None);
        let other = TransformerConfig {
            eps: 1e-6,
            act_fn: Activation::Relu,
            ..elsewhere
        };
        let both = ("act_fn", "GeluNew".to_owned(), "Relu".to_owned());
        assert_eq!(cfg.first_difference(&other), Some(both));
    }
}
