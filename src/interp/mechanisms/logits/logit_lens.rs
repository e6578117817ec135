//! The logit lens: what the model would predict if it stopped after each block.
//! `logits_l = LN_final(x_l) W_U + b_U`, `x_l` the residual stream after `l` blocks.
//! Source: nostalgebraist 2020, "interpreting GPT: the logit lens"; TransformerLens' `accumulated_resid`.

use crate::config::PositionalEmbedding;
use crate::error::{Error, Result};
use crate::interp::mechanisms::input::elements;
use crate::interp::order::largest_first;
use crate::interp::token_frame::token_rows;
use crate::model::{BlockPoint, HookName, NamesFilter, Transformer};
use crate::show::Interrupts;
use candle_core::Tensor;
use std::cmp::Ordering;

/// Logits that are in memory at once: bounds the memory of `[tokens, d_vocab]`.
const LOGITS_PER_PASS: usize = 1 << 22;

/// What one residual stream predicts at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct LensPrediction {
    /// Ids of the tokens of highest logit, the highest first (NaN before all). `[k]`
    pub top: Vec<u32>,
    /// Their log-probabilities, in nats. `[k]`
    pub top_log_probs: Vec<f64>,
    /// Log-probability in nats of the token that follows; `None` at the last position.
    pub next_log_prob: Option<f64>,
    /// `KL(final || this)` in nats: the sum over the vocabulary of `p (ln p - ln q)`, `p` the
    /// model's own prediction and `q` this one. 0 after the last block.
    pub kl: f64,
}

/// The predictions of every residual stream of a pass.
#[derive(Debug, Clone, PartialEq)]
pub struct LogitLens {
    /// The tokens read, `[batch][pos]`.
    pub tokens: Vec<Vec<u32>>,
    /// The streams: `blocks.0.hook_resid_pre`, then each block's `hook_resid_post`. `[n_layers + 1]`
    pub hook_names: Vec<String>,
    /// The predictions, `[n_layers + 1][batch][pos]`.
    pub predictions: Vec<Vec<Vec<LensPrediction>>>,
}

/// Reads the residual stream before the first block and after each block through the final norm and
/// the unembedding, at each position of `tokens` `[batch, pos]`; keeps the `k` best tokens of each.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::logit_lens, model::Transformer};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let lens = logit_lens(&model, &tokens, 5)?;
/// assert_eq!(lens.hook_names, ["blocks.0.hook_resid_pre", "blocks.0.hook_resid_post"]);
/// assert_eq!(lens.predictions[1][0][2].kl, 0.0);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Tokens that the model cannot read; a `k` of 0 or above `d_vocab`; [`Error::Interrupted`].
pub fn logit_lens(model: &Transformer, tokens: &Tensor, k: usize) -> Result<LogitLens> {
    let (d_vocab, d_model) = (model.cfg().d_vocab, model.cfg().d_model);
    if k == 0 || k > d_vocab {
        let rule = format!("must be at least 1 and at most d_vocab = {d_vocab}");
        return Err(Error::argument("k", k, rule));
    }
    let model = model.without_gradients();
    let streams = residual_streams(&model, tokens)?;
    let ids = token_rows(tokens)?;
    let n_pos = ids[0].len();
    let mut flat: Vec<Vec<LensPrediction>> = vec![Vec::new(); streams.len()];
    let n = tokens.elem_count();
    let per_pass = (LOGITS_PER_PASS / d_vocab).max(1);
    let interrupts = Interrupts::listen();
    for first in (0..n).step_by(per_pass) {
        let n_rows = per_pass.min(n - first);
        let logits = |stream: &Tensor| -> Result<Vec<f32>> {
            let x = stream.reshape((1, n, d_model))?.narrow(1, first, n_rows)?;
            elements(&model.logits_of_residual(&x.contiguous()?)?) // [n_rows * d_vocab]
        };
        let last = streams.len() - 1;
        let final_logits = logits(&streams[last].1)?;
        let finals: Vec<Final> = final_logits.chunks(d_vocab).map(Final::new).collect();
        for (layer, (_, stream)) in streams.iter().enumerate() {
            interrupts.check("the logit lens")?;
            let own = match layer == last {
                true => None,
                false => Some(logits(stream)?),
            };
            let rows = own.as_ref().unwrap_or(&final_logits).chunks(d_vocab);
            for ((row, of_final), i) in rows.zip(&finals).zip(first..) {
                let next = ids[i / n_pos].get(i % n_pos + 1).copied();
                flat[layer].push(LensPrediction::new(row, of_final, next, k));
            }
        }
    }
    Ok(LogitLens {
        hook_names: streams.into_iter().map(|(name, _)| name).collect(),
        predictions: flat
            .into_iter()
            .map(|layer| layer.chunks(n_pos).map(<[_]>::to_vec).collect())
            .collect(),
        tokens: ids,
    })
}

