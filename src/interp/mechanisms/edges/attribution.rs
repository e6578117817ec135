//! Edge attribution patching: the effect of each edge to first order, from one backward pass.
//! `score = (e_corr - e_clean) . dm/dx`, `x` what the receiver reads, summed over positions.
//! Source: Syed et al. 2023, arXiv:2310.10348; integrated gradients: Hanna et al. 2024, arXiv:2403.17806.

use super::scores::EdgeScores;
use super::task::task_run::TaskRun;
use super::task::{PatchTask, expect_tasks};
use crate::error::{Error, Result};
use crate::model::{Edge, Hook, HookName, Receiver, Sender, Transformer};
use crate::show::Interrupts;
use candle_core::{DType, Tensor};

/// What [`super::edge_activation_patching`] measures, estimated by the gradient of the clean run: two
/// forward passes and one backward pass a task for all edges together.
///
/// # Errors
/// As [`super::edge_activation_patching`]; a metric that is a function of one's own, of which no
/// gradient is known.
pub fn edge_attribution_patching(model: &Transformer, tasks: &[PatchTask]) -> Result<EdgeScores> {
    attributed("edge attribution patching", model, tasks, 1)
}

/// As [`edge_attribution_patching`], with the mean of the gradients of `n_steps` runs, whose token
/// embeddings go from the corrupted ones to the clean ones in equal steps
/// (`e_corr + k / n_steps (e_clean - e_corr)`, `k` from 1): it sees past a gradient that vanishes at
/// the clean run.
///
/// # Errors
/// As [`edge_attribution_patching`]; no step.
pub fn edge_attribution_patching_ig(
    model: &Transformer,
    tasks: &[PatchTask],
    n_steps: usize,
) -> Result<EdgeScores> {
    if n_steps == 0 {
        return Err(Error::argument("n_steps", 0, "must be at least 1"));
    }
    let method = format!("edge attribution patching, integrated gradients ({n_steps} steps)");
    attributed(&method, model, tasks, n_steps)
}

fn attributed(
    method: &str,
    model: &Transformer,
    tasks: &[PatchTask],
    n_steps: usize,
) -> Result<EdgeScores> {
    expect_tasks(tasks)?;
    let model = model.without_gradients();
    let cfg = model.cfg();
    let (edges, senders, receivers) = (Edge::all(cfg), Sender::all(cfg), Receiver::all(cfg));
    let interrupts = Interrupts::listen();
    let mut of_tasks = Vec::new();
    for task in tasks {
        let run = TaskRun::of(&model, task)?;
        let mut sum: Option<Tensor> = None;
        for step in 1..=n_steps {
            interrupts.check("edge attribution patching")?;
            let from_clean = 1.0 - step as f64 / n_steps as f64;
            let gradients = gradients(&run, from_clean)?;
            sum = Some(match sum {
                Some(sum) => (sum + gradients)?,
                None => gradients,
            });
        }
        let Some(sum) = sum else { continue };
        let gradients = (sum / n_steps as f64)?; // [n_receivers, pos d_model]
        let differences = run.differences.flatten_from(1)?; // [n_senders, pos d_model]
        let products = gradients.matmul(&differences.t()?)?; // [n_receivers, n_senders]
        let products = products.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let score = |edge: &Edge| {
            let receiver = receivers.iter().position(|r| *r == edge.receiver);
            let sender = senders.iter().position(|s| *s == edge.sender);
            match (receiver, sender) {
                (Some(receiver), Some(sender)) => products[receiver][sender],
                _ => f64::NAN,
            }
        };
        of_tasks.push(edges.iter().map(score).collect());
    }
    Ok(EdgeScores::of(method, &edges, &of_tasks))
}

/// The gradient of the metric with respect to what each receiver reads,
/// `[n_receivers, pos * d_model]`, in a run whose token embeddings are this far from the clean ones
/// on the way to the corrupted ones.
fn gradients(run: &TaskRun, from_clean: f64) -> Result<Tensor> {
    let mut hooks = Vec::new();
    if from_clean > 0.0 {
        // The token embedding is the first sender.
        let moved = (run.differences.narrow(0, 0, 1)? * from_clean)?;
        hooks.push(Hook::new(&HookName::Embed.to_string(), move |x| {
            Ok(Some((x + moved.to_dtype(x.dtype())?)?))
        }));
    }
    let metric = |logits: &Tensor| run.task.metric.of_logits(logits);
    let gradients = run
        .model
        .receiver_gradients(&run.task.clean, &hooks, metric)?;
    Ok(Tensor::cat(&gradients, 0)?.flatten_from(1)?.contiguous()?)
}
