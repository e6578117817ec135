//! One pass over the prompt, and the constants of the linear model that it leaves.
//! `x_{l+1} = x_l + A_l x_l + (features + error)_l`, `A_l` with the pattern of this pass.
//! Source: circuit-tracer's `ReplacementModel.setup_attribution`; f64 throughout, on the CPU.

use super::by_block::{by_block, later_decoders};
use super::linear_norm::LinearNorm;
use super::site::{MlpInput, transcoder_sites};
use crate::config::{Normalization, PositionalEmbedding};
use crate::error::{Error, Result};
use crate::interp::measurements::MlpReplacement;
use crate::model::{ActivationCache, BlockPoint, HookName, NamesFilter, Transformer};
use crate::sae::Transcoder;
use candle_core::{DType, Device, IndexOp, Tensor};
use std::collections::BTreeMap;

/// The frozen model of one prompt.
#[derive(Debug, Clone)]
pub(in super::super) struct FrozenModel {
    pub(in super::super) model: Transformer,
    /// `[1, pos]`, as they were given.
    pub(in super::super) tokens: Tensor,
    /// `[pos]`.
    pub(in super::super) ids: Vec<u32>,
    /// What the pass kept, in the model's type.
    pub(in super::super) cache: ActivationCache,
    /// Token embeddings, `[pos, d_model]`.
    pub(in super::super) embed: Tensor,
    /// Position embeddings, `[pos, d_model]`; zeros where positions are rotary.
    pub(in super::super) pos_embed: Tensor,
    pub(in super::super) layers: Vec<FrozenLayer>,
    pub(in super::super) final_norm: Option<LinearNorm>,
    /// Logits at the last position, `[d_vocab]`.
    pub(in super::super) logits: Vec<f64>,
}

/// One block.
#[derive(Debug, Clone)]
pub(in super::super) struct FrozenLayer {
    pub(in super::super) ln1: Option<LinearNorm>,
    /// `[n_heads, query, key]`.
    pub(in super::super) pattern: Tensor,
    /// Transposed: `[n_heads d_head, d_model]`.
    pub(in super::super) w_v_t: Tensor,
    /// `[n_heads, d_head]`.
    pub(in super::super) b_v: Tensor,
    /// Transposed: `[d_model, n_heads d_head]`.
    pub(in super::super) w_o_t: Tensor,
    /// `[d_model]`.
    pub(in super::super) b_o: Tensor,
    /// `None` in attention-only models.
    pub(in super::super) mlp: Option<FrozenMlp>,
}

/// The MLP of one block.
#[derive(Debug, Clone)]
pub(in super::super) struct FrozenMlp {
    pub(in super::super) ln2: Option<LinearNorm>,
    /// What the MLP gave, `[pos, d_model]`.
    pub(in super::super) out: Tensor,
    pub(in super::super) transcoder: Option<FrozenTranscoder>,
}

/// A transcoder in the place of an MLP, or the layer of a cross-layer transcoder that reads there.
#[derive(Debug, Clone)]
pub(in super::super) struct FrozenTranscoder {
    pub(in super::super) transcoder: Transcoder,
    /// What its features write to the MLP outputs of later blocks, `[d_sae, d_model]` by block.
    pub(in super::super) later: BTreeMap<usize, Tensor>,
    pub(in super::super) input: MlpInput,
    /// What it reads, `[pos, d_model]`, f32.
    pub(in super::super) x: Tensor,
    /// Before the activation function, `[pos][d_sae]`.
    pub(in super::super) pre: Vec<Vec<f32>>,
    /// `[pos][d_sae]`.
    pub(in super::super) acts: Vec<Vec<f32>>,
    /// `[d_model]`.
    pub(in super::super) b_dec: Tensor,
    /// Transposed: `[d_model (out), d_model (in)]`.
    pub(in super::super) w_skip_t: Option<Tensor>,
}

