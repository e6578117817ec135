//! What a circuit is looked for with: an input, what is put in the place of its activations, and the
//! metric that tells whether that mattered.
//! Source: the clean and corrupted prompts of Wang et al. 2022; zero ablation of Conmy et al. 2023.

pub(in crate::interp::mechanisms::edges) mod compiled_tasks;
pub(in crate::interp::mechanisms::edges) mod task_run;

use super::super::input::one_sequence;
use super::super::patch_metric::PatchMetric;
use crate::config::{PositionalEmbedding, TransformerConfig};
use crate::error::{Error, Result};
use candle_core::Tensor;

/// One input with its corruption and its metric.
#[derive(Debug, Clone)]
pub struct PatchTask {
    /// Tokens `[1, pos]` of the run into which activations are put.
    pub clean: Tensor,
    /// Tokens `[1, pos]` of the run from which they are taken; none for zeros in their place.
    pub corrupted: Option<Tensor>,
    /// What is measured of the patched run.
    pub metric: PatchMetric,
}

impl PatchTask {
    /// Activations of `corrupted` `[1, pos]` are put into the run of `clean` `[1, pos]`.
    pub fn new(clean: &Tensor, corrupted: &Tensor, metric: &PatchMetric) -> PatchTask {
        PatchTask {
            clean: clean.clone(),
            corrupted: Some(corrupted.clone()),
            metric: metric.clone(),
        }
    }

    /// Zeros are put into the run of `clean` `[1, pos]`: a component writes nothing, as far as its
    /// reader can tell. Finds also what is the same in all inputs of a length, such as positions.
    pub fn zeros(clean: &Tensor, metric: &PatchMetric) -> PatchTask {
        PatchTask {
            clean: clean.clone(),
            corrupted: None,
            metric: metric.clone(),
        }
    }

    /// The length of its sequences, everything checked but the token ids, which the model checks.
    pub(super) fn checked_length(&self, cfg: &TransformerConfig) -> Result<usize> {
        expect_edges(cfg)?;
        let n_pos = one_sequence("the clean tokens", &self.clean)?;
        if let Some(corrupted) = &self.corrupted
            && one_sequence("the corrupted tokens", corrupted)? != n_pos
        {
            let found = corrupted.dims();
            return Err(Error::shape("the corrupted tokens", [1, n_pos], found));
        }
        self.metric.check(cfg, n_pos)?;
        Ok(n_pos)
    }
}

/// An error for a model whose senders and receivers are not those that edges are defined for.
fn expect_edges(cfg: &TransformerConfig) -> Result<()> {
    if cfg.parallel_attn_mlp && !cfg.attn_only {
        let reason = "edges are defined for blocks whose MLP reads what attention wrote";
        return Err(Error::argument("parallel_attn_mlp", true, reason));
    }
    if cfg.positional_embedding_type == PositionalEmbedding::Rotary {
        let reason = "edges and nodes need learned positions, a sender of their own";
        return Err(Error::argument(
            "positional_embedding_type",
            "rotary",
            reason,
        ));
    }
    Ok(())
}

/// An error unless there is a task.
pub(super) fn expect_tasks(tasks: &[PatchTask]) -> Result<()> {
    match tasks.is_empty() {
        true => Err(Error::argument("tasks", "[]", "there must be at least one")),
        false => Ok(()),
    }
}
