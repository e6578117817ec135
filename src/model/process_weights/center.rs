//! Means that nothing reads, taken out of the weights.
//!
//! Every norm subtracts a stream's mean, so that what is written to the stream may have mean 0; a
//! softmax is the same for logits shifted together, so that logits may. Source: TransformerLens'
//! `center_writing_weights` and `center_unembed`.

use super::super::transformer::Transformer;
use super::weights::Weights;
use crate::config::PositionalEmbedding;
use crate::error::Result;
use candle_core::D;

impl Transformer {
    /// A new model in which all that is written to the residual stream has mean 0 over `d_model`:
    /// `W_E`, `W_pos`, `W_O`, `b_O`, `W_out` and `b_out`. Every norm subtracts that mean, so that its
    /// logits are those of this model. A tied unembedding becomes one of its own and stays as it is.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a model that normalises nothing: it reads the
    /// mean.
    pub fn center_writing_weights(&self) -> Result<Transformer> {
        let mut weights = Weights::of_normalised(self)?;
        let cfg = weights.cfg.clone();
        let mut names = vec!["embed.W_E".to_owned()];
        if cfg.positional_embedding_type == PositionalEmbedding::Standard {
            names.push("pos_embed.W_pos".to_owned());
        }
        for layer in 0..cfg.n_layers {
            let mlp: &[&str] = match cfg.attn_only {
                true => &[],
                false => &["mlp.W_out", "mlp.b_out"],
            };
            let parts = ["attn.W_O", "attn.b_O"].iter().chain(mlp);
            names.extend(parts.map(|name| format!("blocks.{layer}.{name}")));
        }
        for name in names {
            weights.center(&name, D::Minus1)?;
        }
        weights.into_model()
    }

    /// A new model whose logits have mean 0 over the vocabulary: `W_U` and `b_U` have. Its
    /// log-probabilities are those of this model. A tied unembedding becomes one of its own.
    ///
    /// # Errors
    /// Those of candle.
    pub fn center_unembed(&self) -> Result<Transformer> {
        let mut weights = Weights::of(self)?;
        for name in ["unembed.W_U", "unembed.b_U"] {
            weights.center(name, D::Minus1)?;
        }
        weights.into_model()
    }
}