impl FrozenTranscoder {
    /// What the features of this one, of block `own`, write to the MLP output of block `layer`, `[d_sae, d_model]`.
    pub(in super::super) fn decoder_to(&self, own: usize, layer: usize) -> Option<&Tensor> {
        match own == layer {
            true => Some(&self.transcoder.w_dec),
            false => self.later.get(&layer),
        }
    }
}

impl FrozenModel {
    /// Runs `model` on `tokens` `[1, pos]` and keeps what the linear model needs.
    ///
    /// # Errors
    /// Tokens that are not one sequence or that the model cannot read; those of
    /// [`transcoder_sites`]; blocks of attention and MLP in parallel; [`Error::NotFiniteAt`] where the
    /// pass or a transcoder meets a value that is not finite.
    pub(in super::super) fn new(
        model: &Transformer,
        replacement: &MlpReplacement,
        tokens: &Tensor,
    ) -> Result<FrozenModel> {
        if tokens.rank() != 2 || tokens.dims()[0] != 1 || tokens.elem_count() == 0 {
            let what = "tokens (the prompt)";
            return Err(Error::shape(what, "[1, at least 1]", tokens.dims()));
        }
        let cfg = model.cfg();
        // Covectors pass the MLP before they pass the attention of their block. Without MLPs the
        // field changes nothing.
        if cfg.parallel_attn_mlp && !cfg.attn_only {
            let reason = "attribution graphs need blocks whose MLP reads what attention wrote";
            return Err(Error::argument("parallel_attn_mlp", true, reason));
        }
        let transcoders = by_block(replacement)?;
        let sites = transcoder_sites(&transcoders, cfg)?;
        let blocks: Vec<Option<usize>> = (0..transcoders.len())
            .map(|index| {
                sites
                    .iter()
                    .position(|site| site.is_some_and(|(i, _)| i == index))
            })
            .collect();
        let (_, cache) = model.run_with_cache_filtered(tokens, &names(model), None)?;
        check_cache(&cache)?;
        let parts = Parts {
            model,
            cache: &cache,
        };
        let mut layers = Vec::with_capacity(cfg.n_layers);
        for (layer, site) in sites.into_iter().enumerate() {
            let index = site.map(|(index, _)| index);
            let site = site.map(|(index, input)| (&transcoders[index], input));
            let mut frozen = parts.layer(layer, site)?;
            if let (Some(index), MlpReplacement::CrossLayer(of_all)) = (index, replacement)
                && let Some(transcoder) =
                    frozen.mlp.as_mut().and_then(|mlp| mlp.transcoder.as_mut())
            {
                transcoder.later = later_decoders(of_all, index, &blocks)?;
                for (block, decoder) in &transcoder.later {
                    let values: Vec<f64> = wide(decoder)?.flatten_all()?.to_vec1()?;
                    check_finite(&values, || format!("the transcoder of block {block}"))?;
                }
            }
            layers.push(frozen);
        }
        let embed = parts.row(HookName::Embed)?;
        let pos_embed = match cfg.positional_embedding_type {
            PositionalEmbedding::Standard => parts.row(HookName::PosEmbed)?,
            // They turn queries and keys, and add nothing to the residual stream.
            PositionalEmbedding::Rotary => embed.zeros_like()?,
        };
        let logits = cache.at(HookName::UnembedOut)?;
        let last = logits.dim(1)? - 1;
        Ok(FrozenModel {
            tokens: tokens.clone(),
            ids: tokens
                .flatten_all()?
                .to_device(&Device::Cpu)?
                .to_dtype(DType::U32)?
                .to_vec1()?,
            embed,
            pos_embed,
            layers,
            final_norm: parts.norm("ln_final", HookName::LnFinalScale)?,
            logits: wide(&logits.i((0, last))?)?.to_vec1()?,
            model: model.without_gradients(),
            cache,
        })
    }

    /// Length of the prompt.
    pub(in super::super) fn n_pos(&self) -> usize {
        self.ids.len()
    }