/// The stream before the first block and after each, `[batch, pos, d_model]`, with its name. A
/// model without blocks has one stream, the sum of its embeddings.
fn residual_streams(model: &Transformer, tokens: &Tensor) -> Result<Vec<(String, Tensor)>> {
    let n_layers = model.cfg().n_layers;
    if n_layers == 0 {
        let x = model.residual_before(tokens, 0)?;
        let name = match model.cfg().positional_embedding_type {
            PositionalEmbedding::Standard => "hook_embed + hook_pos_embed",
            PositionalEmbedding::Rotary => "hook_embed",
        };
        return Ok(vec![(name.to_owned(), x)]);
    }
    let mut names = vec![HookName::Block {
        layer: 0,
        point: BlockPoint::ResidPre,
    }];
    names.extend((0..n_layers).map(|layer| HookName::Block {
        layer,
        point: BlockPoint::ResidPost,
    }));
    let keep = NamesFilter::Names(names.clone());
    let (_, cache) = model.run_with_cache_filtered(tokens, &keep, Some(n_layers))?;
    names
        .into_iter()
        .map(|name| Ok((name.to_string(), cache.at(name)?)))
        .collect()
}

/// The model's own prediction at a position.
struct Final<'a> {
    logits: &'a [f32],
    log_z: f64,
    /// `[d_vocab]`
    probs: Vec<f64>,
}

impl<'a> Final<'a> {
    fn new(logits: &'a [f32]) -> Self {
        let log_z = log_sum_exp(logits);
        let probs = logits
            .iter()
            .map(|z| (f64::from(*z) - log_z).exp())
            .collect();
        Self {
            logits,
            log_z,
            probs,
        }
    }
}

