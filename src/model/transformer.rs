//! The model as a whole: parameters, one pass, and what can be asked of it.
//!
//! `x_0 = W_E[tokens] (+ W_pos)`, blocks add to `x`, `logits = LN(x) W_U + b_U`.
//! Source: Radford et al. 2019 (pre-LayerNorm GPT-2); TransformerLens' names and `[d_in, d_out]`.

use super::blocks::Rotary;
use super::device::{dtype_of, open_device};
use super::hooks::{ActivationCache, Hook, NamesFilter, Run};
use super::init::{initialise, parameter_shapes};
use crate::config::TransformerConfig;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor, Var};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A decoder-only transformer. Cloning is cheap and shares the parameters.
///
/// ```
/// use holoscope::{config::TransformerConfig, model::Transformer};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg).unwrap();
/// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu).unwrap();
/// assert_eq!(model.forward(&tokens).unwrap().dims(), [1, 3, 11]);
/// // An untrained model is about as good as a uniform guess.
/// let loss = model.loss(&tokens).unwrap().to_scalar::<f32>().unwrap();
/// assert!((loss - 11f32.ln()).abs() < 0.1);
/// ```
#[derive(Clone)]
pub struct Transformer {
    pub(super) cfg: Arc<TransformerConfig>,
    pub(super) device: Device,
    pub(super) params: Arc<BTreeMap<String, Var>>,
    /// The angles of the positions, where those are rotary.
    pub(super) rotary: Option<Rotary>,
    pub(super) tracks_gradients: bool,
}

impl Transformer {
    /// A model with fresh parameters, drawn from `cfg.seed`.
    ///
    /// # Errors
    /// [`Error::Config`] for a field out of its range or a device this build does not have.
    pub fn new(cfg: &TransformerConfig) -> Result<Transformer> {
        cfg.validate()?;
        let device = open_device(cfg.device)?;
        let params = initialise(cfg, dtype_of(cfg.dtype), &device)?;
        Ok(Transformer {
            rotary: Rotary::of(cfg, &device)?,
            cfg: Arc::new(cfg.clone()),
            device,
            params: Arc::new(params),
            tracks_gradients: true,
        })
    }

    /// A model with these parameters, by TransformerLens name.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a missing parameter, [`Error::Shape`] for one of another shape.
    pub fn from_parameters(
        cfg: &TransformerConfig,
        tensors: &BTreeMap<String, Tensor>,
    ) -> Result<Transformer> {
        cfg.validate()?;
        let device = open_device(cfg.device)?;
        let dtype = dtype_of(cfg.dtype);
        let mut params = BTreeMap::new();
        for (name, shape) in parameter_shapes(cfg) {
            let value = tensors.get(&name).ok_or_else(|| Error::NotFound {
                kind: "parameter",
                name: name.clone(),
                known: tensors.keys().cloned().collect(),
            })?;
            if value.dims() != shape {
                return Err(Error::shape(name, shape, value.dims()));
            }
            let value = value.to_dtype(dtype)?.to_device(&device)?.contiguous()?;
            params.insert(name, Var::from_tensor(&value.copy()?)?);
        }
        Ok(Transformer {
            rotary: Rotary::of(cfg, &device)?,
            cfg: Arc::new(cfg.clone()),
            device,
            params: Arc::new(params),
            tracks_gradients: true,
        })
    }

    /// The configuration it was made from.
    pub fn cfg(&self) -> &TransformerConfig {
        &self.cfg
    }

    /// Where its parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Every parameter with its TransformerLens name, sorted by name; a tied `unembed.W_U` is
    /// not among them.
    pub fn named_parameters(&self) -> Vec<(String, Var)> {
        self.params
            .iter()
            .map(|(name, var)| (name.clone(), var.clone()))
            .collect()
    }

    /// Number of parameters, element by element.
    pub fn n_params(&self) -> usize {
        self.params.values().map(|var| var.elem_count()).sum()
    }

    /// One parameter without history, for example `blocks.0.mlp.W_out`; `unembed.W_U` exists
    /// in tied models too.
    ///
    /// # Errors
    /// [`Error::NotFound`] with the names there are.
    pub fn parameter(&self, name: &str) -> Result<Tensor> {
        if name == "unembed.W_U" && self.cfg.tied_unembed {
            return Ok(self.parameter("embed.W_E")?.t()?);
        }
        self.params
            .get(name)
            .map(Var::as_detached_tensor)
            .ok_or_else(|| Error::NotFound {
                kind: "parameter",
                name: name.to_owned(),
                known: self.params.keys().cloned().collect(),
            })
    }

    /// The same model (the parameters are shared) whose passes keep no history: faster, less
    /// memory, no gradients. For evaluation.
    pub fn without_gradients(&self) -> Transformer {
        Transformer {
            tracks_gradients: false,
            ..self.clone()
        }
    }

