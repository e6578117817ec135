//! The whole graph of a prompt: every node and every edge, before pruning.
//! `I = w (N + N^2 + ..)`, `N` the absolute edges with rows that sum to 1, `w` the probabilities.
//! Source: circuit-tracer 0.5, `Graph` and `graph.py`.

use super::config::{AttributionConfig, check_share};
use super::frozen::{ActiveFeature, FrozenModel};
use super::influence::{EdgeMatrix, GraphScores, cumulative};
use super::logit_targets::LogitTarget;
use super::node::{GraphEdge, GraphNode, GraphNodeKind, edge_frame, node_frame};
use super::pruned::PrunedGraph;
use crate::data::Tokenizer;
use crate::error::{Error, Result};
use polars::prelude::DataFrame;
use std::fmt;
use std::sync::Arc;

/// An attribution graph: what makes the logits of one prompt, made by
/// [`attribution_graph`](super::attribution_graph).
///
/// The influence of a node is that on the logits by all paths: of each target's incoming edges the
/// absolute values are shares of their sum, the share of a path is the product of its edges', and
/// logits count by their probability. Cloning is cheap but for the edges, which are a dense matrix.
#[derive(Clone)]
pub struct AttributionGraph {
    /// Features (by block, position and number), errors, tokens, positions, logits.
    pub nodes: Vec<GraphNode>,
    /// The prompt's tokens; their numbers until [`AttributionGraph::named`] gives them names.
    pub str_tokens: Vec<String>,
    /// Number of blocks.
    pub n_layers: usize,
    /// How much of the logits is explained.
    pub scores: GraphScores,
    /// What it was made and is pruned with.
    pub config: AttributionConfig,
    pub(super) matrix: EdgeMatrix,
    pub(super) frozen: Arc<FrozenModel>,
}

impl AttributionGraph {
    /// Of features and logits, the rows of `matrix` with their `biases`.
    pub(super) fn new(
        frozen: FrozenModel,
        features: Vec<ActiveFeature>,
        logits: &[LogitTarget],
        matrix: EdgeMatrix,
        biases: &[f64],
        config: &AttributionConfig,
    ) -> AttributionGraph {
        let weights: Vec<f64> = logits.iter().map(|logit| logit.probability).collect();
        let influence = matrix.node_influence(&weights);
        let shares = cumulative(&influence);
        let n_pos = frozen.n_pos();
        let mut nodes = target_nodes(&features, biases);
        nodes.extend(source_nodes(&frozen));
        for (i, node) in nodes.iter_mut().enumerate() {
            node.influence = Some(influence[i]);
            node.cumulative_influence = Some(shares[i]);
        }
        for (logit, &bias) in logits.iter().zip(&biases[features.len()..]) {
            let kind = GraphNodeKind::Logit { id: logit.id };
            nodes.push(GraphNode {
                value: Some(logit.value),
                bias: Some(bias),
                probability: Some(logit.probability),
                ..GraphNode::new(kind, n_pos - 1)
            });
        }
        let errors = features.len()..matrix.n_sources - 2 * n_pos;
        let graph = AttributionGraph {
            nodes,
            str_tokens: Vec::new(),
            n_layers: frozen.layers.len(),
            scores: matrix.scores(&weights, errors),
            config: config.clone(),
            matrix,
            frozen: Arc::new(frozen),
        };
        graph.with_names(|id| id.to_string())
    }

    /// The graph with the tokens' texts for their numbers.
    pub fn named(self, tokenizer: &Tokenizer) -> AttributionGraph {
        self.with_names(|id| tokenizer.token_str(id))
    }

    fn with_names(mut self, name: impl Fn(u32) -> String) -> AttributionGraph {
        self.str_tokens = self.frozen.ids.iter().map(|&id| name(id)).collect();
        for node in &mut self.nodes {
            node.token = match node.kind {
                GraphNodeKind::Logit { id } => name(id),
                _ => self.str_tokens[node.position].clone(),
            };
        }
        self
    }

    /// The index of the node of a kind at a position.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is none, with nodes that there are.
    pub fn find(&self, kind: GraphNodeKind, position: usize) -> Result<usize> {
        let place = |node: &GraphNode| node.kind == kind && node.position == position;
        self.nodes.iter().position(place).ok_or_else(|| {
            let same = |node: &&GraphNode| node.kind.name() == kind.name();
            let known = self.nodes.iter().filter(same).take(20);
            Error::NotFound {
                kind: "graph node",
                name: format!("{kind:?} at position {position}"),
                known: known.map(GraphNode::name).collect(),
            }
        })
    }

    /// The edges into a node that are not 0, the largest first; none for a node that is not a
    /// feature or logit.
    ///
    /// # Errors
    /// A node beyond the last.
    pub fn incoming(&self, target: usize) -> Result<Vec<GraphEdge>> {
        self.check_node(target)?;
        let Some(row) = self.matrix.row_of(target) else {
            return Ok(Vec::new());
        };
        let sources = self.matrix.row(row).iter().enumerate();
        Ok(largest_first(sources.map(|(source, &weight)| GraphEdge {
            source,
            target,
            weight,
        })))
    }

    /// The edges out of a node that are not 0, the largest first.
    ///
    /// # Errors
    /// A node beyond the last.
    pub fn outgoing(&self, source: usize) -> Result<Vec<GraphEdge>> {
        self.check_node(source)?;
        if source >= self.matrix.n_sources {
            return Ok(Vec::new());
        }
        let rows = 0..self.matrix.n_targets();
        Ok(largest_first(rows.map(|row| GraphEdge {
            source,
            target: self.matrix.node_of(row),
            weight: self.matrix.row(row)[source],
        })))
    }

