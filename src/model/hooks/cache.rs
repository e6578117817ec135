//! The activations that one run kept, by hook name.
//!
//! Tensors without history: a cache does not keep the graph of the run alive.
//! Source: TransformerLens' `ActivationCache`.

use super::hook_name::{BlockPoint, HookName};
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::ops::Index;

/// Activations in the order in which they were computed.
#[derive(Debug, Clone, Default)]
pub struct ActivationCache {
    entries: Vec<(HookName, Tensor)>,
    /// Whether the model adds no positions to the embeddings: they are rotary.
    pub(in crate::model) without_positions: bool,
}

/// `cache["blocks.0.mlp.hook_post"]`, as in TransformerLens; [`ActivationCache::get`] gives an error
/// instead of a panic.
///
/// # Panics
/// When the run did not keep the name; the message has the names that it kept.
impl Index<&str> for ActivationCache {
    type Output = Tensor;

    fn index(&self, name: &str) -> &Tensor {
        let found = name.parse().and_then(|name| self.entry(name));
        found.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// `cache[("post", 0)]`: the hook of that short name in block 0 (see [`HookName::short`]).
///
/// # Panics
/// As by the full name.
impl Index<(&str, usize)> for ActivationCache {
    type Output = Tensor;

    fn index(&self, (short, layer): (&str, usize)) -> &Tensor {
        let found = HookName::short(short, layer).and_then(|name| self.entry(name));
        found.unwrap_or_else(|error| panic!("{error}"))
    }
}

impl ActivationCache {
    pub(in crate::model) fn holds(&self, name: HookName) -> bool {
        self.entries.iter().any(|(at, _)| *at == name)
    }

    pub(in crate::model) fn insert(&mut self, name: HookName, value: Tensor) {
        self.entries.push((name, value));
    }

    /// The activation, for example `cache.get("blocks.0.mlp.hook_post")`.
    ///
    /// # Errors
    /// [`Error::UnknownHook`] if there is no such name, [`Error::NotFound`] if the run did not
    /// keep it.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        self.at(name.parse()?)
    }

    /// The activation at a typed name.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the run did not keep it.
    pub fn at(&self, name: HookName) -> Result<Tensor> {
        self.entry(name).cloned()
    }

    fn entry(&self, name: HookName) -> Result<&Tensor> {
        self.entries
            .iter()
            .find(|(at, _)| *at == name)
            .map(|(_, value)| value)
            .ok_or_else(|| Error::NotFound {
                kind: "cached activation",
                name: name.to_string(),
                known: self.names(),
            })
    }

    /// The names kept, in the order of computation.
    pub fn names(&self) -> Vec<String> {
        self.entries
            .iter()
            .map(|(name, _)| name.to_string())
            .collect()
    }

    /// Number of activations kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes of the activations.
    pub fn bytes(&self) -> usize {
        self.entries
            .iter()
            .map(|(_, value)| value.elem_count() * value.dtype().size_in_bytes())
            .sum()
    }

    /// What each part wrote to the residual stream, in order: embeddings, positions (where they are
    /// learned), then each block's attention and MLP. They sum to the stream that enters the final norm.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the embeddings were not kept.
    pub fn residual_parts(&self) -> Result<Vec<(String, Tensor)>> {
        let mut parts = vec![(HookName::Embed, self.at(HookName::Embed)?)];
        if !self.without_positions {
            parts.push((HookName::PosEmbed, self.at(HookName::PosEmbed)?));
        }
        parts.extend(
            self.entries
                .iter()
                .filter(|(name, _)| {
                    matches!(
                        name,
                        HookName::Block {
                            point: BlockPoint::AttnOut | BlockPoint::MlpOut,
                            ..
                        }
                    )
                })
                .cloned(),
        );
        Ok(parts
            .into_iter()
            .map(|(name, value)| (name.to_string(), value))
            .collect())
    }
}
