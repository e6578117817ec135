//! What the model loses without one feature, the error of the reconstruction kept.
//! `x' = x - act_f W_dec[f]` at every position; `change = loss(x') - loss(x)` of the token behind the
//! example's token, and the change of the logits there, centred over the vocabulary.
//! Source: the ablation effects of sae_vis; the error is kept as in Marks et al. 2024.

use super::examples::ActivationExample;
use super::token_value::{TokenValue, extremes};
use crate::data::Tokenizer;
use crate::error::Result;
use crate::model::{Hook, HookName, Transformer};
use crate::sae::SparseAutoencoder;
use candle_core::{DType, IndexOp, Tensor};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// What removing a feature does on its top examples.
#[derive(Debug, Clone, PartialEq)]
pub struct AblationEffect {
    /// Examples that the logits are averaged over.
    pub n_examples: usize,
    /// Of these, the examples with a token behind them, which have a loss.
    pub n_losses: usize,
    /// Mean rise of the loss of the token behind the example's, nats; NaN without any.
    pub loss_change: f64,
    /// Standard error of that mean; NaN for fewer than two.
    pub loss_change_se: f64,
    /// Tokens whose logit falls most without the feature, with the mean change, the largest fall
    /// first.
    pub lowered: Vec<TokenValue>,
    /// Tokens whose logit rises most without the feature, with the mean change, the largest rise
    /// first.
    pub raised: Vec<TokenValue>,
}

impl fmt::Display for AblationEffect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "without it the loss of the next token changes by {:+.4} nats (standard error {:.4}, {} \
             examples)",
            self.loss_change, self.loss_change_se, self.n_losses
        )
    }
}

/// The model and the dictionary that features are removed from.
pub(super) struct Removal<'a> {
    pub model: &'a Transformer,
    pub sae: &'a dyn SparseAutoencoder,
    pub hook_name: &'a str,
    pub tokenizer: &'a Tokenizer,
    /// The sequences read, `[batch, pos]`.
    pub tokens: &'a Tensor,
    /// Tokens listed of either kind.
    pub n_logits: usize,
}

