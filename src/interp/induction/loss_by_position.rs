//! The mean loss at each position: how much the tokens before it help.
//! `in-context score = mean loss at late positions - mean loss at early ones`, in nats.
//! Source: Olsson et al. 2022, "In-context learning score" (their 500th less their 50th token).

use crate::error::{Error, Result};
use crate::model::Transformer;
use crate::show::{
    ChartOptions, Figure, Interrupts, MimeBundle, Show, Trace, format_number, line_chart,
    shows_itself,
};
use candle_core::{DType, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;
use std::ops::Range;

/// Logits that are in memory at once.
const LOGITS_PER_PASS: usize = 1 << 24;

/// The mean loss of each predicted token, over sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct LossByPosition {
    /// Sequences averaged over.
    pub n_sequences: usize,
    /// In nats; entry `i` is that of the token at position `i + 1`, which is the first one predicted.
    pub losses: Vec<f64>,
}

/// The mean loss at each position of `tokens` `[batch, pos]`.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::loss_by_position, model::Transformer};
/// use candle_core::{Device, Tensor};
/// let model = Transformer::new(&TransformerConfig { d_vocab: 11, d_mlp: 16, ..Default::default() })?;
/// let tokens = Tensor::new(&[[1u32, 2, 3, 4], [5, 6, 7, 8]], &Device::Cpu)?;
/// let found = loss_by_position(&model, &tokens)?;
/// assert_eq!(found.losses.len(), 3);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No sequence, sequences of one token, tokens that the model cannot read; [`Error::Interrupted`].
pub fn loss_by_position(model: &Transformer, tokens: &Tensor) -> Result<LossByPosition> {
    let (batch, pos) = match *tokens.dims() {
        [batch, pos] if batch > 0 && pos > 1 => (batch, pos),
        _ => {
            let wanted = "[at least 1, at least 2]";
            return Err(Error::shape("tokens", wanted, tokens.dims()));
        }
    };
    let model = model.without_gradients();
    let per_pass = (LOGITS_PER_PASS / (pos * model.cfg().d_vocab)).max(1);
    let mut sums = vec![0.0; pos - 1];
    let interrupts = Interrupts::listen();
    for start in (0..batch).step_by(per_pass) {
        interrupts.check("the loss by position")?;
        let rows = tokens.narrow(0, start, per_pass.min(batch - start))?;
        let losses = model.loss_per_token(&rows)?.to_dtype(DType::F64)?;
        for (sum, loss) in sums.iter_mut().zip(losses.sum(0)?.to_vec1::<f64>()?) {
            *sum += loss;
        }
    }
    Ok(LossByPosition {
        n_sequences: batch,
        losses: sums.into_iter().map(|sum| sum / batch as f64).collect(),
    })
}

impl LossByPosition {
    /// The mean over all positions, in nats.
    pub fn mean(&self) -> f64 {
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }

    /// The mean loss of tokens at the positions `late` less that of those at `early`, in nats: negative
    /// where context helps. Position 0 is never predicted. Olsson et al. take one position each, 500
    /// and 50 of 512; windows of several are less noisy.
    ///
    /// # Errors
    /// A window that is empty, holds position 0 or goes beyond the last position.
    pub fn in_context_score(&self, early: Range<usize>, late: Range<usize>) -> Result<f64> {
        Ok(self.window("late", late)? - self.window("early", early)?)
    }

    fn window(&self, what: &'static str, window: Range<usize>) -> Result<f64> {
        let n_pos = self.losses.len() + 1;
        if window.is_empty() || window.start == 0 || window.end > n_pos {
            let rule = format!("must be some of the positions 1..{n_pos}");
            return Err(Error::argument(what, format!("{window:?}"), rule));
        }
        let n = window.len() as f64;
        let losses = &self.losses[window.start - 1..window.end - 1];
        Ok(losses.iter().sum::<f64>() / n)
    }

    /// One row a position: `position`, `loss` (nats).
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        Ok(df![
            "position" => (1..=self.losses.len() as u32).collect::<Vec<u32>>(),
            "loss" => &self.losses,
        ]?)
    }

    /// The loss over positions.
    ///
    /// # Errors
    /// When no loss is finite.
    pub fn figure(&self) -> Result<Figure> {
        let points = self.losses.iter().enumerate();
        let points = points.map(|(i, &loss)| ((i + 1) as f64, loss)).collect();
        let options = ChartOptions::new(
            "Loss by position",
            "position of the token predicted",
            "cross-entropy (nats)",
        )
        .caption(format!("Mean over {} sequences.", self.n_sequences));
        line_chart(&[Trace::new("loss", points)], &options)
    }
}

impl fmt::Display for LossByPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |loss: Option<&f64>| loss.map_or_else(String::new, |&x| format_number(x));
        write!(
            f,
            "loss by position, {} sequences: {} at position 1, {} at position {}",
            self.n_sequences,
            of(self.losses.first()),
            of(self.losses.last()),
            self.losses.len()
        )
    }
}

shows_itself!(LossByPosition);

impl Show for LossByPosition {
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let text = self.to_string();
        Ok(self.figure()?.mime_bundle()?.with("text/plain", text))
    }
}