impl LensPrediction {
    fn new(logits: &[f32], of_final: &Final, next: Option<u32>, k: usize) -> Self {
        let log_z = log_sum_exp(logits);
        let log_prob = |id: u32| f64::from(logits[id as usize]) - log_z;
        let top = top_k(logits, k);
        // sum p (ln p - ln q), the normalisers apart: p sums to one.
        let pairs = of_final
            .probs
            .iter()
            .zip(of_final.logits.iter().zip(logits));
        let sum: f64 = pairs.map(|(&p, (&a, &b))| p * f64::from(a - b)).sum();
        let kl = sum - of_final.log_z + log_z;
        Self {
            top_log_probs: top.iter().map(|&id| log_prob(id)).collect(),
            top,
            next_log_prob: next.map(log_prob),
            // Rounding gives -1e-9 for equal distributions; NaN stays NaN.
            kl: if kl < 0.0 { 0.0 } else { kl },
        }
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let most = logits.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
    let sum: f64 = logits.iter().map(|z| f64::from((z - most).exp())).sum();
    f64::from(most) + sum.ln()
}

/// The indices of the `k` largest values, the largest first, NaN before all; of equal values the
/// first.
fn top_k(values: &[f32], k: usize) -> Vec<u32> {
    let mut top: Vec<u32> = Vec::with_capacity(k + 1);
    let at = |id: u32| values[id as usize];
    for (id, &value) in values.iter().enumerate() {
        if top.len() == k && top.last().is_some_and(|&last| value <= at(last)) {
            continue;
        }
        let place = top.partition_point(|&other| {
            let order = largest_first(f64::from(at(other)), f64::from(value));
            order != Ordering::Greater
        });
        top.insert(place, id as u32);
        top.truncate(k);
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Normalization, TransformerConfig};
    use crate::interp::mechanisms::testing::{
        parameter, random_model, sequence, small_config, values,
    };
    use crate::show::Show;

    /// `ln p` of every token, by the definition in f64, of one stream vector.
    fn log_probs(model: &Transformer, x: &[f64]) -> Vec<f64> {
        let (d, v) = (model.cfg().d_model, model.cfg().d_vocab);
        let mut y = x.to_vec();
        if model.cfg().normalization_type != Normalization::None {
            let mean = x.iter().sum::<f64>() / d as f64;
            let var = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / d as f64;
            y = x.iter().map(|x| (x - mean) / (var + 1e-5).sqrt()).collect();
        }
        if model.cfg().normalization_type == Normalization::Ln {
            let (w, b) = (
                parameter(model, "ln_final.w"),
                parameter(model, "ln_final.b"),
            );
            y = (0..d).map(|i| y[i] * w[i] + b[i]).collect();
        }
        let (w_u, b_u) = (
            parameter(model, "unembed.W_U"),
            parameter(model, "unembed.b_U"),
        );
        let logits: Vec<f64> = (0..v)
            .map(|t| b_u[t] + (0..d).map(|i| y[i] * w_u[i * v + t]).sum::<f64>())
            .collect();
        let log_z = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
        logits.iter().map(|z| z - log_z).collect()
    }

    /// Every figure of the lens against the definition.
    fn check(cfg: &TransformerConfig) {
        let model = random_model(cfg);
        let ids = [3u32, 1, 4, 1, 5, 9];
        let tokens = sequence(&ids);
        let lens = logit_lens(&model, &tokens, 3).unwrap();
        let x_of = |layer: usize| values(&model.residual_before(&tokens, layer).unwrap());
        let d = cfg.d_model;
        for p in 0..ids.len() {
            let last = log_probs(&model, &x_of(cfg.n_layers)[p * d..(p + 1) * d]);
            for layer in 0..=cfg.n_layers {
                let own = log_probs(&model, &x_of(layer)[p * d..(p + 1) * d]);
                let found = &lens.predictions[layer][0][p];
                let kl: f64 = last.iter().zip(&own).map(|(a, b)| a.exp() * (a - b)).sum();
                assert!(
                    (found.kl - kl).abs() < 1e-4,
                    "{layer} {p}: {} {kl}",
                    found.kl
                );
                let mut order: Vec<u32> = (0..own.len() as u32).collect();
                order.sort_by(|&a, &b| own[b as usize].total_cmp(&own[a as usize]));
                assert_eq!(found.top, order[..3]);
                assert!((found.top_log_probs[2] - own[order[2] as usize]).abs() < 1e-4);
                let next = ids.get(p + 1).map(|&id| own[id as usize]);
                assert_eq!(found.next_log_prob.is_some(), next.is_some());
                let (a, b) = (found.next_log_prob.unwrap_or(0.0), next.unwrap_or(0.0));
                assert!((a - b).abs() < 1e-4, "{layer} {p}: {a} {b}");
            }
        }
    }

    #[test]
    fn every_figure_is_that_of_the_definition() {
        let plain = small_config();
        check(&plain);
        for normalization_type in [Normalization::LnPre, Normalization::None] {
            check(&TransformerConfig {
                normalization_type,
                attn_only: true,
                ..plain.clone()
            });
        }
        check(&TransformerConfig {
            n_layers: 0,
            tied_unembed: true,
            ..plain
        });
    }

    #[test]
    fn after_the_last_block_it_is_the_models_own_prediction() {
        let model = random_model(&small_config());
        let tokens = Tensor::new(&[[3u32, 1, 4], [1, 5, 9]], model.device()).unwrap();
        let lens = logit_lens(&model, &tokens, 1).unwrap();
        top_tokens_are_named(&lens);
        let losses = values(&model.loss_per_token(&tokens).unwrap());
        for (b, row) in lens.predictions[3].iter().enumerate() {
            for (p, found) in row.iter().enumerate() {
                assert_eq!(found.kl, 0.0);
                if let Some(log_prob) = found.next_log_prob {
                    assert!((log_prob + losses[b * 2 + p]).abs() < 1e-5);
                }
            }
        }
        let frame = lens.frame().unwrap();
        assert_eq!(frame.shape(), (4 * 2 * 3, 9));
        assert_eq!(frame.column("next").unwrap().null_count(), 4 * 2);
        assert!(lens.mime_bundle().unwrap().get("image/svg+xml").is_some());
        assert!(lens.log_prob_heatmap().is_ok());
    }

    #[test]
    fn the_largest_come_in_order_and_nan_before_them() {
        assert_eq!(top_k(&[1.0, 3.0, 2.0, 3.0], 3), [1, 3, 2]);
        assert_eq!(top_k(&[1.0, f32::NAN, 2.0], 2), [1, 2]);
        assert_eq!(top_k(&[0.0, -1.0], 2), [0, 1]);
    }

    #[test]
    fn wrong_input_is_refused() {
        let model = random_model(&small_config());
        let message = |tokens: &Tensor, k| logit_lens(&model, tokens, k).unwrap_err().to_string();
        assert!(message(&sequence(&[1, 2]), 0).contains("k = 0"));
        assert!(message(&sequence(&[1, 2]), 12).contains("d_vocab = 11"));
        assert!(message(&sequence(&[1, 11]), 1).contains("token id = 11"));
        assert!(message(&sequence(&[1; 13]), 1).contains("n_ctx = 12"));
        assert!(message(&sequence(&[1, 2]).squeeze(0).unwrap(), 1).contains("[batch, pos]"));
    }

    fn top_tokens_are_named(lens: &LogitLens) {
        let tokenizer = crate::data::Tokenizer::gpt2().unwrap();
        let found = lens.top_tokens(&tokenizer, 0).unwrap();
        let id = lens.predictions[1][0][2].top[0];
        let name = crate::show::visible_token(&tokenizer.token_str(id));
        assert_eq!(found.top[1][2], name);
        assert_eq!(found.top.len(), lens.hook_names.len());
        let frame = found.frame().unwrap();
        assert_eq!(frame.shape(), (found.top.len(), 1 + found.tokens.len()));
        let shown = crate::show::Show::mime_bundle(&found).unwrap();
        assert!(
            shown
                .get("text/html")
                .unwrap()
                .contains("most likely next token")
        );
        assert!(lens.top_tokens(&tokenizer, lens.tokens.len()).is_err());
    }
}
