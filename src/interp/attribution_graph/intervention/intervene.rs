//! Features scaled, and what that does to the others and to the logits: predicted and measured.
//! `d value_t = sum_s A[t, s] (d a_s / a_s)`, in the order of the blocks.
//! Source: Ameisen et al. 2025, "Circuit Tracing", evaluation by perturbation experiments.

use super::super::frozen::{FrozenModel, FrozenTranscoder};
use super::super::graph::AttributionGraph;
use super::super::node::{GraphNode, GraphNodeKind};
use super::hooked::{HookedRun, Replacement, hooked_run};
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use polars::prelude::{DataFrame, df};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How the rest of the model takes a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InterventionMode {
    /// Patterns, scales and all other features stay as they are: the direct effect, one edge long.
    Held,
    /// Patterns and scales stay; features that are nodes move by what their pre-activation moves,
    /// without activation function: the effect by all paths, and what the graph predicts exactly.
    Linear,
    /// Nothing stays: the model itself, its own MLPs included, with the feature's change added to the
    /// output of its MLP, or of the MLPs that it writes to.
    Real,
}

/// What an intervention does to one feature or logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterventionEffect {
    /// Index of the node.
    pub node: usize,
    /// The change of its value that the edges predict; in [`InterventionMode::Held`] by edges of the
    /// changed features, otherwise by all paths.
    pub predicted: f64,
    /// The change of its value in the pass.
    pub measured: f64,
}

/// What an intervention does to every feature and logit behind it.
#[derive(Debug, Clone, PartialEq)]
pub struct InterventionEffects {
    /// How the rest of the model took it.
    pub mode: InterventionMode,
    /// The nodes changed, and by what their activations were multiplied.
    pub changes: Vec<(usize, f64)>,
    /// Features of later blocks, and logits; in the order of nodes.
    pub effects: Vec<InterventionEffect>,
}

impl InterventionEffects {
    /// One row an effect: `node`, `predicted`, `measured`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        let of = |value: fn(&InterventionEffect) -> f64| {
            let values = self.effects.iter().map(value);
            values.collect::<Vec<f64>>()
        };
        let nodes = self.effects.iter().map(|effect| effect.node as u32);
        Ok(df![
            "node" => nodes.collect::<Vec<u32>>(),
            "predicted" => of(|e| e.predicted),
            "measured" => of(|e| e.measured),
        ]?)
    }
}

impl AttributionGraph {
    /// Multiplies the activations of features by factors (0: ablates them), given as pairs of a node
    /// and a factor, and says what that does to features of later blocks and to logits.
    ///
    /// # Errors
    /// No change, a node that is no feature or is changed twice, a factor that is not finite.
    pub fn intervene(
        &self,
        changes: &[(usize, f64)],
        mode: InterventionMode,
    ) -> Result<InterventionEffects> {
        let first_layer = self.check_changes(changes)?;
        let predicted = self.predicted(changes, mode);
        let plan = Plan::new(self, changes, mode);
        let frozen = self.frozen.clone();
        // The changes of earlier blocks, which a cross-layer transcoder writes to later ones, too.
        let changed: RefCell<BTreeMap<usize, Vec<f32>>> = RefCell::default();
        let added: Rc<Replacement> = Rc::new(move |layer, x| {
            let own = plan.layers.get(&layer).zip(frozen.transcoder(layer));
            if let Some((features, transcoder)) = own {
                let changes = changes_of(transcoder, features, x, plan.linear)?;
                changed.borrow_mut().insert(layer, changes);
            }
            written(&frozen, &plan, &changed.borrow(), layer, x.dims2()?)
        });
        let freeze = mode != InterventionMode::Real;
        let run = hooked_run(&self.frozen, freeze, added, Vec::new())?;
        let measured = self.measured(&run)?;
        let behind = |node: &GraphNode| match node.kind {
            GraphNodeKind::Feature { layer, .. } => layer > first_layer,
            _ => true,
        };
        let rows = 0..self.matrix.n_targets();
        let effects = rows.map(|row| InterventionEffect {
            node: self.matrix.node_of(row),
            predicted: predicted[row],
            measured: measured[row],
        });
        Ok(InterventionEffects {
            mode,
            changes: changes.to_vec(),
            effects: effects.filter(|e| behind(&self.nodes[e.node])).collect(),
        })
    }

    /// The first block that is changed.
    fn check_changes(&self, changes: &[(usize, f64)]) -> Result<usize> {
        let mut first = None;
        for (i, &(node, factor)) in changes.iter().enumerate() {
            let kind = self.nodes.get(node).map(|node| node.kind);
            let Some(GraphNodeKind::Feature { layer, .. }) = kind else {
                let n = self.n_features();
                let rule = format!("must be a feature, that is below {n}");
                return Err(Error::argument("node", node, rule));
            };
            if !factor.is_finite() {
                let reason = "must be finite";
                return Err(Error::argument(
                    "the factor of an activation",
                    factor,
                    reason,
                ));
            }
            if changes[..i].iter().any(|&(other, _)| other == node) {
                return Err(Error::argument("node", node, "is changed twice"));
            }
            first = Some(first.map_or(layer, |known: usize| known.min(layer)));
        }
        first.ok_or_else(|| Error::argument("changes", "[]", "there must be at least one"))
    }

