//! The runs of one task: the clean streams, and what each component wrote in the corrupted run minus
//! what it wrote in the clean one.
//! Source: Syed et al. 2023, arXiv:2310.10348, section 3 (`e_corr - e_clean`).

use super::PatchTask;
use crate::error::{Error, Result};
use crate::model::{ActivationCache, BlockPoint, HookName, NamesFilter, Transformer};
use candle_core::{DType, Tensor};

/// A clean run, and how the corrupted one differs from it.
pub(in crate::interp::mechanisms::edges) struct TaskRun<'a> {
    pub(in crate::interp::mechanisms::edges) model: &'a Transformer,
    pub(in crate::interp::mechanisms::edges) task: &'a PatchTask,
    pub(in crate::interp::mechanisms::edges) n_pos: usize,
    /// The metric of the clean run.
    pub(in crate::interp::mechanisms::edges) clean: f64,
    /// `[n_senders, pos, d_model]`, f32, in the order of `Sender::all`.
    pub(in crate::interp::mechanisms::edges) differences: Tensor,
    cache: ActivationCache,
}

impl<'a> TaskRun<'a> {
    /// `model` keeps no history.
    pub(in crate::interp::mechanisms::edges) fn of(
        model: &'a Transformer,
        task: &'a PatchTask,
    ) -> Result<TaskRun<'a>> {
        let n_pos = task.checked_length(model.cfg())?;
        let cache = cached(model, &task.clean)?;
        let clean = model.written(&cache)?;
        let corrupted = match &task.corrupted {
            Some(tokens) => model.written(&cached(model, tokens)?)?,
            None => {
                let zeros: candle_core::Result<Vec<Tensor>> =
                    clean.iter().map(Tensor::zeros_like).collect();
                zeros?
            }
        };
        let pairs = corrupted.iter().zip(&clean);
        let differences: candle_core::Result<Vec<Tensor>> =
            pairs.map(|(corrupted, clean)| corrupted - clean).collect();
        let mut run = TaskRun {
            model,
            task,
            n_pos,
            clean: 0.0,
            differences: Tensor::cat(&differences?, 0)?,
            cache,
        };
        run.clean = run.task.metric.of_residual(model, &run.last_stream()?)?[0];
        if !run.clean.is_finite() {
            let reason = "must be finite in the clean run";
            return Err(Error::argument("the metric", run.clean, reason));
        }
        Ok(run)
    }

    /// A clean stream, `[1, pos, d_model]`.
    pub(in crate::interp::mechanisms::edges) fn stream(
        &self,
        layer: usize,
        point: BlockPoint,
    ) -> Result<Tensor> {
        self.cache.at(HookName::Block { layer, point })
    }

    /// The clean stream that the unembedding reads, before the norm: `[1, pos, d_model]`.
    pub(in crate::interp::mechanisms::edges) fn last_stream(&self) -> Result<Tensor> {
        match self.model.cfg().n_layers {
            0 => {
                let embed = self.cache.at(HookName::Embed)?;
                Ok((embed + self.cache.at(HookName::PosEmbed)?)?)
            }
            n => self.stream(n - 1, BlockPoint::ResidPost),
        }
    }

    /// What some senders add to the clean run's stream in the corrupted run, one a row, in the
    /// model's type: `[rows, pos, d_model]`.
    pub(in crate::interp::mechanisms::edges) fn rows(
        &self,
        senders: &[usize],
        dtype: DType,
    ) -> Result<Tensor> {
        let ids: Vec<u32> = senders.iter().map(|&i| i as u32).collect();
        let ids = Tensor::new(ids, self.model.device())?;
        Ok(self.differences.index_select(&ids, 0)?.to_dtype(dtype)?)
    }
}

fn cached(model: &Transformer, tokens: &Tensor) -> Result<ActivationCache> {
    use BlockPoint::{MlpOut, ResidMid, ResidPost, ResidPre, Z};
    let wanted = |name: &HookName| match name {
        HookName::Block { point, .. } => [ResidPre, ResidMid, ResidPost, Z, MlpOut].contains(point),
        other => [HookName::Embed, HookName::PosEmbed].contains(other),
    };
    let all = HookName::all(model.cfg());
    let keep = NamesFilter::Names(all.into_iter().filter(wanted).collect());
    Ok(model
        .run_with_cache_filtered(tokens, &keep, Some(model.cfg().n_layers))?
        .1)
}