impl Removal<'_> {
    /// The effect of removing `feature`, averaged over `examples`; `None` without any.
    ///
    /// # Errors
    /// Those of a pass of the model.
    pub(super) fn effect(
        &self,
        feature: usize,
        examples: &[ActivationExample],
    ) -> Result<Option<AblationEffect>> {
        let places = examples.iter().filter_map(|e| Some((e.sequence?, e.pos?)));
        let places: Vec<(usize, usize)> = places.collect();
        let Some(last) = places.iter().map(|place| place.1).max() else {
            return Ok(None);
        };
        let rows: Vec<u32> = places.iter().map(|place| place.0 as u32).collect();
        let rows = Tensor::from_vec(rows, places.len(), self.tokens.device())?;
        let tokens = self.tokens.index_select(&rows, 0)?; // [n, pos]
        // Attention is causal: what follows the last of the tokens changes nothing.
        let read = tokens.narrow(1, 0, last + 1)?.contiguous()?;
        let [before, after] = self.logits(feature, &read, &places)?;
        let targets = tokens.to_dtype(DType::U32)?.to_vec2::<u32>()?;
        let (mut losses, mut change) = (Vec::new(), vec![0.0f64; before[0].len()]);
        for (i, &(_, pos)) in places.iter().enumerate() {
            if let Some(&target) = targets[i].get(pos + 1) {
                losses.push(loss(&after[i], target) - loss(&before[i], target));
            }
            for ((sum, before), after) in change.iter_mut().zip(&before[i]).zip(&after[i]) {
                *sum += f64::from(after - before) / places.len() as f64;
            }
        }
        let centre = change.iter().sum::<f64>() / change.len() as f64;
        let change: Vec<f32> = change.iter().map(|c| (c - centre) as f32).collect();
        let (raised, lowered) = extremes(self.tokenizer, &change, self.n_logits);
        let (loss_change, loss_change_se) = mean_and_error(&losses);
        Ok(Some(AblationEffect {
            n_examples: places.len(),
            n_losses: losses.len(),
            loss_change,
            loss_change_se,
            lowered,
            raised,
        }))
    }

    /// The logits at each place, `[n][d_vocab]`, with the feature and without it.
    fn logits(
        &self,
        feature: usize,
        tokens: &Tensor,
        places: &[(usize, usize)],
    ) -> Result<[Vec<Vec<f32>>; 2]> {
        let layer = match HookName::of_model(self.hook_name, self.model.cfg())? {
            HookName::Block { layer, .. } => Some(layer),
            _ => None,
        };
        let stream = layer.map(|layer| self.model.residual_before(tokens, layer));
        let stream = stream.transpose()?;
        let run = |hooks: &[Hook]| -> Result<Vec<Vec<f32>>> {
            let logits = match (&stream, layer) {
                (Some(x), Some(layer)) => {
                    let x = self.model.residual_from(x, layer, hooks)?; // [n, pos, d_model]
                    self.model.logits_of_residual(&at_places(&x, places)?)?
                }
                _ => at_places(&self.model.run_with_hooks(tokens, hooks)?, places)?,
            };
            Ok(logits.squeeze(1)?.to_dtype(DType::F32)?.to_vec2()?)
        };
        // The activation itself is seen on the way.
        let seen = Rc::new(RefCell::new(None));
        let watch = Hook::new(self.hook_name, {
            let seen = seen.clone();
            move |x| {
                *seen.borrow_mut() = Some(x.clone());
                Ok(None)
            }
        });
        let with = run(&[watch])?;
        let seen: Option<Tensor> = seen.take();
        let without = match seen {
            Some(x) => run(&[self.removing(feature, &x)?])?,
            None => with.clone(),
        };
        Ok([with, without])
    }

    /// A hook that takes away what the feature writes to the activation `x`, `[n, pos, ..]`, as it is
    /// where no hook has changed it.
    fn removing(&self, feature: usize, x: &Tensor) -> Result<Hook> {
        let x = x.reshape(((), self.sae.d_in()))?.to_dtype(DType::F32)?; // [n * pos, d_in]
        let acts = self
            .sae
            .encode_features(&x, &[feature])?
            .to_dtype(DType::F32)?; // [n * pos, 1]
        let row = self
            .sae
            .w_dec()
            .i(feature)?
            .unsqueeze(0)?
            .to_dtype(DType::F32)?; // [1, d_in]
        let written = acts.matmul(&row)?; // [n * pos, d_in]
        Ok(Hook::new(self.hook_name, move |x| {
            let wide = x.to_dtype(DType::F32)?;
            let without = (&wide - written.reshape(wide.shape())?)?;
            Ok(Some(without.to_dtype(x.dtype())?))
        }))
    }
}

/// Of `x` `[n, pos, width]` each row's own position: `[n, 1, width]`.
fn at_places(x: &Tensor, places: &[(usize, usize)]) -> Result<Tensor> {
    let rows = places.iter().enumerate();
    let rows: Result<Vec<Tensor>> = rows
        .map(|(i, &(_, pos))| Ok(x.narrow(0, i, 1)?.narrow(1, pos, 1)?))
        .collect();
    Ok(Tensor::cat(&rows?, 0)?.contiguous()?)
}

/// Cross-entropy in nats of one prediction.
fn loss(logits: &[f32], target: u32) -> f64 {
    let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let z: f64 = logits.iter().map(|&l| (f64::from(l) - most).exp()).sum();
    most + z.ln() - f64::from(logits[target as usize])
}

/// The mean and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1.0);
    let error = match values.len() {
        0 | 1 => f64::NAN,
        _ => (variance / n).sqrt(),
    };
    (mean, error)
}
