//! Mean loss of a model on a split.
//!
//! `loss = -mean over sequences and positions of log p(token | tokens before it)`, in nats.

use crate::data::TokenSplit;
use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::show::Interrupts;
use candle_core::{DType, Tensor};

/// Mean next-token loss of a model on a split, in nats per predicted token: over all whole sequences, 16 at a time.
///
/// Every sequence is as long as the model's `n_ctx` and counts the same.
///
/// # Errors
/// Those of [`evaluate_with`].
pub fn evaluate(model: &Transformer, split: &TokenSplit) -> Result<f64> {
    evaluate_with(model, split, 0, 16)
}

/// [`evaluate`] on the first `n_batches` batches of `batch_size` sequences of `split` in their order (0: the whole
/// split, a last smaller batch included).
///
/// # Errors
/// The split holds no whole sequence, or `batch_size` is 0; [`Error::Interrupted`], as the loss on
/// a part of the batches is another quantity.
pub fn evaluate_with(
    model: &Transformer,
    split: &TokenSplit,
    n_batches: usize,
    batch_size: usize,
) -> Result<f64> {
    let interrupts = Interrupts::listen();
    let losses = batch_losses(model, split, n_batches, batch_size, &|| interrupts.heard())?;
    match losses.complete {
        true => Ok(losses.mean()),
        false => Err(Error::Interrupted {
            what: "the evaluation",
        }),
    }
}

/// The loss of each batch of an evaluation.
#[derive(Debug, Clone, Default)]
pub(super) struct BatchLosses {
    /// (mean loss, sequences), in the order of the split.
    pub batches: Vec<(f64, usize)>,
    /// Whether these are all that were asked for.
    pub complete: bool,
}

impl BatchLosses {
    /// Over all sequences, nats per predicted token.
    pub(super) fn mean(&self) -> f64 {
        self.mean_of_first(self.batches.len())
    }

    /// Whether the loss is lower where both have evaluated; false where that is nowhere.
    pub(super) fn is_lower_than(&self, other: &BatchLosses) -> bool {
        let n = self.batches.len().min(other.batches.len());
        self.mean_of_first(n) < other.mean_of_first(n)
    }

    /// Over the sequences of the first `n` batches.
    fn mean_of_first(&self, n: usize) -> f64 {
        let first = self.batches.iter().take(n);
        let (sum, rows) = first.fold((0.0, 0), |(sum, rows), &(loss, more)| {
            (sum + loss * more as f64, rows + more)
        });
        sum / rows as f64
    }
}

/// The losses that [`evaluate`] averages, of as many batches as there is time for: before each
/// one, `stop` says whether to end.
pub(super) fn batch_losses(
    model: &Transformer,
    split: &TokenSplit,
    n_batches: usize,
    batch_size: usize,
    stop: &dyn Fn() -> bool,
) -> Result<BatchLosses> {
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
    let mut losses = BatchLosses::default();
    for first in (0..wanted).step_by(batch_size) {
        if stop() {
            return Ok(losses);
        }
        let rows = batch_size.min(wanted - first);
        let tokens: Vec<u32> = (first..first + rows)
            .flat_map(|i| split.sequence(i, n_ctx))
            .collect();
        let tokens = Tensor::from_vec(tokens, (rows, n_ctx), model.device())?; // [rows, n_ctx]
        losses.batches.push((scalar(&model.loss(&tokens)?)?, rows));
    }
    losses.complete = true;
    Ok(losses)
}

/// The value of a tensor of no axes, whatever its type.
pub(super) fn scalar(tensor: &Tensor) -> Result<f64> {
    Ok(f64::from(tensor.to_dtype(DType::F32)?.to_scalar::<f32>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(batches: &[(f64, usize)], complete: bool) -> BatchLosses {
        BatchLosses {
            batches: batches.to_vec(),
            complete,
        }
    }

    #[test]
    fn losses_are_compared_where_both_were_evaluated() {
        let best = losses(&[(3.0, 16), (1.0, 16), (1.0, 4)], true);
        // Every sequence counts the same: (48 + 16 + 4) / 36.
        assert!((best.mean() - 68.0 / 36.0).abs() < 1e-12);
        // Higher than the mean of all, lower on the same batch.
        let part = losses(&[(2.5, 16)], false);
        assert!(part.mean() > best.mean() && part.is_lower_than(&best));
        assert!(!best.is_lower_than(&part));
        assert!(!part.is_lower_than(&losses(&[], false)));
    }
}