    /// Blocks that have an MLP, in order: those with error nodes.
    pub(in super::super) fn mlp_layers(&self) -> Vec<usize> {
        let layers = self.layers.iter().enumerate();
        let with_mlp = layers.filter(|(_, layer)| layer.mlp.is_some());
        with_mlp.map(|(layer, _)| layer).collect()
    }

    /// Whether features write to the outputs of several MLPs.
    pub(in super::super) fn is_cross_layer(&self) -> bool {
        let blocks = 0..self.layers.len();
        let mut transcoders = blocks.filter_map(|layer| self.transcoder(layer));
        transcoders.any(|transcoder| !transcoder.later.is_empty())
    }

    /// The transcoder of a block, where it has one.
    pub(in super::super) fn transcoder(&self, layer: usize) -> Option<&FrozenTranscoder> {
        self.layers[layer].mlp.as_ref()?.transcoder.as_ref()
    }
}

/// A tensor in f64 on the CPU, contiguous.
pub(super) fn wide(t: &Tensor) -> Result<Tensor> {
    let t = t.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(t.contiguous()?)
}

/// The activations that the linear model and the interventions need.
fn names(model: &Transformer) -> NamesFilter {
    use BlockPoint::{Ln1Scale, Ln2Normalized, Ln2Scale, MlpOut, Pattern, ResidMid, Z};
    let wanted = |name: &HookName| match name {
        HookName::Embed | HookName::PosEmbed => true,
        HookName::LnFinalScale | HookName::UnembedOut => true,
        HookName::Block { point, .. } => matches!(
            point,
            Ln1Scale | Pattern | Z | ResidMid | Ln2Scale | Ln2Normalized | MlpOut
        ),
        _ => false,
    };
    let all = HookName::all(model.cfg());
    NamesFilter::Names(all.into_iter().filter(wanted).collect())
}

/// An error that names the first activation that is not finite: a parameter that is not reaches one.
fn check_cache(cache: &ActivationCache) -> Result<()> {
    for name in cache.names() {
        let values: Vec<f64> = wide(&cache.get(&name)?)?.flatten_all()?.to_vec1()?;
        check_finite(&values, || name.clone())?;
    }
    Ok(())
}

fn check_finite(values: &[f64], place: impl Fn() -> String) -> Result<()> {
    match values.iter().position(|x| !x.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::NotFiniteAt {
            what: format!("element {at} of the frozen pass"),
            value: values[at],
            place: place(),
        }),
    }
}

/// Where the constants come from.
struct Parts<'a> {
    model: &'a Transformer,
    cache: &'a ActivationCache,
}

