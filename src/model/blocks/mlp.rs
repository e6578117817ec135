//! The MLP: one hidden layer.
//!
//! `out = f(x W_in + b_in) W_out + b_out`; with SoLU, `f` may end in a LayerNorm.
//! Source: Radford et al. 2019 (GELU-new); Elhage et al. 2022 (SoLU).

use super::functions::{linear, softmax};
use super::layer_norm::LayerNorm;
use crate::config::Activation;
use crate::error::Result;
use crate::model::hooks::{BlockPoint, HookName, Run};
use crate::model::ops;
use candle_core::{DType, Tensor};

/// One block's MLP; `w_in` is `[d_model, d_mlp]`, `w_out` `[d_mlp, d_model]`.
pub(in crate::model) struct Mlp {
    pub(in crate::model) layer: usize,
    pub(in crate::model) act_fn: Activation,
    /// After the nonlinearity, where it is [`Activation::SoluLn`].
    pub(in crate::model) ln: Option<LayerNorm>,
    pub(in crate::model) w_in: Tensor,
    pub(in crate::model) b_in: Tensor,
    pub(in crate::model) w_out: Tensor,
    pub(in crate::model) b_out: Tensor,
}

impl Mlp {
    fn at(&self, point: BlockPoint) -> HookName {
        HookName::Block {
            layer: self.layer,
            point,
        }
    }

    /// `x` `[batch, pos, d_model]`, already normalised, to `[batch, pos, d_model]`; `None` where
    /// the run is finished before that.
    pub(in crate::model) fn forward(&self, x: &Tensor, run: &mut Run) -> Result<Option<Tensor>> {
        if run.finished() {
            return Ok(None);
        }
        let pre = linear(x, &self.w_in, &self.b_in)?;
        let pre = run.visit(self.at(BlockPoint::MlpPre), pre)?;
        if run.finished() {
            return Ok(None);
        }
        let mut post = activate(&pre, self.act_fn)?;
        if let Some(ln) = &self.ln {
            let mid = run.visit(self.at(BlockPoint::MlpMid), post)?;
            if run.finished() {
                return Ok(None);
            }
            post = ln.forward(&mid, run)?;
        }
        let post = run.visit(self.at(BlockPoint::MlpPost), post)?;
        if run.finished() {
            return Ok(None);
        }
        linear(&post, &self.w_out, &self.b_out).map(Some)
    }
}

/// `max(x, 0)`, where NaN stays NaN.
pub(crate) fn relu(x: &Tensor) -> Result<Tensor> {
    activate(x, Activation::Relu)
}

/// The nonlinearity, element by element (SoLU: along the last axis), without the LayerNorm after it.
pub(in crate::model) fn activate(x: &Tensor, act_fn: Activation) -> Result<Tensor> {
    if ops::usable(&[x])
        && let Some(y) = ops::activation(x, act_fn)
    {
        return Ok(y?);
    }
    Ok(match act_fn {
        Activation::Gelu => x.gelu_erf()?,
        Activation::GeluNew => x.gelu()?,
        // Candle's `relu` makes a 0 of NaN.
        Activation::Relu => x.le(0.0)?.where_cond(&x.zeros_like()?, x)?,
        Activation::Silu => x.silu()?,
        Activation::Solu | Activation::SoluLn => {
            let weights = softmax(&x.to_dtype(DType::F32)?)?.to_dtype(x.dtype())?;
            (x * weights)?
        }
    })
}
