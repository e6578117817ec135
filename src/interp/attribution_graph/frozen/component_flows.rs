//! What passes from component to component into each target: heads told apart, features summed.
//! `flow = sum |c_receiver . written_sender|` over positions and features, `c` the covector of what the
//! receiver reads. Patterns are constants, so that nothing passes through queries and keys.
//! Source: edges of Ameisen et al. 2025 split by head, as in Elhage et al. 2021 (paths of heads).

use super::covectors::{Contributions, Target, injected, times};
use super::model::{FrozenLayer, FrozenModel, wide};
use super::sources::Sources;
use crate::error::{Error, Result};
use crate::model::{BlockPoint, Edge, HookName, Receiver, Sender};
use candle_core::{D, IndexOp, Tensor};
use std::collections::HashMap;

/// Of each target the flow along each edge of `edges`, `[target][edge]`.
///
/// # Errors
/// A transcoder with a path around its features, which is no component.
pub(in super::super) fn component_flows(
    frozen: &FrozenModel,
    sources: &Sources,
    targets: &[Target],
    edges: &[Edge],
) -> Result<Vec<Vec<f64>>> {
    let mut work = Work {
        written: written(frozen, sources)?,
        columns: edges.iter().copied().zip(0..).collect(),
        flows: vec![vec![0.0; edges.len()]; targets.len()],
    };
    let n_heads = frozen.model.cfg().n_heads;
    // Biases have no sender; what they add is not kept.
    let mut biases = Contributions::without_sources(targets);
    let mut c = injected(frozen, targets, None, &mut biases)?; // [n, pos, d_model]
    work.add(Receiver::Logits, &c)?;
    for layer in (0..frozen.layers.len()).rev() {
        if targets.iter().any(|target| target.layer == Some(layer)) {
            let own = injected(frozen, targets, Some(layer), &mut biases)?;
            work.add(Receiver::Mlp { layer }, &own)?;
            c = (c + own)?;
        }
        let above = c.clone();
        for head in 0..n_heads {
            let read = through_head(&frozen.layers[layer], head, &above)?;
            work.add(Receiver::Value { layer, head }, &read)?;
            c = (c + read)?;
        }
    }
    Ok(work.flows)
}

/// What a sender wrote at each position: `[d_model, n]`, a column a feature, or nothing.
type Written = Vec<Vec<Tensor>>;

struct Work {
    written: Vec<(Sender, Written)>,
    columns: HashMap<Edge, usize>,
    flows: Vec<Vec<f64>>,
}

impl Work {
    /// Adds what `receiver`, which reads by the covectors `c` `[n_targets, pos, d_model]`, takes from
    /// each sender.
    fn add(&mut self, receiver: Receiver, c: &Tensor) -> Result<()> {
        for (sender, written) in &self.written {
            let edge = Edge {
                sender: *sender,
                receiver,
            };
            let Some(&column) = self.columns.get(&edge) else {
                continue;
            };
            for (position, parts) in written.iter().enumerate() {
                let c = c.i((.., position, ..))?.contiguous()?; // [n_targets, d_model]
                for part in parts {
                    let sums = c.matmul(part)?.abs()?.sum(D::Minus1)?.to_vec1::<f64>()?;
                    for (flows, sum) in self.flows.iter_mut().zip(sums) {
                        flows[column] += sum;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Covectors of the stream after a block's attention, `[n, pos, d_model]`, to those of the stream
/// before it by one head.
fn through_head(block: &FrozenLayer, head: usize, c: &Tensor) -> Result<Tensor> {
    let (n, pos, d_model) = c.dims3()?;
    let d_head = block.b_v.dim(1)?;
    let w_o_t = block.w_o_t.narrow(1, head * d_head, d_head)?.contiguous()?;
    let z = times(c, &w_o_t)?; // [n, query, d_head]
    let pattern_t = block.pattern.i(head)?.t()?.contiguous()?; // [key, query]
    let v = pattern_t
        .unsqueeze(0)?
        .broadcast_as((n, pos, pos))?
        .contiguous()?
        .matmul(&z)?;
    let w_v_t = block.w_v_t.narrow(0, head * d_head, d_head)?.contiguous()?;
    let read = times(&v, &w_v_t)?.reshape((n, pos, d_model))?;
    match &block.ln1 {
        None => Ok(read),
        Some(norm) => norm.transpose(&read),
    }
}

/// What every sender wrote.
fn written(frozen: &FrozenModel, sources: &Sources) -> Result<Vec<(Sender, Written)>> {
    let of_sender = |sender: Sender| -> Result<(Sender, Written)> {
        let written = match sender {
            Sender::Embed => rows(&frozen.embed)?,
            Sender::PosEmbed => rows(&frozen.pos_embed)?,
            Sender::Head { layer, head } => rows(&head_output(frozen, layer, head)?)?,
            Sender::Mlp { layer } => mlp_output(frozen, sources, layer)?,
        };
        Ok((sender, written))
    };
    let senders = Sender::all(frozen.model.cfg());
    senders.into_iter().map(of_sender).collect()
}

/// Vectors `[pos, d_model]` as one column a position.
fn rows(x: &Tensor) -> Result<Written> {
    (0..x.dim(0)?)
        .map(|p| Ok(vec![x.i(p)?.unsqueeze(1)?.contiguous()?]))
        .collect()
}

/// `z W_O` of one head, `[pos, d_model]`.
fn head_output(frozen: &FrozenModel, layer: usize, head: usize) -> Result<Tensor> {
    let point = BlockPoint::Z;
    let z = frozen.cache.at(HookName::Block { layer, point })?;
    let z = wide(&z.i((0, .., head))?)?; // [pos, d_head]
    let d_head = z.dim(1)?;
    let w_o_t = frozen.layers[layer]
        .w_o_t
        .narrow(1, head * d_head, d_head)?;
    Ok(z.matmul(&w_o_t.t()?.contiguous()?)?)
}

/// The features of a block, a column each, and its errors.
fn mlp_output(frozen: &FrozenModel, sources: &Sources, layer: usize) -> Result<Written> {
    let skips = frozen
        .transcoder(layer)
        .is_some_and(|transcoder| transcoder.w_skip_t.is_some());
    if skips {
        let reason = "components are defined for transcoders without a path around their features";
        let name = format!("of block {layer}, with W_skip");
        return Err(Error::argument("transcoder", name, reason));
    }
    let mut written = match &sources.errors[layer] {
        Some((_, errors)) => rows(errors)?,
        None => vec![Vec::new(); frozen.n_pos()],
    };
    for group in &sources.groups[layer] {
        written[group.position].push(group.written.t()?.contiguous()?);
    }
    Ok(written)
}
