//! An attribution graph to walk through.
//! Source: the graphs of circuit-tracer and of Ameisen et al. 2025, "Circuit tracing".

use crate::error::Result;
use crate::interp::{GraphNode, GraphNodeKind, PrunedGraph};
use crate::show::{MimeBundle, Show};
use crate::widgets::views::PAGE_MIME;
use crate::widgets::views::source::{named_view, view, with_static_form};
use crate::widgets::{AnyWidget, Widget};
use serde_json::{Value, json};

/// An interactive view of a pruned attribution graph.
#[derive(Clone)]
pub struct GraphBrowser {
    view: AnyWidget,
    graph: PrunedGraph,
}

/// Shows an attribution graph, layers by positions: choose a node for what it reads and writes, pin
/// nodes, and hide those of little influence. It needs no kernel, and stays alive on an exported page.
///
/// ```no_run
/// # use holoscope::prelude::*;
/// # use holoscope::interp::AttributionGraph;
/// # use holoscope::widgets::attribution_graph_view;
/// # fn show(graph: &AttributionGraph) -> Result<()> {
/// attribution_graph_view(&graph.pruned()?);
/// # Ok(())
/// # }
/// ```
pub fn attribution_graph_view(graph: &PrunedGraph) -> GraphBrowser {
    let view = view(
        "GraphBrowser",
        include_str!("view.js"),
        include_str!("view.css"),
    )
    .with("graph", described(graph))
    .with("threshold", 1.0)
    .with("selected", -1)
    .with("pinned", json!(graph.pinned));
    GraphBrowser {
        view,
        graph: graph.clone(),
    }
}

/// The graph as the view reads it.
fn described(graph: &PrunedGraph) -> Value {
    let nodes: Vec<Value> = graph
        .nodes
        .iter()
        .map(|n| node(n, graph.n_layers))
        .collect();
    let edges: Vec<Value> = graph
        .edges
        .iter()
        .map(|edge| json!([edge.source, edge.target, rounded(edge.weight)]))
        .collect();
    let scores = graph.scores.map(|scores| {
        json!({
            "replacement": finite(scores.replacement_score),
            "completeness": finite(scores.completeness),
        })
    });
    json!({
        "prompt": graph.str_tokens,
        "n_layers": graph.n_layers,
        "nodes": nodes,
        "edges": edges,
        "scores": scores.unwrap_or(json!({"replacement": null, "completeness": null})),
    })
}

fn node(node: &GraphNode, n_layers: usize) -> Value {
    let layer = match node.kind {
        GraphNodeKind::Feature { layer, .. } | GraphNodeKind::Error { layer } => layer as i64,
        GraphNodeKind::Token { .. } | GraphNodeKind::Position => -1,
        GraphNodeKind::Logit { .. } => n_layers as i64,
    };
    let feature = match node.kind {
        GraphNodeKind::Feature { feature, .. } => Some(feature),
        _ => None,
    };
    let label = match node.label.is_empty() {
        true => node.name(),
        false => node.label.clone(),
    };
    let number = |value: Option<f64>| value.map_or(Value::Null, rounded);
    json!({
        "kind": node.kind.name(),
        "layer": layer,
        "pos": node.position,
        "label": label,
        "feature": feature,
        "value": number(node.activation.or(node.value)),
        "influence": number(node.influence),
        "share": number(node.cumulative_influence),
        "probability": number(node.probability),
    })
}

/// Five digits are enough to look at, and a graph has thousands of numbers.
fn rounded(value: f64) -> Value {
    finite(format!("{value:.4e}").parse().unwrap_or(value))
}

/// JSON has no NaN and no infinity.
fn finite(value: f64) -> Value {
    match value.is_finite() {
        true => value.into(),
        false => Value::Null,
    }
}

impl GraphBrowser {
    /// The widget behind the view, as containers take it.
    pub fn widget(&self) -> Widget {
        self.view.widget()
    }
}

impl Show for GraphBrowser {
    /// The view, and the graph's drawing for what shows no widgets.
    fn mime_bundle(&self) -> Result<MimeBundle> {
        let mut state = json!({});
        for key in ["graph", "threshold", "selected", "pinned"] {
            state[key] = self.view.get(key);
        }
        let live = json!({"view": "graph", "state": state});
        let bundle = with_static_form(&self.view, &self.graph)?;
        Ok(bundle.with(PAGE_MIME, live.to_string()))
    }
}

named_view!(GraphBrowser);
