//! What is left of a graph after pruning: what is drawn, read and written to files.
//! Source: circuit-tracer 0.5, `prune_graph` and `create_graph_files`.

use super::influence::GraphScores;
use super::node::{GraphEdge, GraphNode, edge_frame, node_frame};
use crate::error::{Error, Result};
use polars::prelude::DataFrame;
use std::fmt;

/// A pruned attribution graph, made by [`prune`](super::AttributionGraph::prune) or read from a file.
/// What the file did not hold is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct PrunedGraph {
    /// In the order of the whole graph.
    pub nodes: Vec<GraphNode>,
    /// Between these nodes, by target.
    pub edges: Vec<GraphEdge>,
    /// The prompt's tokens.
    pub str_tokens: Vec<String>,
    /// Number of blocks.
    pub n_layers: usize,
    /// The share of the influence that the nodes were to hold.
    pub node_threshold: f64,
    /// The share of the edges' influence that the edges were to hold.
    pub edge_threshold: Option<f64>,
    /// The scores of the whole graph.
    pub scores: Option<GraphScores>,
    /// Number of nodes of the whole graph.
    pub n_nodes_before: Option<usize>,
    /// Indices of the nodes that a reader has singled out; drawn with their names.
    pub pinned: Vec<usize>,
}

impl PrunedGraph {
    /// The graph with these nodes singled out in drawings and files.
    ///
    /// # Errors
    /// An index beyond the last node.
    pub fn pin(mut self, nodes: &[usize]) -> Result<PrunedGraph> {
        if let Some(bad) = nodes.iter().find(|&&node| node >= self.nodes.len()) {
            let rule = format!("must be below {}, the number of nodes", self.nodes.len());
            return Err(Error::argument("pinned node", bad, rule));
        }
        self.pinned = nodes.to_vec();
        self.pinned.sort_unstable();
        self.pinned.dedup();
        Ok(self)
    }

    /// One row a node, as [`frame`](super::AttributionGraph::frame) of the whole graph.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn frame(&self) -> Result<DataFrame> {
        node_frame(&self.nodes)
    }

    /// One row an edge, as [`edge_frame`](super::AttributionGraph::edge_frame) of the whole graph.
    ///
    /// # Errors
    /// [`Error::Polars`] when the frame cannot be made.
    pub fn edge_frame(&self) -> Result<DataFrame> {
        edge_frame(&self.nodes, &self.edges)
    }
}

impl fmt::Display for PrunedGraph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "attribution graph of {} tokens: {} nodes",
            self.str_tokens.len(),
            self.nodes.len()
        )?;
        if let Some(before) = self.n_nodes_before {
            write!(f, " of {before}")?;
        }
        write!(f, ", {} edges", self.edges.len())?;
        if let Some(scores) = self.scores {
            let (replacement, complete) = (scores.replacement_score, scores.completeness);
            write!(
                f,
                "; replacement score {replacement:.3}, completeness {complete:.3}"
            )?;
        }
        Ok(())
    }
}
