//! Mean loss of a model on a split.
//!
//! `loss = -mean over sequences and positions of log p(token | tokens before it)`, in nats.

use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::model::Transformer;
use candle_core::{DType, Tensor};

/// Mean next-token loss, in nats per predicted token, over the first `n_batches` batches of
/// `batch_size` sequences of `split` in their order (0: the whole split, a last smaller batch included).
///
/// Every sequence is as long as the model's `n_ctx` and counts the same.
///
/// # Errors
/// The split holds no whole sequence, or `batch_size` is 0.
pub fn evaluate(
    model: &Transformer,
    split: &TokenSplit,
    n_batches: usize,
    batch_size: usize,
) -> Result<f64> {
    let n_ctx = model.cfg().n_ctx;
    if batch_size == 0 {
        return Err(Error::argument("batch_size", 0, "must be at least 1"));
    }
    let available = split.n_sequences(n_ctx);
    if available == 0 {
        let reason =
            format!("hold no sequence of n_ctx = {n_ctx}; use more text or a shorter n_ctx");
        return Err(Error::argument(
            "tokens of the split",
            split.n_tokens(),
            reason,
        ));
    }
    let wanted = match n_batches {
        0 => available,
        n => available.min(n.saturating_mul(batch_size)),
    };
    let model = model.without_gradients();
    let mut sum = 0.0;
    for first in (0..wanted).step_by(batch_size) {
        let rows = batch_size.min(wanted - first);
        let tokens: Vec<u32> = (first..first + rows)
            .flat_map(|i| split.sequence(i, n_ctx))
            .collect();
        let tokens = Tensor::from_vec(tokens, (rows, n_ctx), model.device())?; // [rows, n_ctx]
        sum += scalar(&model.loss(&tokens)?)? * rows as f64;
    }
    Ok(sum / wanted as f64)
}

/// The value of a tensor of no axes, whatever its type.
pub(super) fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.to_dtype(DType::F32)?.to_scalar::<f32>()?))
}
