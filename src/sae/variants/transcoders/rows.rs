//! Tensors as rows, and checks of transcoders and crosscoders.

use crate::error::{Error, Result};
use crate::model::first_not_finite;
use candle_core::{DType, Tensor};

/// An error unless the tensor has this shape.
pub(super) fn check_shape(name: &str, tensor: &Tensor, shape: &[usize]) -> Result<()> {
    match tensor.dims() == shape {
        true => Ok(()),
        false => Err(Error::shape(name, shape, tensor.dims())),
    }
}

/// A tensor as f32 rows, `[n, width]`.
pub(super) fn rows(x: &Tensor, width: usize, name: &str) -> Result<Tensor> {
    if x.dims().last() != Some(&width) {
        return Err(Error::shape(name, format!("[.., {width}]"), x.dims()));
    }
    let n = x.elem_count() / width.max(1);
    Ok(x.reshape((n, width))?.to_dtype(DType::F32)?)
}

/// The rows, those with an infinity or a NaN as rows of NaN.
pub(super) fn finite_or_nan(rows: &Tensor) -> Result<Tensor> {
    let finite = rows.device().is_cpu() && first_not_finite(rows)?.is_none();
    if finite {
        return Ok(rows.clone());
    }
    let sums = (rows * 0.0)?.sum_keepdim(1)?; // 0, or NaN where one element is not finite
    Ok(rows.broadcast_add(&sums)?)
}

pub(super) fn with_last(x: &Tensor, last: usize) -> Vec<usize> {
    let mut dims = x.dims().to_vec();
    if let Some(d) = dims.last_mut() {
        *d = last;
    }
    dims
}
