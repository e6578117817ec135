//! Another model that computes the same: norms folded into the matrices that follow, and what no
//! norm and no softmax sees taken out of the weights.
//!
//! Source: TransformerLens' `fold_layer_norm`, `center_writing_weights` and `center_unembed`.

mod center;
mod fold_layer_norm;
#[cfg(test)]
mod tests;
mod weights;

use super::transformer::Transformer;
use crate::config::Normalization;
use crate::error::Result;

impl Transformer {
    /// [`Transformer::fold_layer_norm`], [`Transformer::center_writing_weights`] and
    /// [`Transformer::center_unembed`], one after the other: a new model with the same log-probabilities
    /// whose `normalization_type` is `LnPre`. Of a model that normalises nothing the unembedding alone
    /// is centred: the other two would change what it computes.
    ///
    /// ```
    /// use holoscope::{config::{Normalization, TransformerConfig}, model::Transformer};
    /// use candle_core::{Device, Tensor};
    /// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
    /// let model = Transformer::new(&cfg)?;
    /// let processed = model.process_weights()?;
    /// assert_eq!(processed.cfg().normalization_type, Normalization::LnPre);
    /// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
    /// let loss = |m: &Transformer| m.loss(&tokens).unwrap().to_scalar::<f32>().unwrap();
    /// assert!((loss(&model) - loss(&processed)).abs() < 1e-4);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of candle.
    pub fn process_weights(&self) -> Result<Transformer> {
        match self.cfg.normalization_type {
            Normalization::None => self.center_unembed(),
            Normalization::Ln | Normalization::LnPre => self
                .fold_layer_norm()?
                .center_writing_weights()?
                .center_unembed(),
        }
    }
}
