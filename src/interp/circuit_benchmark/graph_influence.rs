//! Edges between components, scored by the attribution graphs of a task's clean prompts.
//! `score = mean over tasks of the influence along the edge`, see `component_influence`.
//! Source: Ameisen et al. 2025, "Circuit Tracing"; no peer scores its attribution graphs so.

use super::super::attribution_graph::{AttributionConfig, attribution_graph};
use super::super::mechanisms::{EdgeScores, PatchTask};
use crate::error::{Error, Result};
use crate::model::{Edge, Transformer};
use crate::sae::Transcoder;

/// The influence along each edge of the model in the attribution graphs of the tasks' clean prompts:
/// [`AttributionGraph::component_influence`](crate::interp::AttributionGraph::component_influence),
/// a mean over tasks. The prompt ends at the position that the metric reads, and the metric's tokens are
/// the graph's logits. A graph looks at one run, so that corrupted tokens are not used.
///
/// Attention patterns are constants of a graph: every edge into a query or a key scores 0. With
/// [`Transcoder::of_mlp`] for each block of a ReLU model the graphs have no error nodes.
///
/// # Errors
/// No task; a metric that is a function of one's own, which names no logits; a metric's position
/// beyond its prompt; [`Error::Argument`] for a transcoder with a path around its features; and the
/// errors of [`attribution_graph`].
pub fn edge_graph_influence(
    model: &Transformer,
    transcoders: &[Transcoder],
    tasks: &[PatchTask],
) -> Result<EdgeScores> {
    if tasks.is_empty() {
        return Err(Error::argument("tasks", "[]", "there must be at least one"));
    }
    let edges = Edge::all(model.cfg());
    let mut of_tasks = Vec::with_capacity(tasks.len());
    for task in tasks {
        let Some((position, targets)) = task.metric.target_logits() else {
            let reason = "must be a logit, a difference of two or a log-probability";
            let name = format!("{:?}", task.metric.name());
            return Err(Error::argument("the metric", name, reason));
        };
        let n_pos = task.clean.dims().last().copied().unwrap_or(0);
        if task.clean.rank() != 2 || position >= n_pos {
            let rule = format!("must be below {n_pos}, the length of the clean tokens");
            return Err(Error::argument("the metric's position", position, rule));
        }
        let prompt = task.clean.narrow(1, 0, position + 1)?;
        let config = AttributionConfig {
            targets,
            ..AttributionConfig::default()
        };
        let graph = attribution_graph(model, transcoders, &prompt, &config)?;
        let influence = graph.component_influence()?;
        of_tasks.push(influence.iter().map(|found| found.influence).collect());
    }
    Ok(EdgeScores::of("attribution graph", &edges, &of_tasks))
}
