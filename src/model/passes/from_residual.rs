//! Passes that begin in the middle: from a residual stream instead of from tokens.
//!
//! `x_{l+1} = block_l(x_l)` from any `l` on, and `logits = LN(x) W_U + b_U` of any stream.
//! Source: TransformerLens' `start_at_layer`, and `unembed(ln_final(x))` of its logit lens.

use crate::error::{Error, Result};
use crate::model::hooks::{Hook, Run};
use crate::model::transformer::Transformer;
use candle_core::Tensor;

impl Transformer {
    /// The residual stream that leaves the last block, `[batch, pos, d_model]`, given the one that
    /// enters block `first`; hooks see the blocks from `first` on.
    ///
    /// # Errors
    /// A stream of another shape, a block beyond the last, a hook point that the model does not have.
    pub(crate) fn residual_from(&self, x: &Tensor, first: usize, hooks: &[Hook]) -> Result<Tensor> {
        self.check_stream(x)?;
        if first > self.cfg.n_layers {
            return Err(Error::argument(
                "the first block",
                first,
                format!("must be at most n_layers = {}", self.cfg.n_layers),
            ));
        }
        let mut run = Run::hooked(hooks, &self.cfg)?;
        let mut x = x.clone();
        for layer in first..self.cfg.n_layers {
            x = self.block(layer, x, &mut run)?;
        }
        Ok(x)
    }

    /// Logits `[batch, pos, d_vocab]` of a residual stream `[batch, pos, d_model]`: the final norm
    /// and the unembedding.
    ///
    /// # Errors
    /// A stream of another shape.
    pub(crate) fn logits_of_residual(&self, x: &Tensor) -> Result<Tensor> {
        self.check_stream(x)?;
        let mut run = Run::unwatched();
        let x = self.normed(x, &mut run)?;
        self.unembed(&x, &mut run)
    }

    fn check_stream(&self, x: &Tensor) -> Result<()> {
        match x.dims() {
            [_, _, d_model] if *d_model == self.cfg.d_model => Ok(()),
            found => Err(Error::shape(
                "the residual stream",
                format!("[batch, pos, {}]", self.cfg.d_model),
                found,
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use candle_core::Device;

    fn model() -> Transformer {
        let cfg = TransformerConfig {
            n_layers: 3,
            d_model: 8,
            n_heads: 2,
            d_mlp: 16,
            n_ctx: 6,
            d_vocab: 11,
            init_std: 0.3,
            ..TransformerConfig::default()
        };
        Transformer::new(&cfg).unwrap().without_gradients()
    }

    fn values(t: &Tensor) -> Vec<f32> {
        t.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn the_halves_of_a_pass_make_the_whole_one_to_the_bit() {
        let model = model();
        let tokens = Tensor::new(&[[3u32, 1, 4, 1, 5]], &Device::Cpu).unwrap();
        let whole = values(&model.forward(&tokens).unwrap());
        for first in 0..=3 {
            let x = model.residual_before(&tokens, first).unwrap();
            let x = model.residual_from(&x, first, &[]).unwrap();
            assert_eq!(
                values(&model.logits_of_residual(&x).unwrap()),
                whole,
                "{first}"
            );
        }
    }

    #[test]
    fn a_stream_of_another_width_and_a_block_beyond_the_last_are_refused() {
        let model = model();
        let narrow = Tensor::zeros((1, 2, 7), candle_core::DType::F32, &Device::Cpu).unwrap();
        assert!(model.residual_from(&narrow, 0, &[]).is_err());
        assert!(model.logits_of_residual(&narrow).is_err());
        let x = Tensor::zeros((1, 2, 8), candle_core::DType::F32, &Device::Cpu).unwrap();
        let error = model.residual_from(&x, 4, &[]).unwrap_err().to_string();
        assert!(error.contains("n_layers = 3"), "{error}");
    }
}
