//! Path patching of direct edges: what one receiver reads of one sender is taken from another run.
//! The receiver reads `x + (e_corr - e_clean)`, all other readers the clean stream `x`; what follows
//! the receiver is computed anew. Score: `m(patched) - m(clean)`.
//! Source: Wang et al. 2022, arXiv:2211.00593; Goldowsky-Dill et al. 2023, arXiv:2304.05969.

use super::scores::{EdgeScore, EdgeScores};
use super::task::task_run::TaskRun;
use super::task::{PatchTask, expect_tasks};
use crate::error::{Error, Result};
use crate::model::{BlockPoint, Edge, Hook, HookName, Receiver, Sender, Transformer};
use crate::show::Interrupts;
use candle_core::Tensor;

/// Tokens that one pass of the model handles: as many edges as fit share it.
const TOKENS_PER_PASS: usize = 2_048;

/// The effect of each edge of the model on the metric: the edge alone is corrupted, one at a time,
/// in the clean run of each task. Edges into one block share passes as rows of a batch, and a pass
/// begins at that block.
///
/// ```
/// use holoscope::{config::TransformerConfig, model::{Edge, Transformer}};
/// use holoscope::interp::{PatchMetric, PatchTask, edge_activation_patching};
/// use candle_core::{Device, Tensor};
/// let cfg = TransformerConfig { d_vocab: 11, d_model: 8, d_mlp: 16, ..Default::default() };
/// let model = Transformer::new(&cfg)?;
/// let clean = Tensor::new(&[[1u32, 2, 3]], &Device::Cpu)?;
/// let corrupted = Tensor::new(&[[1u32, 5, 3]], &Device::Cpu)?;
/// let task = PatchTask::new(&clean, &corrupted, &PatchMetric::logit_difference(2, 7, 4));
/// let found = edge_activation_patching(&model, &[task])?;
/// assert_eq!(found.scores.len(), Edge::all(&cfg).len());
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// No task; tokens that are not one sequence each, of different lengths, or that the model cannot
/// read; a position or token of the metric that does not exist; a metric that is not finite in a
/// clean run; [`Error::Argument`] for a model with rotary positions, or with MLPs parallel to attention;
/// [`Error::Interrupted`].
pub fn edge_activation_patching(model: &Transformer, tasks: &[PatchTask]) -> Result<EdgeScores> {
    let edges = Edge::all(model.cfg());
    patched(
        "edge activation patching",
        model,
        tasks,
        &edges,
        TOKENS_PER_PASS,
    )
}

/// The effect of one edge: what `receiver` reads of `sender` is taken from the corrupted run (or is
/// zero), in the clean run of each task.
///
/// # Errors
/// As [`edge_activation_patching`]; [`Error::NotFound`] for a component that the model does not have,
/// [`Error::Argument`] for a receiver that reads before the sender writes.
pub fn path_patching(
    model: &Transformer,
    tasks: &[PatchTask],
    sender: Sender,
    receiver: Receiver,
) -> Result<EdgeScore> {
    let edge = Edge { sender, receiver };
    edge.check(model.cfg())?;
    let found = patched("path patching", model, tasks, &[edge], TOKENS_PER_PASS)?;
    Ok(found.scores[0])
}

pub(super) fn patched(
    method: &str,
    model: &Transformer,
    tasks: &[PatchTask],
    edges: &[Edge],
    tokens_per_pass: usize,
) -> Result<EdgeScores> {
    expect_tasks(tasks)?;
    let model = model.without_gradients();
    let senders = Sender::all(model.cfg());
    let interrupts = Interrupts::listen();
    let mut of_tasks = Vec::new();
    for task in tasks {
        let run = TaskRun::of(&model, task)?;
        let rows_per_pass = (tokens_per_pass / run.n_pos).max(1);
        let mut effects = Vec::new();
        for of_stage in edges.chunk_by(|a, b| stage(a.receiver) == stage(b.receiver)) {
            for rows in of_stage.chunks(rows_per_pass) {
                interrupts.check("path patching")?;
                let metrics = metrics(&run, rows, &senders)?;
                effects.extend(metrics.into_iter().map(|metric| metric - run.clean));
            }
        }
        of_tasks.push(effects);
    }
    Ok(EdgeScores::of(method, edges, &of_tasks))
}