    /// The change of every target's value that the edges predict.
    fn predicted(&self, changes: &[(usize, f64)], mode: InterventionMode) -> Vec<f64> {
        // By what share of itself each feature changes.
        let mut share = vec![0.0; self.matrix.n_features];
        let mut changed = vec![false; self.matrix.n_features];
        for &(node, factor) in changes {
            share[node] = factor - 1.0;
            changed[node] = true;
        }
        let mut values = Vec::with_capacity(self.matrix.n_targets());
        // Features are sorted by block: those that a row needs are known.
        for row in 0..self.matrix.n_targets() {
            let edges = self.matrix.row(row).iter().zip(&share);
            let value: f64 = edges.map(|(edge, share)| edge * share).sum();
            values.push(value);
            let responds = mode != InterventionMode::Held && row < share.len() && !changed[row];
            if responds && let Some(activation) = self.nodes[row].activation {
                share[row] = value / activation;
            }
        }
        values
    }

    /// The change of every target's value in a pass.
    fn measured(&self, run: &HookedRun) -> Result<Vec<f64>> {
        let mut pre: BTreeMap<usize, Vec<Vec<f32>>> = BTreeMap::new();
        for (&layer, x) in &run.inputs {
            if let Some(transcoder) = self.frozen.transcoder(layer) {
                pre.insert(layer, pre_activations(transcoder, x)?);
            }
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let shift = mean(&run.logits) - mean(&self.frozen.logits);
        let rows = 0..self.matrix.n_targets();
        let change = |row| {
            let node = &self.nodes[self.matrix.node_of(row)];
            match node.kind {
                GraphNodeKind::Feature { layer, feature } => {
                    let now = pre.get(&layer).map(|pre| pre[node.position][feature]);
                    now.map_or(0.0, f64::from) - node.value.unwrap_or(0.0)
                }
                GraphNodeKind::Logit { id } => {
                    let id = id as usize;
                    run.logits[id] - self.frozen.logits[id] - shift
                }
                _ => 0.0,
            }
        };
        Ok(rows.map(change).collect())
    }
}

fn pre_activations(transcoder: &FrozenTranscoder, x: &Tensor) -> Result<Vec<Vec<f32>>> {
    let x = x.to_device(transcoder.transcoder.device())?;
    Ok(transcoder.transcoder.pre_activations(&x)?.to_vec2()?)
}

/// A feature whose activation changes, or may.
struct Planned {
    position: usize,
    feature: usize,
    /// The change, where it is given; `None` for a feature that responds.
    change: Option<f64>,
    value: f64,
}

/// What changes, by block.
struct Plan {
    layers: BTreeMap<usize, Vec<Planned>>,
    linear: bool,
}

impl Plan {
    fn new(graph: &AttributionGraph, changes: &[(usize, f64)], mode: InterventionMode) -> Plan {
        let linear = mode == InterventionMode::Linear;
        let factors: BTreeMap<usize, f64> = changes.iter().copied().collect();
        let mut layers: BTreeMap<usize, Vec<Planned>> = BTreeMap::new();
        for (i, node) in graph.nodes[..graph.n_features()].iter().enumerate() {
            let factor = factors.get(&i);
            let GraphNodeKind::Feature { layer, feature } = node.kind else {
                continue;
            };
            if factor.is_some() || linear {
                let activation = node.activation.unwrap_or(0.0);
                layers.entry(layer).or_default().push(Planned {
                    position: node.position,
                    feature,
                    change: factor.map(|factor| (factor - 1.0) * activation),
                    value: node.value.unwrap_or(0.0),
                });
            }
        }
        Plan { layers, linear }
    }
}

/// By how much the features of a block change, one after the other.
fn changes_of(
    transcoder: &FrozenTranscoder,
    features: &[Planned],
    x: &Tensor,
    linear: bool,
) -> Result<Vec<f32>> {
    let pre = match linear {
        true => Some(pre_activations(transcoder, x)?),
        false => None,
    };
    let change = |planned: &Planned| {
        let responded = pre.as_ref().map_or(0.0, |pre| {
            f64::from(pre[planned.position][planned.feature]) - planned.value
        });
        planned.change.unwrap_or(responded) as f32
    };
    Ok(features.iter().map(change).collect())
}

/// What the changed features add to the output of the MLP of block `layer`, `[pos, d_model]`.
fn written(
    frozen: &FrozenModel,
    plan: &Plan,
    changed: &BTreeMap<usize, Vec<f32>>,
    layer: usize,
    (n_pos, d_model): (usize, usize),
) -> Result<Option<Tensor>> {
    let mut sum: Option<Vec<f32>> = None;
    for (&from, changes) in changed.range(..=layer) {
        let decoder = frozen.transcoder(from);
        let decoder = decoder.and_then(|transcoder| transcoder.decoder_to(from, layer));
        let (Some(decoder), Some(features)) = (decoder, plan.layers.get(&from)) else {
            continue;
        };
        let ids: Vec<u32> = features.iter().map(|f| f.feature as u32).collect();
        let ids = Tensor::new(ids, decoder.device())?;
        let rows = decoder.index_select(&ids, 0)?.to_vec2::<f32>()?;
        let sum = sum.get_or_insert_with(|| vec![0f32; n_pos * d_model]);
        for ((planned, change), row) in features.iter().zip(changes).zip(rows) {
            let at = &mut sum[planned.position * d_model..][..d_model];
            for (sum, w) in at.iter_mut().zip(row) {
                *sum += change * w;
            }
        }
    }
    let tensor = |sum| Tensor::from_vec(sum, (n_pos, d_model), &Device::Cpu);
    Ok(sum.map(tensor).transpose()?)
}