    /// Logits `[batch, pos, d_vocab]` of `tokens` `[batch, pos]` (u32 or i64).
    ///
    /// # Errors
    /// [`Error::Shape`] or [`Error::Argument`] for tokens of a wrong shape, type, length or id.
    pub fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        self.logits(tokens, &mut Run::unwatched())
    }

    /// Cross-entropy of the next token in nats, averaged over batch and the `pos - 1`
    /// predictions: a scalar with gradients, f32.
    ///
    /// # Errors
    /// As [`Transformer::forward`]; also for sequences of one token.
    pub fn loss(&self, tokens: &Tensor) -> Result<Tensor> {
        self.losses(tokens, true, &mut Run::unwatched())
    }

    /// Cross-entropy in nats of each prediction, `[batch, pos - 1]`, f32: entry `i` is the
    /// surprise at token `i + 1`.
    ///
    /// # Errors
    /// As [`Transformer::loss`].
    pub fn loss_per_token(&self, tokens: &Tensor) -> Result<Tensor> {
        self.losses(tokens, false, &mut Run::unwatched())
    }

    /// One pass that keeps every activation: the logits `[batch, pos, d_vocab]` and the cache.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::Transformer};
    /// use holoscope::candle::{Device, Tensor};
    /// let model = Transformer::new(&TransformerConfig { d_vocab: 11, ..Default::default() })?;
    /// let (logits, cache) = model.run_with_cache(&Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?)?;
    /// assert_eq!(logits.dims(), [1, 3, 11]);
    /// assert_eq!(cache["blocks.0.mlp.hook_post"].dims(), [1, 3, 512]);
    /// assert_eq!(cache[("pattern", 0)].dims(), [1, 4, 3, 3]);
    /// # Ok::<(), holoscope::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Transformer::forward`].
    pub fn run_with_cache(&self, tokens: &Tensor) -> Result<(Tensor, ActivationCache)> {
        let model = self.without_gradients();
        let mut run = Run::caching(&NamesFilter::All, &self.cfg, false)?;
        let tokens = model.checked(tokens)?;
        let x = model.residual(&tokens, None, &mut run)?;
        let x = model.normed(&x, &mut run)?;
        Ok((model.unembed(&x, &mut run)?, run.cache))
    }

    /// One pass that keeps the activations of `names`: the logits (`None` if stopped) and the cache.
    ///
    /// `stop_at_layer = Some(n)` stops before block `n`, as in TransformerLens: `Some(1)` runs
    /// block 0 only. Neither the logits nor the activations carry gradients.
    ///
    /// # Errors
    /// As [`Transformer::forward`]; [`Error::UnknownHook`] for a name the model does not have,
    /// [`Error::Argument`] for a layer beyond the last.
    pub fn run_with_cache_filtered(
        &self,
        tokens: &Tensor,
        names: &NamesFilter,
        stop_at_layer: Option<usize>,
    ) -> Result<(Option<Tensor>, ActivationCache)> {
        let model = self.without_gradients();
        let mut run = Run::caching(names, &self.cfg, stop_at_layer.is_some())?;
        let tokens = model.checked(tokens)?;
        let x = model.residual(&tokens, stop_at_layer, &mut run)?;
        let logits = match stop_at_layer {
            Some(_) => None,
            None => {
                let x = model.normed(&x, &mut run)?;
                Some(model.unembed(&x, &mut run)?)
            }
        };
        Ok((logits, run.cache))
    }

    /// The residual stream `[batch, pos, d_model]` that enters block `layer` (after the last
    /// block for `layer = n_layers`).
    ///
    /// # Errors
    /// As [`Transformer::run_with_cache_filtered`].
    pub fn residual_before(&self, tokens: &Tensor, layer: usize) -> Result<Tensor> {
        let tokens = self.checked(tokens)?;
        self.residual(&tokens, Some(layer), &mut Run::unwatched())
    }

    /// Logits `[batch, pos, d_vocab]` of a pass in which `hooks` may replace activations.
    ///
    /// # Errors
    /// As [`Transformer::forward`]; [`Error::UnknownHook`], [`Error::Shape`] for a replacement
    /// of another shape, and whatever a hook returns.
    pub fn run_with_hooks(&self, tokens: &Tensor, hooks: &[Hook]) -> Result<Tensor> {
        self.logits(tokens, &mut Run::hooked(hooks, &self.cfg)?)
    }

    /// The mean loss in nats per token, as [`Transformer::loss`], of a pass with hooks.
    ///
    /// # Errors
    /// As [`Transformer::run_with_hooks`].
    pub fn loss_with_hooks(&self, tokens: &Tensor, hooks: &[Hook]) -> Result<f64> {
        let mut run = Run::hooked(hooks, &self.cfg)?;
        let loss = self.without_gradients().losses(tokens, true, &mut run)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }
}

impl fmt::Debug for Transformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transformer")
            .field("cfg", &self.cfg)
            .field("n_params", &self.n_params())
            .finish_non_exhaustive()
    }
}