/// Receivers whose patched passes begin at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Heads(usize),
    Mlp(usize),
    Logits,
}

fn stage(receiver: Receiver) -> Stage {
    match receiver {
        Receiver::Query { layer, .. }
        | Receiver::Key { layer, .. }
        | Receiver::Value { layer, .. } => Stage::Heads(layer),
        Receiver::Mlp { layer } => Stage::Mlp(layer),
        Receiver::Logits => Stage::Logits,
    }
}

/// The metric with each of these edges patched, one a row; all their receivers are of one stage.
fn metrics(run: &TaskRun, edges: &[Edge], senders: &[Sender]) -> Result<Vec<f64>> {
    let indices: Option<Vec<usize>> = edges
        .iter()
        .map(|edge| senders.iter().position(|s| *s == edge.sender))
        .collect();
    let (Some(indices), Some(first)) = (indices, edges.first()) else {
        let reason = "are not those of the model";
        return Err(Error::argument("the senders", edges.len(), reason));
    };
    let (model, last) = (run.model, run.last_stream()?);
    let differences = run.rows(&indices, last.dtype())?; // [rows, pos, d_model]
    let stream = match stage(first.receiver) {
        Stage::Logits => last.broadcast_add(&differences)?,
        Stage::Mlp(layer) => {
            let mid = run.stream(layer, BlockPoint::ResidMid)?;
            let out = model.mlp_out_of_stream(&mid.broadcast_add(&differences)?, layer)?;
            model.residual_from(&mid.broadcast_add(&out)?, layer + 1, &[])?
        }
        Stage::Heads(layer) => {
            let pre = run.stream(layer, BlockPoint::ResidPre)?;
            let qkv = model.qkv_of_stream(&pre.broadcast_add(&differences)?, layer)?;
            let hooks = head_hooks(run, edges, layer, qkv)?;
            let rows = pre.broadcast_as(differences.shape())?.contiguous()?;
            model.residual_from(&rows, layer, &hooks)?
        }
    };
    run.task.metric.of_residual(model, &stream)
}

/// Hooks that put the patched queries, keys or values of each row's head in the place of the clean
/// ones.
fn head_hooks(run: &TaskRun, edges: &[Edge], layer: usize, qkv: [Tensor; 3]) -> Result<Vec<Hook>> {
    let n_heads = run.model.cfg().n_heads;
    let points = [BlockPoint::Q, BlockPoint::K, BlockPoint::V];
    let mut hooks = Vec::new();
    for (point, patched) in points.into_iter().zip(qkv) {
        let mut mask = vec![0u8; edges.len() * n_heads];
        for (edge, mask) in edges.iter().zip(mask.chunks_mut(n_heads)) {
            let (of, head) = match edge.receiver {
                Receiver::Query { head, .. } => (BlockPoint::Q, head),
                Receiver::Key { head, .. } => (BlockPoint::K, head),
                Receiver::Value { head, .. } => (BlockPoint::V, head),
                _ => continue,
            };
            if of == point {
                mask[head] = 1;
            }
        }
        if !mask.contains(&1) {
            continue;
        }
        let mask = Tensor::from_vec(mask, (edges.len(), 1, n_heads, 1), run.model.device())?;
        let name = HookName::Block { layer, point }.to_string();
        hooks.push(Hook::new(&name, move |x| {
            Ok(Some(mask.broadcast_as(x.shape())?.where_cond(&patched, x)?))
        }));
    }
    Ok(hooks)
}
