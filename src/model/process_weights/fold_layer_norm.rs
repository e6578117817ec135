//! LayerNorm's weights and biases, put into what reads them.
//!
//! `(w n + b) W + c = n (diag(w) W) + (b W + c)`, `n` the normalised stream. `n` sums to 0, so that
//! `n W = n (W - 1 m)`, `m` the mean of W's rows. Source: TransformerLens' `fold_layer_norm`.

use super::super::transformer::Transformer;
use super::weights::Weights;
use crate::config::{Activation, Normalization};
use crate::error::Result;

impl Transformer {
    /// A new model whose norms have neither weight nor bias (`normalization_type` `LnPre`): they are
    /// folded into the matrices that read them (`W_Q`, `W_K`, `W_V`, `W_in`, `W_U`, with SoLU's own
    /// norm `W_out`) and their biases, and each such matrix is centred over what it reads. Its logits
    /// are those of this model. A tied unembedding becomes one of its own.
    ///
    /// # Errors
    /// [`Error::Argument`](crate::Error::Argument) for a model that normalises nothing.
    pub fn fold_layer_norm(&self) -> Result<Transformer> {
        let mut weights = Weights::of_normalised(self)?;
        let cfg = weights.cfg.clone();
        let mut fold =
            |norm: &str, matrix: &str, bias: &str| fold(&mut weights, norm, matrix, bias);
        for layer in 0..cfg.n_layers {
            let at = |name: &str| format!("blocks.{layer}.{name}");
            for part in ["Q", "K", "V"] {
                let [w, b] = ["W", "b"].map(|kind| at(&format!("attn.{kind}_{part}")));
                fold(&at("ln1"), &w, &b)?;
            }
            if !cfg.attn_only {
                fold(&at("ln2"), &at("mlp.W_in"), &at("mlp.b_in"))?;
                if cfg.act_fn == Activation::SoluLn {
                    fold(&at("mlp.ln"), &at("mlp.W_out"), &at("mlp.b_out"))?;
                }
            }
        }
        fold("ln_final", "unembed.W_U", "unembed.b_U")?;
        weights.cfg.normalization_type = Normalization::LnPre;
        weights.into_model()
    }
}

/// Folds one norm into one matrix `[.., d_in, d_out]` that reads it, and its bias `[.., d_out]`.
fn fold(weights: &mut Weights, norm: &str, matrix: &str, bias: &str) -> Result<()> {
    let w = weights.get(matrix)?;
    let reads = w.rank() - 2;
    if weights.cfg.normalization_type == Normalization::Ln {
        // [d_in, 1]
        let of_b = weights.get(&format!("{norm}.b"))?.unsqueeze(1)?;
        let of_w = weights.get(&format!("{norm}.w"))?.unsqueeze(1)?;
        let shift = w.broadcast_mul(&of_b)?.sum(reads)?;
        let folded = w.broadcast_mul(&of_w)?;
        let bias_and_shift = (weights.get(bias)? + shift)?;
        weights.set(bias, bias_and_shift);
        weights.set(matrix, folded);
    }
    weights.center(matrix, reads)
}
