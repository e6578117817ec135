//! Functions of tensors that several parts of the model share; fused where a fused kernel applies.

use crate::error::Result;
use crate::model::ops;
use candle_core::{D, DType, Tensor};

/// `x W + b` over the last axis: `[batch, pos, d_in]` to `[batch, pos, d_out]`.
pub(in crate::model) fn linear(x: &Tensor, w: &Tensor, b: &Tensor) -> Result<Tensor> {
    // The fused product reads a single row's weights as they are in f32 and bf16, and widens those
    // in f16 first; candle's reads them as they are: a model of four layers of width 256 generates
    // 850 tokens a second with candle's product in f16, 150 with the fused one.
    let one_row_of_f16 = x.dtype() == DType::F16 && x.elem_count() == x.dim(D::Minus1)?;
    if !one_row_of_f16 && ops::usable(&[x, w, b]) {
        return Ok(ops::linear(x, w, b)?);
    }
    let (batch, pos, d_in) = x.dims3()?;
    let y = x
        .reshape((batch * pos, d_in))?
        .matmul(w)?
        .broadcast_add(b)?;
    Ok(y.reshape((batch, pos, w.dim(1)?))?)
}

/// The residual stream and what a part adds to it.
pub(in crate::model) fn sum(x: Tensor, out: Tensor) -> Result<Tensor> {
    Ok(match ops::usable(&[&x, &out]) {
        true => ops::add(&x, &out)?,
        false => (x + out)?,
    })
}

/// Softmax over the last axis, with gradients.
pub(in crate::model) fn softmax(x: &Tensor) -> Result<Tensor> {
    let max = x.detach().max_keepdim(D::Minus1)?;
    let exp = x.broadcast_sub(&max)?.exp()?;
    let sum = exp.sum_keepdim(D::Minus1)?;
    Ok(exp.broadcast_div(&sum)?)
}