impl Parts<'_> {
    /// The activation of the only sequence, without the batch axis.
    fn row(&self, name: HookName) -> Result<Tensor> {
        wide(&self.cache.at(name)?.i(0)?)
    }

    fn parameter(&self, name: &str) -> Result<Tensor> {
        wide(&self.model.parameter(name)?)
    }

    fn norm(&self, prefix: &str, scale: HookName) -> Result<Option<LinearNorm>> {
        let bias = match self.model.cfg().normalization_type {
            Normalization::None => return Ok(None),
            Normalization::LnPre => None,
            Normalization::Ln => Some(self.parameter(&format!("{prefix}.b"))?),
        };
        Ok(Some(LinearNorm {
            scale: self.row(scale)?,
            weight: wide(&self.model.norm_weight(prefix)?)?,
            bias,
        }))
    }

    fn layer(&self, layer: usize, site: Option<(&Transcoder, MlpInput)>) -> Result<FrozenLayer> {
        let cfg = self.model.cfg();
        let at = |point| HookName::Block { layer, point };
        let param = |name: &str| self.parameter(&format!("blocks.{layer}.attn.{name}"));
        let width = cfg.n_heads * cfg.d_head();
        let w_v = param("W_V")?; // [n_heads, d_model, d_head]
        let w_v_t = w_v.transpose(1, 2)?.reshape((width, cfg.d_model))?;
        let w_o = param("W_O")?.reshape((width, cfg.d_model))?;
        let prefix = format!("blocks.{layer}");
        let mlp = match cfg.attn_only {
            true => None,
            false => Some(self.mlp(layer, site)?),
        };
        Ok(FrozenLayer {
            ln1: self.norm(&format!("{prefix}.ln1"), at(BlockPoint::Ln1Scale))?,
            pattern: self.row(at(BlockPoint::Pattern))?,
            w_v_t: w_v_t.contiguous()?,
            b_v: param("b_V")?,
            w_o_t: w_o.t()?.contiguous()?,
            b_o: param("b_O")?,
            mlp,
        })
    }

    fn mlp(&self, layer: usize, site: Option<(&Transcoder, MlpInput)>) -> Result<FrozenMlp> {
        let at = |point| HookName::Block { layer, point };
        let prefix = format!("blocks.{layer}.ln2");
        let transcoder = match site {
            Some((transcoder, input)) => Some(self.transcoder(layer, transcoder, input)?),
            None => None,
        };
        Ok(FrozenMlp {
            ln2: self.norm(&prefix, at(BlockPoint::Ln2Scale))?,
            out: self.row(at(BlockPoint::MlpOut))?,
            transcoder,
        })
    }

    fn transcoder(
        &self,
        layer: usize,
        transcoder: &Transcoder,
        input: MlpInput,
    ) -> Result<FrozenTranscoder> {
        let x = read_input(self.model, layer, input, |name| self.cache.at(name))?;
        let pre = transcoder.pre_activations(&x.to_device(transcoder.device())?)?;
        let acts = transcoder.activate(&pre)?;
        let (pre, acts) = (pre.to_vec2::<f32>()?, acts.to_vec2::<f32>()?);
        for values in &pre {
            let values: Vec<f64> = values.iter().map(|&x| f64::from(x)).collect();
            check_finite(&values, || format!("the transcoder of block {layer}"))?;
        }
        let decoder = [Some(&transcoder.w_dec), Some(&transcoder.b_dec)];
        for weights in decoder
            .into_iter()
            .chain([transcoder.w_skip.as_ref()])
            .flatten()
        {
            let values: Vec<f64> = wide(weights)?.flatten_all()?.to_vec1()?;
            check_finite(&values, || format!("the transcoder of block {layer}"))?;
        }
        let w_skip_t = transcoder.w_skip.as_ref();
        Ok(FrozenTranscoder {
            b_dec: wide(&transcoder.b_dec)?,
            w_skip_t: w_skip_t.map(|w| wide(&w.t()?.contiguous()?)).transpose()?,
            transcoder: transcoder.clone(),
            later: BTreeMap::new(),
            input,
            x,
            pre,
            acts,
        })
    }
}

/// What a transcoder of block `layer` reads, `[pos, d_model]`, f32, given the activations of a pass
/// over one sequence.
pub(in super::super) fn read_input(
    model: &Transformer,
    layer: usize,
    input: MlpInput,
    activation: impl Fn(HookName) -> Result<Tensor>,
) -> Result<Tensor> {
    let point = match input {
        MlpInput::ResidMid => BlockPoint::ResidMid,
        MlpInput::Normalized | MlpInput::MlpIn => BlockPoint::Ln2Normalized,
    };
    let x = activation(HookName::Block { layer, point })?.i(0)?;
    let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    if input != MlpInput::MlpIn {
        return Ok(x.contiguous()?);
    }
    let plain = |t: Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F32);
    let prefix = format!("blocks.{layer}.ln2");
    let x = x.broadcast_mul(&plain(model.norm_weight(&prefix)?)?)?;
    match model.cfg().normalization_type {
        Normalization::Ln => {
            let bias = plain(model.parameter(&format!("{prefix}.b"))?)?;
            Ok(x.broadcast_add(&bias)?)
        }
        Normalization::LnPre | Normalization::None => Ok(x),
    }
}
