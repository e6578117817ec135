//! Nodes and edges of a graph, and their frames.
//! An edge is what its source adds to its target: `a_s written_s . c_t`, in units of the target.
//! Source: circuit-tracer's nodes, and position embeddings as nodes of their own.

use crate::error::Result;
use crate::show::visible_token;
use polars::prelude::{DataFrame, df};

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GraphNodeKind {
    /// A feature of the transcoder of one block.
    Feature { layer: usize, feature: usize },
    /// What the features of a block leave of its MLP's output; all of that where the block has no
    /// transcoder.
    Error { layer: usize },
    /// The embedding of the token.
    Token { id: u32 },
    /// The embedding of the position; nothing where positions are rotary.
    Position,
    /// The logit of a token at the last position, less the mean of all logits.
    Logit { id: u32 },
}

impl GraphNodeKind {
    /// `feature`, `error`, `token`, `position` or `logit`.
    pub fn name(self) -> &'static str {
        match self {
            GraphNodeKind::Feature { .. } => "feature",
            GraphNodeKind::Error { .. } => "error",
            GraphNodeKind::Token { .. } => "token",
            GraphNodeKind::Position => "position",
            GraphNodeKind::Logit { .. } => "logit",
        }
    }

    /// The block, of features and errors.
    pub fn layer(self) -> Option<usize> {
        match self {
            GraphNodeKind::Feature { layer, .. } | GraphNodeKind::Error { layer } => Some(layer),
            _ => None,
        }
    }
}

/// A node of an attribution graph. A value that the node has not, or that a file did not hold, is
/// `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphNode {
    /// What it stands for.
    pub kind: GraphNodeKind,
    /// Position in the prompt; of a logit the last one.
    pub position: usize,
    /// The token predicted, of a logit; that at the position, of all others.
    pub token: String,
    /// Of a feature: what it is on this prompt.
    pub activation: Option<f64>,
    /// Of a feature: before the activation function. Of a logit: less the mean of all logits. Edges
    /// into the node and `bias` sum to it.
    pub value: Option<f64>,
    /// Of a feature or logit: what all biases of the model and its transcoders add, its own included.
    /// Biases have no nodes.
    pub bias: Option<f64>,
    /// Of a logit: the probability of the token.
    pub probability: Option<f64>,
    /// Influence on the logits by all paths, as [`super::AttributionGraph`] defines it.
    pub influence: Option<f64>,
    /// Share of the influence that this node and all more influential ones hold together.
    pub cumulative_influence: Option<f64>,
    /// What a reader calls it; empty at first.
    pub label: String,
}

impl GraphNode {
    /// A node of which nothing else is known yet.
    pub(super) fn new(kind: GraphNodeKind, position: usize) -> GraphNode {
        GraphNode {
            kind,
            position,
            token: String::new(),
            activation: None,
            value: None,
            bias: None,
            probability: None,
            influence: None,
            cumulative_influence: None,
            label: String::new(),
        }
    }

    /// A short name: `L0 #12 @3` for feature 12 of block 0 at position 3.
    pub fn name(&self) -> String {
        let (p, token) = (self.position, visible_token(&self.token));
        match self.kind {
            GraphNodeKind::Feature { layer, feature } => format!("L{layer} #{feature} @{p}"),
            GraphNodeKind::Error { layer } => format!("L{layer} error @{p}"),
            GraphNodeKind::Token { .. } => format!("token {token} @{p}"),
            GraphNodeKind::Position => format!("position {p}"),
            GraphNodeKind::Logit { .. } => format!("logit {token}"),
        }
    }
}

/// What one node adds to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GraphEdge {
    /// Index of the node that adds.
    pub source: usize,
    /// Index of the node that is added to.
    pub target: usize,
    /// What is added, in units of the target's value.
    pub weight: f64,
}

/// One row a node.
pub(super) fn node_frame(nodes: &[GraphNode]) -> Result<DataFrame> {
    let of = |value: fn(&GraphNode) -> Option<f64>| nodes.iter().map(value).collect::<Vec<_>>();
    let whole = |value: fn(&GraphNode) -> Option<usize>| {
        let values = nodes.iter().map(|n| value(n).map(|v| v as u32));
        values.collect::<Vec<Option<u32>>>()
    };
    Ok(df![
        "node" => (0..nodes.len() as u32).collect::<Vec<u32>>(),
        "kind" => nodes.iter().map(|n| n.kind.name()).collect::<Vec<_>>(),
        "layer" => whole(|n| n.kind.layer()),
        "feature" => whole(|n| match n.kind {
            GraphNodeKind::Feature { feature, .. } => Some(feature),
            _ => None,
        }),
        "position" => nodes.iter().map(|n| n.position as u32).collect::<Vec<_>>(),
        "token" => nodes.iter().map(|n| n.token.as_str()).collect::<Vec<_>>(),
        "activation" => of(|n| n.activation),
        "value" => of(|n| n.value),
        "bias" => of(|n| n.bias),
        "probability" => of(|n| n.probability),
        "influence" => of(|n| n.influence),
        "cumulative_influence" => of(|n| n.cumulative_influence),
        "label" => nodes.iter().map(|n| n.label.as_str()).collect::<Vec<_>>(),
    ]?)
}

/// One row an edge, with the names of its ends.
pub(super) fn edge_frame(nodes: &[GraphNode], edges: &[GraphEdge]) -> Result<DataFrame> {
    let names: Vec<String> = nodes.iter().map(GraphNode::name).collect();
    let of = |end: fn(&GraphEdge) -> usize| edges.iter().map(end).collect::<Vec<usize>>();
    let (sources, targets) = (of(|e| e.source), of(|e| e.target));
    let index = |ends: &[usize]| ends.iter().map(|&i| i as u32).collect::<Vec<u32>>();
    let name = |ends: &[usize]| {
        let names = ends.iter().map(|&i| names[i].as_str());
        names.collect::<Vec<&str>>()
    };
    Ok(df![
        "source" => index(&sources),
        "target" => index(&targets),
        "source_name" => name(&sources),
        "target_name" => name(&targets),
        "weight" => edges.iter().map(|e| e.weight).collect::<Vec<f64>>(),
    ]?)
}
