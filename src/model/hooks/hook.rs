//! Hooks: functions that see, and may replace, a named activation.
//!
//! A hook is `activation -> Option<activation>`; `None` leaves it as it is, to the bit.
//! Source: TransformerLens' `run_with_hooks`; here hooks are arguments of a run, never a registry.

use super::cache::ActivationCache;
use super::finite::{NonFinite, non_finite_at};
use super::hook_name::HookName;
use crate::config::{PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use candle_core::{DType, Tensor};
use std::fmt;
use std::rc::Rc;

/// Which activations a run keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamesFilter {
    /// Every hook point.
    All,
    /// These, in any order.
    Names(Vec<HookName>),
}

impl NamesFilter {
    /// One activation.
    pub fn only(name: &str) -> Result<NamesFilter> {
        NamesFilter::names(&[name])
    }

    /// Several activations.
    pub fn names(names: &[&str]) -> Result<NamesFilter> {
        let names: Result<Vec<HookName>> = names.iter().map(|name| name.parse()).collect();
        Ok(NamesFilter::Names(names?))
    }

    /// Whether the activation is kept.
    pub fn keeps(&self, name: HookName) -> bool {
        match self {
            NamesFilter::All => true,
            NamesFilter::Names(names) => names.contains(&name),
        }
    }
}

type HookFn = dyn Fn(&Tensor) -> Result<Option<Tensor>>;

/// A function to be called with one activation; what it returns replaces it.
#[derive(Clone)]
pub struct Hook {
    name: String,
    f: Rc<HookFn>,
}

impl Hook {
    /// A hook on `name`; the name is checked when a model runs with it.
    ///
    /// `f` returns `None` to leave the activation as it is, or a tensor of the same shape and
    /// type to put in its place.
    ///
    /// ```
    /// use holoscope::{config::TransformerConfig, model::{Hook, Transformer}};
    /// use candle_core::{Device, Tensor};
    /// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
    /// let model = Transformer::new(&cfg).unwrap();
    /// let tokens = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu).unwrap();
    /// let double = Hook::new("blocks.0.mlp.hook_post", |x| Ok(Some((x * 2.)?)));
    /// let logits = model.run_with_hooks(&tokens, &[double]).unwrap();
    /// assert_eq!(logits.dims(), [1, 3, 11]);
    /// ```
    pub fn new(name: &str, f: impl Fn(&Tensor) -> Result<Option<Tensor>> + 'static) -> Hook {
        Hook {
            name: name.to_owned(),
            f: Rc::new(f),
        }
    }

    /// The name it was given.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Replaces an activation by zeros.
pub fn zero_ablate(name: &str) -> Hook {
    Hook::new(name, |x| Ok(Some(x.zeros_like()?)))
}

/// Replaces an activation by its mean over batch and position (over the batch alone for
/// `hook_attn_scores` and `hook_pattern`, which have no position axis of their own).
pub fn mean_ablate(name: &str) -> Hook {
    let square = name
        .parse::<HookName>()
        .is_ok_and(HookName::is_attention_square);
    Hook::new(name, move |x| {
        let mean = mean_over(x, if square { &[0] } else { &[0, 1] })?;
        Ok(Some(mean.broadcast_as(x.shape())?.contiguous()?))
    })
}

/// The mean over these axes, which stay with length 1. Summed in f32: in half precision a sum of
/// many stops to grow.
pub(crate) fn mean_over(x: &Tensor, axes: &[usize]) -> Result<Tensor> {
    let wide = x.to_dtype(DType::F32)?;
    Ok(wide.mean_keepdim(axes)?.to_dtype(x.dtype())?)
}

/// What watches one run: hooks to call and activations to keep.
pub(in crate::model) struct Run {
    hooks: Vec<(HookName, Hook)>,
    keep: NamesFilter,
    pub(in crate::model) cache: ActivationCache,
    /// Whether only what it keeps is wanted, no logits and no loss.
    only_keeps: bool,
    /// Where every activation is to be finite: the first that is not.
    finite: Option<Option<NonFinite>>,
}

impl Run {
    /// A run without hooks or a cache.
    pub(in crate::model) fn unwatched() -> Run {
        Run {
            hooks: Vec::new(),
            keep: NamesFilter::Names(Vec::new()),
            cache: ActivationCache::default(),
            only_keeps: false,
            finite: None,
        }
    }

