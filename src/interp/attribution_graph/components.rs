//! A graph seen from afar: influence between heads, MLPs and embeddings in place of features.
//! `score = sum_t w_t sum |c . written| / sum_s |A[t, s]|`, `w_t` the influence of target `t`.
//! Source: the influence of circuit-tracer 0.5; components as in Conmy et al. 2023 (ACDC).

use super::attribution::feature_targets;
use super::config::AttributionConfig;
use super::frozen::{ActiveFeature, Sources, Target, component_flows};
use super::graph::AttributionGraph;
use super::logit_targets::logit_targets;
use super::node::GraphNodeKind;
use crate::error::{Error, Result};
use crate::model::Edge;
use std::fmt;

/// The influence that passes along one edge between components.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ComponentInfluence {
    /// From a head, an MLP or an embedding to the input of one, or to the logits.
    pub edge: Edge,
    /// At least 0.
    pub influence: f64,
}

impl fmt::Display for ComponentInfluence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:.4}", self.edge, self.influence)
    }
}

impl AttributionGraph {
    /// The graph's influence as edges between components, all of [`Edge::all`], in its order.
    ///
    /// Each target (feature or logit) has an influence, and its incoming edges are shares of it, as in
    /// [`AttributionGraph`]. A share is laid along every component edge that it passes: into the MLP of
    /// a feature or the logits, and into the values of each head on the way; it is summed over features
    /// and positions, and over targets. A head's own output at a position counts as one node. Logits
    /// count alike, whatever their probability.
    ///
    /// Patterns are constants of the graph, so that the influence through queries and keys is 0: the
    /// graph does not say why a head attends where it does.
    ///
    /// # Errors
    /// A transcoder with a path around its features.
    pub fn component_influence(&self) -> Result<Vec<ComponentInfluence>> {
        let frozen = &self.frozen;
        let features = self.active_features();
        let logits = logit_targets(frozen, &self.logit_config())?;
        let mut targets: Vec<Target> = Vec::new();
        for of_layer in features.chunk_by(|a, b| a.layer == b.layer) {
            targets.extend(feature_targets(frozen, of_layer)?);
        }
        targets.extend(logits.into_iter().map(|logit| logit.target));
        let sources = Sources::new(frozen, features)?;
        let edges = Edge::all(frozen.model.cfg());
        let n_logits = self.matrix.n_logits;
        let of_logits = vec![1.0 / n_logits.max(1) as f64; n_logits];
        let mut weights = self.matrix.node_influence(&of_logits);
        weights.truncate(self.matrix.n_features);
        weights.extend(of_logits);
        let mut influence = vec![0.0; edges.len()];
        let rows = targets.chunks(self.config.batch_size);
        for (batch, targets) in rows.enumerate() {
            let flows = component_flows(frozen, &sources, targets, &edges)?;
            for (i, flows) in flows.iter().enumerate() {
                let row = batch * self.config.batch_size + i;
                let sum: f64 = self.matrix.row(row).iter().map(|x| x.abs()).sum();
                // A target without incoming edges passes nothing on.
                if sum > 0.0 {
                    let shares = influence.iter_mut().zip(flows);
                    shares.for_each(|(total, flow)| *total += weights[row] * flow / sum);
                }
            }
        }
        if let Some(at) = influence.iter().position(|x| !x.is_finite()) {
            return Err(Error::NotFiniteAt {
                what: "the influence between components".to_owned(),
                value: influence[at],
                place: edges[at].to_string(),
            });
        }
        let pairs = edges.into_iter().zip(influence);
        Ok(pairs
            .map(|(edge, influence)| ComponentInfluence { edge, influence })
            .collect())
    }

    /// The configuration that asks for this graph's logits by name.
    fn logit_config(&self) -> AttributionConfig {
        let logits = &self.nodes[self.matrix.n_sources..];
        let targets = logits.iter().filter_map(|node| match node.kind {
            GraphNodeKind::Logit { id } => Some(id),
            _ => None,
        });
        AttributionConfig {
            targets: targets.collect(),
            ..self.config.clone()
        }
    }

    /// The feature nodes, in their order.
    fn active_features(&self) -> Vec<ActiveFeature> {
        let nodes = self.nodes[..self.matrix.n_features].iter();
        let features = nodes.filter_map(|node| match node.kind {
            GraphNodeKind::Feature { layer, feature } => Some(ActiveFeature {
                layer,
                position: node.position,
                feature,
                activation: node.activation?,
                pre_activation: node.value?,
            }),
            _ => None,
        });
        features.collect()
    }
}
