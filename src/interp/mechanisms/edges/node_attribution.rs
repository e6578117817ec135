//! Attribution patching of components: the effect of each at each position, to first order.
//! `score = (a_corr - a_clean) . dm/da`, `a` what the component writes to the stream.
//! Source: Nanda 2023, "Attribution Patching: Activation Patching At Industrial Scale".

use super::task::PatchTask;
use super::task::task_run::TaskRun;
use crate::error::Result;
use crate::model::{BlockPoint, HookName, NamesFilter, Sender, Transformer};
use candle_core::{DType, Tensor};

/// One component at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeScore {
    pub node: Sender,
    pub position: usize,
    /// The estimate of `metric(patched) - metric(clean)`.
    pub score: f64,
}

/// Every component at every position, for one task.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeAttribution {
    /// What the metric measures.
    pub metric_name: String,
    /// The metric of the clean run.
    pub clean: f64,
    /// Length of the sequences.
    pub n_pos: usize,
    /// By component in the order of computation, then by position.
    pub scores: Vec<NodeScore>,
}

/// What putting each component's output of the corrupted run into the clean one would change, at
/// each position, estimated by the gradient of the clean run.
///
/// # Errors
/// As [`super::edge_attribution_patching`].
pub fn node_attribution_patching(model: &Transformer, task: &PatchTask) -> Result<NodeAttribution> {
    let model = model.without_gradients();
    let run = TaskRun::of(&model, task)?;
    let point = |node: &Sender| match *node {
        Sender::Embed => HookName::Embed,
        Sender::PosEmbed => HookName::PosEmbed,
        // What a head writes is a part of this sum.
        Sender::Head { layer, .. } => HookName::Block {
            layer,
            point: BlockPoint::AttnOut,
        },
        Sender::Mlp { layer } => HookName::Block {
            layer,
            point: BlockPoint::MlpOut,
        },
    };
    let nodes = Sender::all(model.cfg());
    let mut names: Vec<HookName> = nodes.iter().map(point).collect();
    names.dedup(); // Heads of a block stand together.
    let metric = |logits: &Tensor| task.metric.of_logits(logits);
    let keep = NamesFilter::Names(names);
    let (_, gradients) = model.activation_gradients(&task.clean, &keep, &[], metric)?;
    let mut scores = Vec::new();
    for (i, node) in nodes.iter().enumerate() {
        let gradient = gradients
            .at(point(node))?
            .squeeze(0)?
            .to_dtype(DType::F32)?;
        let product = (run.differences.get(i)? * gradient)?; // [pos, d_model]
        let of_positions = product.sum(1)?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        for (position, score) in of_positions.into_iter().enumerate() {
            scores.push(NodeScore {
                node: *node,
                position,
                score,
            });
        }
    }
    Ok(NodeAttribution {
        metric_name: task.metric.name().to_owned(),
        clean: run.clean,
        n_pos: run.n_pos,
        scores,
    })
}