    /// Every edge that is not 0, by target, the largest first.
    pub fn edges(&self) -> Vec<GraphEdge> {
        let rows = 0..self.matrix.n_targets();
        rows.filter_map(|row| self.incoming(self.matrix.node_of(row)).ok())
            .flatten()
            .collect()
    }

    /// Prunes with the thresholds of [`AttributionGraph::config`].
    ///
    /// # Errors
    /// Those of [`AttributionGraph::prune`].
    pub fn pruned(&self) -> Result<PrunedGraph> {
        self.prune(self.config.node_threshold, self.config.edge_threshold)
    }

    /// Keeps the most influential nodes that hold the share `node_threshold` of the influence
    /// together, all tokens and logits; between them the edges that hold `edge_threshold` of the
    /// edges' influence; and of these nodes those that lead from somewhere to a logit.
    ///
    /// # Errors
    /// A threshold outside 0 to 1.
    pub fn prune(&self, node_threshold: f64, edge_threshold: f64) -> Result<PrunedGraph> {
        check_share("node_threshold", node_threshold)?;
        check_share("edge_threshold", edge_threshold)?;
        let n_pos = self.str_tokens.len();
        let first_token = self.matrix.n_sources - 2 * n_pos;
        let tokens = first_token..first_token + n_pos;
        let thresholds = [node_threshold, edge_threshold];
        let kept = self.matrix.prune(&self.logit_weights(), tokens, thresholds);
        let mut new_index = vec![None; self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, node) in self
            .nodes
            .iter()
            .enumerate()
            .filter(|(i, _)| kept.nodes[*i])
        {
            new_index[i] = Some(nodes.len());
            nodes.push(node.clone());
        }
        let mut edges = Vec::new();
        for row in 0..self.matrix.n_targets() {
            let target = new_index[self.matrix.node_of(row)];
            let flags = &kept.edges[row * self.matrix.n_sources..][..self.matrix.n_sources];
            for (source, &weight) in self.matrix.row(row).iter().enumerate() {
                if let (true, Some(source), Some(target)) =
                    (flags[source], new_index[source], target)
                {
                    edges.push(GraphEdge {
                        source,
                        target,
                        weight,
                    });
                }
            }
        }
        Ok(PrunedGraph {
            nodes,
            edges,
            str_tokens: self.str_tokens.clone(),
            n_layers: self.n_layers,
            node_threshold,
            edge_threshold: Some(edge_threshold),
            scores: Some(self.scores),
            n_nodes_before: Some(self.nodes.len()),
            pinned: Vec::new(),
        })
    }

    /// One row a node: `node`, `kind`, `layer`, `feature`, `position`, `token`, `activation`,
    /// `value`, `bias`, `probability`, `influence`, `cumulative_influence`, `label`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        node_frame(&self.nodes)
    }

    /// One row an edge that is not 0: `source`, `target` (indices of nodes), `source_name`,
    /// `target_name`, `weight`.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn edge_frame(&self) -> Result<DataFrame> {
        edge_frame(&self.nodes, &self.edges())
    }

    /// Number of feature nodes.
    pub fn n_features(&self) -> usize {
        self.matrix.n_features
    }

    pub(super) fn logit_weights(&self) -> Vec<f64> {
        let logits = &self.nodes[self.matrix.n_sources..];
        let probabilities = logits.iter().map(|node| node.probability.unwrap_or(0.0));
        probabilities.collect()
    }

    fn check_node(&self, node: usize) -> Result<()> {
        match node < self.nodes.len() {
            true => Ok(()),
            false => {
                let rule = format!("must be below {}, the number of nodes", self.nodes.len());
                Err(Error::argument("node", node, rule))
            }
        }
    }
}

/// The nodes of features, with what biases add to them.
fn target_nodes(features: &[ActiveFeature], biases: &[f64]) -> Vec<GraphNode> {
    let nodes = features.iter().zip(biases).map(|(active, &bias)| {
        let (layer, feature) = (active.layer, active.feature);
        GraphNode {
            activation: Some(active.activation),
            value: Some(active.pre_activation),
            bias: Some(bias),
            ..GraphNode::new(GraphNodeKind::Feature { layer, feature }, active.position)
        }
    });
    nodes.collect()
}

/// The nodes of errors, tokens and positions.
fn source_nodes(frozen: &FrozenModel) -> Vec<GraphNode> {
    let n_pos = frozen.n_pos();
    let mut nodes = Vec::new();
    for layer in frozen.mlp_layers() {
        nodes.extend((0..n_pos).map(|p| GraphNode::new(GraphNodeKind::Error { layer }, p)));
    }
    let ids = frozen.ids.iter().enumerate();
    nodes.extend(ids.map(|(p, &id)| GraphNode::new(GraphNodeKind::Token { id }, p)));
    nodes.extend((0..n_pos).map(|p| GraphNode::new(GraphNodeKind::Position, p)));
    nodes
}

fn largest_first(edges: impl Iterator<Item = GraphEdge>) -> Vec<GraphEdge> {
    let mut edges: Vec<GraphEdge> = edges.filter(|edge| edge.weight != 0.0).collect();
    edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
    edges
}

impl fmt::Display for AttributionGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = |name: &str| self.nodes.iter().filter(|n| n.kind.name() == name).count();
        write!(
            f,
            "attribution graph of {} tokens through {} blocks: {} features, {} errors, {} logits; \
             replacement score {:.3}, completeness {:.3}",
            self.str_tokens.len(),
            self.n_layers,
            n("feature"),
            n("error"),
            n("logit"),
            self.scores.replacement_score,
            self.scores.completeness
        )
    }
}

impl fmt::Debug for AttributionGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttributionGraph")
            .field("n_nodes", &self.nodes.len())
            .field("str_tokens", &self.str_tokens)
            .field("scores", &self.scores)
            .finish_non_exhaustive()
    }
}
