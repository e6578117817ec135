//! The tokens that a feature promotes and suppresses most, and the vocabulary by logits.
//! Source: `(W_dec[f] @ W_out @ W_U)` of 1L-Sparse-Autoencoder.

use super::logits::feature_logits;
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use crate::interp::order::largest_first;
use crate::model::Transformer;
use crate::sae::SparseAutoencoder;
use crate::show::{ChartOptions, Figure, bar_chart, shows_itself, visible_token};
use candle_core::{DType, Tensor};
use polars::prelude::{DataFrame, df};
use std::fmt;

/// The tokens that a feature promotes and suppresses most.
#[derive(Debug, Clone, PartialEq)]
pub struct TopLogits {
    pub feature_id: usize,
    /// (token, logit per unit of activation), the largest first.
    pub top: Vec<(String, f64)>,
    /// The same for the smallest, the smallest first.
    pub bottom: Vec<(String, f64)>,
}

/// The `k` tokens with the largest and the `k` with the smallest [`feature_logits`].
///
/// # Errors
/// As [`feature_logits`]; a tokenizer of another vocabulary.
pub fn top_logits(
    model: &Transformer,
    sae: &dyn SparseAutoencoder,
    hook_name: &str,
    feature_id: usize,
    tokenizer: &Tokenizer,
    k: usize,
) -> Result<TopLogits> {
    let logits = feature_logits(model, sae, hook_name, feature_id)?.to_vec1::<f32>()?;
    check_vocabulary(tokenizer, logits.len())?;
    let order = descending(&logits);
    let k = k.min(order.len() / 2);
    let named = |&i: &usize| (token_name(tokenizer, i), f64::from(logits[i]));
    Ok(TopLogits {
        feature_id,
        top: order[..k].iter().map(named).collect(),
        bottom: order[order.len() - k..].iter().rev().map(named).collect(),
    })
}

/// An error unless the tokenizer has a token for each of `d_vocab` logits.
pub(in crate::interp) fn check_vocabulary(tokenizer: &Tokenizer, d_vocab: usize) -> Result<()> {
    if tokenizer.n_vocab() == d_vocab {
        return Ok(());
    }
    Err(Error::shape("logits", [tokenizer.n_vocab()], [d_vocab]))
}

fn token_name(tokenizer: &Tokenizer, id: usize) -> String {
    visible_token(&tokenizer.token_str(id as u32))
}

/// Indices by falling value, NaN first; equal values in rising order.
pub(in crate::interp) fn descending(values: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| largest_first(f64::from(values[a]), f64::from(values[b])));
    order
}

/// The whole vocabulary with its logits `[d_vocab]`, the largest first (NaN before all): columns `token` (as
/// shown), `id`, `logit` and, with `make_probs`, `log_prob` (natural logarithm) and `prob`.
///
/// ```
/// use holoscope::{data::Tokenizer, interp::vocab_frame};
/// use candle_core::{Device, Tensor};
/// let tokenizer = Tokenizer::compact(&Tokenizer::gpt2()?.encode("to be"))?;
/// let logits = Tensor::new(&[0.0f32, 2.0, 1.0], &Device::Cpu)?;
/// let frame = vocab_frame(&tokenizer, &logits, true)?;
/// assert_eq!(frame.column("token")?.str()?.get(0), Some("to"));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Not one logit a token.
pub fn vocab_frame(tokenizer: &Tokenizer, logits: &Tensor, make_probs: bool) -> Result<DataFrame> {
    let logits = logits
        .flatten_all()?
        .to_dtype(DType::F32)?
        .to_vec1::<f32>()?;
    check_vocabulary(tokenizer, logits.len())?;
    let order = descending(&logits);
    let sorted: Vec<f64> = order.iter().map(|&i| f64::from(logits[i])).collect();
    let tokens: Vec<String> = order.iter().map(|&i| token_name(tokenizer, i)).collect();
    let ids: Vec<u32> = order.iter().map(|&i| i as u32).collect();
    if !make_probs {
        return Ok(df!["token" => tokens, "id" => ids, "logit" => sorted]?);
    }
    let most = sorted.first().copied().unwrap_or(0.0);
    let log_z = most + sorted.iter().map(|l| (l - most).exp()).sum::<f64>().ln();
    let log_prob: Vec<f64> = sorted.iter().map(|l| l - log_z).collect();
    let prob: Vec<f64> = log_prob.iter().map(|l| l.exp()).collect();
    Ok(df![
        "token" => tokens,
        "id" => ids,
        "logit" => sorted,
        "log_prob" => log_prob,
        "prob" => prob,
    ]?)
}

impl TopLogits {
    /// Bars of the promoted tokens, then the suppressed ones.
    pub fn bars(&self) -> Result<Figure> {
        let rows: Vec<&(String, f64)> = self.top.iter().chain(self.bottom.iter().rev()).collect();
        let labels: Vec<String> = rows.iter().map(|r| r.0.clone()).collect();
        let values: Vec<f64> = rows.iter().map(|r| r.1).collect();
        let options = ChartOptions::new(
            &format!(
                "Feature {}: tokens promoted and suppressed",
                self.feature_id
            ),
            "direct logit per unit of activation, up to the norm's scale",
            "",
        );
        bar_chart(&labels, &values, &options)
    }
}

impl fmt::Display for TopLogits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |pairs: &[(String, f64)]| {
            let named: Vec<String> = pairs
                .iter()
                .map(|(t, l)| format!("\"{t}\" {l:+.3}"))
                .collect();
            named.join(", ")
        };
        write!(
            f,
            "feature {} promotes {}; suppresses {}",
            self.feature_id,
            list(&self.top),
            list(&self.bottom)
        )
    }
}

shows_itself!(TopLogits, |it| it.bars()?);
