//! Direct logit attribution: what each part of the model adds to a logit or to a difference of two.
//! `logit = sum_c c . d + biases`, `d = centre(w u) / scale`, `u = W_U[:, answer] - W_U[:, against]`.
//! Source: Elhage et al. 2021; TransformerLens' `decompose_resid`, `stack_head_results`, `apply_ln_to_stack`.

use crate::config::{Normalization, PositionalEmbedding};
use crate::error::Result;
use crate::interp::mechanisms::input::{check_index, check_token, elements, one_sequence};
use crate::model::{ActivationCache, BlockPoint, HookName, NamesFilter, Transformer};
use candle_core::{IndexOp, Tensor};

/// A part of the model that writes to the residual stream, or a bias of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LogitComponent {
    /// The token's embedding.
    Embed,
    /// The position's embedding; absent where positions are rotary.
    PosEmbed,
    /// `z W_O` of one head; the bias `b_V` of its values is part of it.
    Head { layer: usize, head: usize },
    /// `hook_mlp_out` of one block, `b_out` included.
    MlpOut { layer: usize },
    /// `b_O` of every block: TransformerLens' `bias`.
    AttnBias,
    /// The bias of the final norm, `ln_final.b`.
    LnFinalBias,
    /// `unembed.b_U`.
    UnembedBias,
}

/// What one component adds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogitContribution {
    /// Which part of the model.
    pub component: LogitComponent,
    /// What it adds to the logit, or to the difference of the logits.
    pub value: f64,
}

/// The parts of a logit, or of a difference of two logits, at one position.
#[derive(Debug, Clone, PartialEq)]
pub struct LogitAttribution {
    /// The position that predicts.
    pub position: usize,
    /// The token whose logit is taken apart.
    pub answer: u32,
    /// The token whose logit is subtracted, if any.
    pub against: Option<u32>,
    /// The logit, or the difference, that the model gives.
    pub logit: f64,
    /// Every part, in the order of computation; they sum to `logit`.
    pub contributions: Vec<LogitContribution>,
}

/// Takes the logit of `answer` at `position` of `tokens` `[1, pos]` apart, or with `against` the
/// difference of the two logits, into what each component adds to it.
///
/// The final norm is linear once its scale is frozen: it subtracts the mean, divides by the scale
/// that the whole stream had in this pass, and multiplies by its weight. Each component goes
/// through this and the unembedding. The parts sum to the logit up to rounding: some 1e-6 of the
/// largest part in f32, more in half precision, whose residual stream is rounded after each block.
///
/// ```
/// use holoscope::{config::TransformerConfig, interp::direct_logit_attribution, model::Transformer};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let parts = direct_logit_attribution(&model, &tokens, 2, 7, Some(4))?;
/// assert!((parts.sum() - parts.logit).abs() < 1e-5);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// Tokens that are not one sequence or that the model cannot read; a position beyond the last; an
/// `answer` or `against` that the model does not have.
pub fn direct_logit_attribution(
    model: &Transformer,
    tokens: &Tensor,
    position: usize,
    answer: u32,
    against: Option<u32>,
) -> Result<LogitAttribution> {
    let cfg = model.cfg();
    check_index("position", position, one_sequence("tokens", tokens)?)?;
    for id in [Some(answer), against].into_iter().flatten() {
        check_token(id, cfg)?;
    }
    let (_, cache) = model.run_with_cache_filtered(tokens, &names(model), None)?;
    let logits = row(&cache.at(HookName::UnembedOut)?, position)?;
    let of_answer = |values: &[f64]| {
        values[answer as usize] - against.map_or(0.0, |other| values[other as usize])
    };
    let read = Reading::new(model, &cache, position, answer, against)?;
    let mut contributions = read.components(model, &cache, position)?;
    let b_u = widened(&model.parameter("unembed.b_U")?)?;
    contributions.push(LogitContribution {
        component: LogitComponent::UnembedBias,
        value: of_answer(&b_u),
    });
    Ok(LogitAttribution {
        position,
        answer,
        against,
        logit: of_answer(&logits),
        contributions,
    })
}

/// The activations that the attribution needs.
fn names(model: &Transformer) -> NamesFilter {
    let wanted = |name: &HookName| match name {
        HookName::Embed | HookName::PosEmbed => true,
        HookName::LnFinalScale | HookName::UnembedOut => true,
        HookName::Block { point, .. } => matches!(point, BlockPoint::Z | BlockPoint::MlpOut),
        _ => false,
    };
    let all = HookName::all(model.cfg());
    NamesFilter::Names(all.into_iter().filter(wanted).collect())
}

/// The activation at one position of the only sequence, `[1, pos, ..]`, flat.
fn row(t: &Tensor, position: usize) -> Result<Vec<f64>> {
    widened(&t.i((0, position))?)
}

