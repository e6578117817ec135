//! A pruned graph as a picture: blocks upwards, positions across, embeddings below, logits above.
//! Shapes say what a node is, widths what share of its target's edges an edge has, dashes its sign.
//! Source: the layout of circuit-tracer's and Neuronpedia's frontends.

mod layout;
mod nodes;
mod svg;

use super::graph::AttributionGraph;
use super::pruned::PrunedGraph;
use crate::error::Result;
use crate::show::{Figure, shows_itself};

impl PrunedGraph {
    /// The picture. What a node is and where it comes from is read on hover; pinned nodes carry their
    /// names, and where there are none the most influential features do.
    ///
    /// # Errors
    /// [`crate::Error::Draw`] for a graph without nodes.
    pub fn figure(&self) -> Result<Figure> {
        svg::figure(self, "")
    }

    /// [`PrunedGraph::figure`] with a title.
    ///
    /// # Errors
    /// Those of [`PrunedGraph::figure`].
    pub fn titled_figure(&self, title: &str) -> Result<Figure> {
        svg::figure(self, title)
    }
}

shows_itself!(PrunedGraph, |it| it.figure()?);

shows_itself!(AttributionGraph, |it| it.pruned()?);

#[cfg(test)]
mod tests;
