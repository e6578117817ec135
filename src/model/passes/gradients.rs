//! The loss and every gradient of a training step.
//!
//! `dW_U` and `dW_E`, most of a small model's parameters, come from their own formulas (`ops`),
//! those of the blocks between them from `backward`. In f32 only: half precision goes through
//! candle's own backward pass, over the same fused operations.

use super::backward::Pass;
use crate::error::{Error, Result};
use crate::model::ops;
use crate::model::transformer::Transformer;
use candle_core::backprop::GradStore;
use candle_core::{DType, IndexOp, Tensor};

impl Transformer {
    /// [`Transformer::loss`] of `tokens` `[batch, pos]`, without a graph, and what
    /// `loss(tokens)?.backward()?` gives for each of the parameters, with fewer copies of the
    /// vocabulary's matrices.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::Transformer};
    /// use candle_core::{Device, Tensor};
    /// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
    /// let model = Transformer::new(&cfg).unwrap();
    /// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu).unwrap();
    /// let (loss, grads) = model.loss_and_gradients(&tokens).unwrap();
    /// assert!(loss.to_scalar::<f32>().unwrap() > 0.0);
    /// assert!(model.named_parameters().iter().all(|(_, var)| grads.get(var).is_some()));
    /// ```
    ///
    /// # Errors
    /// As [`Transformer::loss`].
    pub fn loss_and_gradients(&self, tokens: &Tensor) -> Result<(Tensor, GradStore)> {
        let (w_e, w_u) = (self.param("embed.W_E")?, self.w_u()?);
        let b_u = self.param("unembed.b_U")?;
        let direct = self.tracks_gradients && !self.cfg.tied_unembed;
        if !direct || !ops::usable_in_f32(&[&w_e, &w_u, &b_u]) {
            let loss = self.loss(tokens)?;
            let grads = loss.backward()?;
            return Ok((loss.detach(), grads));
        }
        let tokens = self.checked(tokens)?;
        let (batch, pos) = tokens.dims2()?;
        if pos < 2 {
            return Err(Error::shape("tokens", "[batch, at least 2]", tokens.dims()));
        }
        let ids = tokens.flatten_all()?;
        let rows = w_e.detach().index_select(&ids, 0)?;
        let pass = Pass::of(&self.without_gradients(), &rows, (batch, pos))?;
        // Every position but the last predicts.
        let x = pass.normed.narrow(1, 0, pos - 1)?.flatten(0, 1)?;
        let targets = tokens.i((.., 1..))?.flatten_all()?.to_vec1::<u32>()?;
        let (loss, [dx, dw, db]) =
            ops::mean_cross_entropy_and_gradients(&x.contiguous()?, &w_u, &b_u, &targets)?;
        let last = Tensor::zeros((batch, 1, self.cfg.d_model), DType::F32, dx.device())?;
        let dx = dx.reshape((batch, pos - 1, self.cfg.d_model))?;
        let mut grads = GradStore::default();
        let rows = pass.backward(self, &Tensor::cat(&[&dx, &last], 1)?, &mut grads)?;
        let dw_e = ops::embedding_gradient(&rows, &ids.to_vec1()?, self.cfg.d_vocab)?;
        grads.insert(&w_e, dw_e);
        grads.insert(&w_u, dw);
        grads.insert(&b_u, db);
        Ok((loss, grads))
    }
}