fn widened(t: &Tensor) -> Result<Vec<f64>> {
    Ok(elements(t)?.into_iter().map(f64::from).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// The logit as a linear function of the residual stream at one position.
struct Reading {
    /// What a vector of the stream is multiplied by. `[d_model]`
    direction: Vec<f64>,
    /// What the final norm's bias adds, where it has one.
    norm_bias: Option<f64>,
}

impl Reading {
    fn new(
        model: &Transformer,
        cache: &ActivationCache,
        position: usize,
        answer: u32,
        against: Option<u32>,
    ) -> Result<Self> {
        let w_u = model.parameter("unembed.W_U")?; // [d_model, d_vocab]
        let mut u = widened(&w_u.i((.., answer as usize))?)?;
        if let Some(other) = against {
            let other = widened(&w_u.i((.., other as usize))?)?;
            u.iter_mut().zip(other).for_each(|(a, b)| *a -= b);
        }
        let normalization = model.cfg().normalization_type;
        if normalization == Normalization::None {
            return Ok(Self {
                direction: u,
                norm_bias: None,
            });
        }
        let norm_bias = match normalization {
            Normalization::Ln => Some(dot(&widened(&model.parameter("ln_final.b")?)?, &u)),
            _ => None,
        };
        let weight = widened(&model.norm_weight("ln_final")?)?;
        let weighted: Vec<f64> = u.iter().zip(&weight).map(|(u, w)| u * w).collect();
        // Subtracting a vector's mean before the product is subtracting the direction's.
        let mean = weighted.iter().sum::<f64>() / weighted.len() as f64;
        let scale = row(&cache.at(HookName::LnFinalScale)?, position)?[0];
        Ok(Self {
            direction: weighted.iter().map(|x| (x - mean) / scale).collect(),
            norm_bias,
        })
    }

    /// What each component but `b_U` adds, in the order of computation.
    fn components(
        &self,
        model: &Transformer,
        cache: &ActivationCache,
        position: usize,
    ) -> Result<Vec<LogitContribution>> {
        let mut found = Vec::new();
        let mut add = |component, value| found.push(LogitContribution { component, value });
        let at =
            |name| -> Result<f64> { Ok(dot(&row(&cache.at(name)?, position)?, &self.direction)) };
        add(LogitComponent::Embed, at(HookName::Embed)?);
        if model.cfg().positional_embedding_type == PositionalEmbedding::Standard {
            add(LogitComponent::PosEmbed, at(HookName::PosEmbed)?);
        }
        let mut bias = 0.0;
        for layer in 0..model.cfg().n_layers {
            let point = |point| HookName::Block { layer, point };
            let z = row(&cache.at(point(BlockPoint::Z))?, position)?;
            for (head, value) in self.heads(model, layer, &z)?.into_iter().enumerate() {
                add(LogitComponent::Head { layer, head }, value);
            }
            let b_o = model.parameter(&format!("blocks.{layer}.attn.b_O"))?;
            bias += dot(&widened(&b_o)?, &self.direction);
            if !model.cfg().attn_only {
                let value = at(point(BlockPoint::MlpOut))?;
                add(LogitComponent::MlpOut { layer }, value);
            }
        }
        add(LogitComponent::AttnBias, bias);
        if let Some(value) = self.norm_bias {
            add(LogitComponent::LnFinalBias, value);
        }
        Ok(found)
    }

    /// What each head of a block adds, given their `z` side by side, `[n_heads * d_head]`.
    fn heads(&self, model: &Transformer, layer: usize, z: &[f64]) -> Result<Vec<f64>> {
        let (d_head, d_model) = (model.cfg().d_head(), model.cfg().d_model);
        // [n_heads, d_head, d_model]: a row of d_model for each element of z
        let w_o = widened(&model.parameter(&format!("blocks.{layer}.attn.W_O"))?)?;
        let by_element: Vec<f64> = w_o
            .chunks(d_model)
            .zip(z)
            .map(|(row, z)| z * dot(row, &self.direction))
            .collect();
        Ok(by_element
            .chunks(d_head)
            .map(|head| head.iter().sum())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TransformerConfig;
    use crate::interp::mechanisms::testing::{random_model, sequence, small_config, values};
    use crate::model::{Hook, zero_ablate};
    use crate::show::Show;

    const IDS: [u32; 6] = [3, 1, 4, 1, 5, 9];

    fn variants() -> Vec<TransformerConfig> {
        let plain = small_config();
        let with = |normalization_type, attn_only, tied_unembed, n_layers| TransformerConfig {
            normalization_type,
            attn_only,
            tied_unembed,
            n_layers,
            ..plain.clone()
        };
        vec![
            plain.clone(),
            with(Normalization::LnPre, false, true, 2),
            with(Normalization::None, false, false, 2),
            with(Normalization::Ln, true, true, 3),
            with(Normalization::Ln, false, false, 0),
        ]
    }

    #[test]
    fn the_components_sum_to_the_logit() {
        for cfg in variants() {
            let model = random_model(&cfg);
            let logits = values(&model.forward(&sequence(&IDS)).unwrap());
            for position in 0..IDS.len() {
                let of = |id: usize| logits[position * cfg.d_vocab + id];
                for (against, wanted) in [(None, of(7)), (Some(4), of(7) - of(4))] {
                    let tokens = sequence(&IDS);
                    let found =
                        direct_logit_attribution(&model, &tokens, position, 7, against).unwrap();
                    assert!((found.logit - wanted).abs() < 1e-5, "{cfg:?}");
                    let sum = found.sum();
                    assert!((sum - wanted).abs() < 1e-4, "{sum} {wanted} {cfg:?}");
                }
            }
        }
    }

    /// What `logit(7) - logit(4)` at position 4 loses when the hook removes a part and the final
    /// norm divides by the scale that it had before.
    fn lost_without(model: &Transformer, hook: Hook) -> f64 {
        let tokens = sequence(&IDS);
        let name = "ln_final.hook_scale";
        let keep = NamesFilter::only(name).unwrap();
        let (logits, cache) = model.run_with_cache_filtered(&tokens, &keep, None).unwrap();
        let scale = cache.get(name).unwrap();
        let frozen = Hook::new(name, move |_| Ok(Some(scale.clone())));
        let without = model.run_with_hooks(&tokens, &[hook, frozen]).unwrap();
        let of = |logits: &Tensor| {
            let logits = values(&logits.i((0, 4)).unwrap());
            logits[7] - logits[4]
        };
        of(&logits.unwrap()) - of(&without)
    }

    fn value_of(model: &Transformer, component: LogitComponent) -> f64 {
        let found = direct_logit_attribution(model, &sequence(&IDS), 4, 7, Some(4)).unwrap();
        let of = |c: &&LogitContribution| c.component == component;
        found.contributions.iter().find(of).unwrap().value
    }

    #[test]
    fn a_part_of_the_last_block_adds_what_is_lost_without_it() {
        // Nothing but the final norm reads these parts, so their direct effect is their whole one.
        for cfg in variants().into_iter().filter(|cfg| cfg.n_layers > 0) {
            if cfg.normalization_type == Normalization::None {
                continue; // It has no scale to freeze.
            }
            let (model, layer) = (random_model(&cfg), cfg.n_layers - 1);
            if cfg.attn_only {
                let head_1 = Hook::new(&format!("blocks.{layer}.attn.hook_z"), |z| {
                    let zeros = z.narrow(2, 1, 1)?.zeros_like()?;
                    Ok(Some(Tensor::cat(&[&z.narrow(2, 0, 1)?, &zeros], 2)?))
                });
                let lost = lost_without(&model, head_1);
                let found = value_of(&model, LogitComponent::Head { layer, head: 1 });
                assert!((found - lost).abs() < 1e-4, "{found} {lost}");
            } else {
                let lost =
                    lost_without(&model, zero_ablate(&format!("blocks.{layer}.hook_mlp_out")));
                let found = value_of(&model, LogitComponent::MlpOut { layer });
                assert!((found - lost).abs() < 1e-4, "{found} {lost}");
            }
        }
    }

    #[test]
    fn components_have_the_labels_of_transformer_lens_and_show_themselves() {
        let model = random_model(&small_config());
        let found = direct_logit_attribution(&model, &sequence(&IDS), 5, 7, None).unwrap();
        let frame = found.frame().unwrap();
        let labels = frame.column("component").unwrap().str().unwrap().clone();
        let labels: Vec<&str> = labels.iter().flatten().collect();
        let wanted = "embed pos_embed L0H0 L0H1 0_mlp_out L1H0 L1H1 1_mlp_out L2H0 L2H1 2_mlp_out \
                      bias ln_final.b unembed.b_U";
        assert_eq!(labels, wanted.split_whitespace().collect::<Vec<_>>());
        let bundle = found.mime_bundle().unwrap();
        assert!(
            bundle
                .get("text/plain")
                .unwrap()
                .starts_with("logit of 7 at position 5:")
        );
        assert!(found.head_heatmap().is_ok());
    }

    #[test]
    fn wrong_input_is_refused() {
        let model = random_model(&small_config());
        let message = |tokens: &Tensor, position, answer, against| {
            let found = direct_logit_attribution(&model, tokens, position, answer, against);
            found.unwrap_err().to_string()
        };
        let tokens = sequence(&IDS);
        assert!(message(&tokens, 6, 1, None).contains("position = 6: must be below 6"));
        assert!(message(&tokens, 0, 11, None).contains("token id = 11"));
        assert!(message(&tokens, 0, 1, Some(11)).contains("token id = 11"));
        assert!(message(&sequence(&[11]), 0, 1, None).contains("token id = 11"));
        let two = tokens.reshape((2, 3)).unwrap();
        assert!(message(&two, 0, 1, None).contains("[1, pos]"));
    }
}
