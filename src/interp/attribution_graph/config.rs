//! What an attribution graph is made of, and how much of it is kept.
//! Defaults are circuit-tracer's: at most 10 logits that hold 0.95, thresholds 0.8 and 0.98.
//! Source: circuit-tracer 0.5, `attribute` and `prune_graph`.

use crate::config::TransformerConfig;
use crate::error::{Error, Result};

/// How a graph is made and pruned.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributionConfig {
    /// Tokens whose logits are targets; empty for the most probable ones, by the next two fields.
    pub targets: Vec<u32>,
    /// The most probable tokens are targets until they hold this probability together.
    pub logit_probability: f64,
    /// At most so many tokens are targets.
    pub max_logits: usize,
    /// At most so many features are nodes, those of the largest influence on the logits; what the
    /// others write is part of the error nodes, so that edges still sum.
    pub max_features: usize,
    /// The first position has no feature nodes: what its MLPs write is error.
    pub skip_bos: bool,
    /// Pruning keeps the nodes that hold this share of the influence together.
    pub node_threshold: f64,
    /// Pruning keeps the edges that hold this share of the edges' influence together.
    pub edge_threshold: f64,
    /// Targets whose edges are computed at once; memory is `batch_size * pos * d_model` in f64, a few
    /// times.
    pub batch_size: usize,
}

impl Default for AttributionConfig {
    fn default() -> Self {
        Self {
            targets: Vec::new(),
            logit_probability: 0.95,
            max_logits: 10,
            max_features: 2_048,
            skip_bos: false,
            node_threshold: 0.8,
            edge_threshold: 0.98,
            batch_size: 64,
        }
    }
}

impl AttributionConfig {
    /// Checks every field against the model; the error names the field, its value and the rule.
    ///
    /// # Errors
    /// [`Error::Argument`].
    pub fn validate(&self, model: &TransformerConfig) -> Result<()> {
        for (what, share) in [
            ("logit_probability", self.logit_probability),
            ("node_threshold", self.node_threshold),
            ("edge_threshold", self.edge_threshold),
        ] {
            check_share(what, share)?;
        }
        for (what, n) in [
            ("max_logits", self.max_logits),
            ("batch_size", self.batch_size),
        ] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        for (i, &id) in self.targets.iter().enumerate() {
            if id as usize >= model.d_vocab {
                let rule = format!("must be below d_vocab = {}", model.d_vocab);
                return Err(Error::argument("target token", id, rule));
            }
            if self.targets[..i].contains(&id) {
                return Err(Error::argument("target token", id, "is there twice"));
            }
        }
        Ok(())
    }
}

/// An error unless the value lies in 0 to 1.
pub(super) fn check_share(what: &'static str, share: f64) -> Result<()> {
    match (0.0..=1.0).contains(&share) {
        true => Ok(()),
        false => Err(Error::argument(what, share, "must lie in 0 to 1")),
    }
}