    /// The run, ending at the first activation that is not finite.
    pub(in crate::model) fn looking_for_non_finite(self) -> Run {
        Run {
            finite: Some(None),
            ..self
        }
    }

    /// The first activation that was not finite, where that was looked for.
    pub(in crate::model) fn non_finite(self) -> Option<NonFinite> {
        self.finite.flatten()
    }

    /// A run that keeps what `keep` says; with `only_keeps` it is for nothing else.
    pub(in crate::model) fn caching(
        keep: &NamesFilter,
        cfg: &TransformerConfig,
        only_keeps: bool,
    ) -> Result<Run> {
        if let NamesFilter::Names(names) = keep {
            for name in names {
                HookName::of_model(&name.to_string(), cfg)?;
            }
        }
        let mut run = Run {
            keep: keep.clone(),
            only_keeps,
            ..Run::unwatched()
        };
        run.cache.without_positions = cfg.positional_embedding_type == PositionalEmbedding::Rotary;
        Ok(run)
    }

    /// Whether nothing that is still to be computed is wanted: the rest of the pass can be left
    /// out.
    pub(in crate::model) fn finished(&self) -> bool {
        if let Some(found) = &self.finite {
            return found.is_some();
        }
        match &self.keep {
            NamesFilter::Names(names) if self.only_keeps => {
                names.iter().all(|&name| self.cache.holds(name))
            }
            _ => false,
        }
    }

    /// A run that calls `hooks`, several on one point in the order given.
    pub(in crate::model) fn hooked(hooks: &[Hook], cfg: &TransformerConfig) -> Result<Run> {
        let hooks: Result<Vec<_>> = hooks
            .iter()
            .map(|hook| Ok((HookName::of_model(&hook.name, cfg)?, hook.clone())))
            .collect();
        Ok(Run {
            hooks: hooks?,
            ..Run::unwatched()
        })
    }

    /// The run, keeping what `keep` says.
    pub(in crate::model) fn keeping(self, keep: &NamesFilter) -> Run {
        Run {
            keep: keep.clone(),
            ..self
        }
    }

    /// Whether anyone watches this point.
    pub(in crate::model) fn watches(&self, name: HookName) -> bool {
        let hooked = self.hooks.iter().any(|(at, _)| *at == name);
        hooked || self.keep.keeps(name) || self.finite.is_some()
    }

    /// Shows `value` to the hooks; what they put in its place, if anything.
    pub(in crate::model) fn replacement(
        &mut self,
        name: HookName,
        value: &Tensor,
    ) -> Result<Option<Tensor>> {
        let mut replaced: Option<Tensor> = None;
        for (_, hook) in self.hooks.iter().filter(|(at, _)| *at == name) {
            let current = replaced.as_ref().unwrap_or(value);
            if let Some(new) = (hook.f)(current)? {
                if new.dims() != value.dims() {
                    return Err(Error::shape(
                        format!("what the hook on {name} returned"),
                        value.dims(),
                        new.dims(),
                    ));
                }
                replaced = Some(new.to_dtype(value.dtype())?.contiguous()?);
            }
        }
        if let Some(found @ None) = &mut self.finite {
            *found = non_finite_at(name, replaced.as_ref().unwrap_or(value))?;
        }
        if self.keep.keeps(name) {
            let current = replaced.as_ref().unwrap_or(value);
            self.cache.insert(name, current.contiguous()?);
        }
        Ok(replaced)
    }

    /// Shows `value` to the hooks and returns it or its replacement.
    pub(in crate::model) fn visit(&mut self, name: HookName, value: Tensor) -> Result<Tensor> {
        Ok(self.replacement(name, &value)?.unwrap_or(value))
    }
}
