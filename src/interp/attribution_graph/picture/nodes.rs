//! Marks and hover texts of nodes: a circle, diamond, square, triangle or box by kind.
//! A feature's radius grows with the root of its influence.
//! Source: the marks of circuit-tracer's frontend.

use super::super::node::{GraphEdge, GraphNode, GraphNodeKind};
use super::super::pruned::PrunedGraph;
use super::layout::{LOGIT_HEIGHT, Layout, logit_text, short};
use crate::show::color::{CATEGORIES, Rgb};
use crate::show::{CARD_FILL, INK, escape, format_number};
use std::fmt::Write;

/// Pixels of the smallest and largest feature, and of other marks.
const LEAST: f64 = 4.0;
const MOST: f64 = 8.5;
const OTHER: f64 = 5.5;
/// Edges named in a hover text, each way.
const NAMED_EDGES: usize = 3;

const FEATURE: Rgb = CATEGORIES[5];
const ERROR: Rgb = Rgb(0xb4, 0xb4, 0xb0);
const TOKEN: Rgb = CATEGORIES[4];
const POSITION: Rgb = CATEGORIES[3];
const LOGIT: Rgb = CATEGORIES[2];

/// A node's mark around a centre, without its text.
pub(super) fn mark(kind: GraphNodeKind, (x, y): (f64, f64), r: f64, width: f64) -> String {
    let polygon = |points: &[(f64, f64)], fill: Rgb| {
        let points: Vec<String> = points
            .iter()
            .map(|(dx, dy)| format!("{:.1},{:.1}", x + r * dx, y + r * dy))
            .collect();
        let points = points.join(" ");
        format!("<polygon points=\"{points}\" fill=\"{}\"", fill.hex())
    };
    match kind {
        GraphNodeKind::Feature { .. } => format!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\" fill=\"{}\"",
            FEATURE.hex()
        ),
        GraphNodeKind::Error { .. } => {
            let points = [(0.0, -1.2), (1.2, 0.0), (0.0, 1.2), (-1.2, 0.0)];
            polygon(&points, ERROR)
        }
        GraphNodeKind::Token { .. } => {
            polygon(&[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], TOKEN)
        }
        GraphNodeKind::Position => polygon(&[(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)], POSITION),
        GraphNodeKind::Logit { .. } => format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{LOGIT_HEIGHT}\" rx=\"4\" \
             fill=\"{}\" fill-opacity=\".35\"",
            x - width / 2.0,
            y - LOGIT_HEIGHT / 2.0,
            LOGIT.hex()
        ),
    }
}

/// Pixels from a node's centre to its lower and upper end.
pub(super) fn reach(graph: &PrunedGraph, node: usize, most: f64) -> f64 {
    match graph.nodes[node].kind {
        GraphNodeKind::Feature { .. } => {
            let influence = graph.nodes[node].influence.unwrap_or(0.0);
            match most > 0.0 {
                true => LEAST + (MOST - LEAST) * (influence / most).sqrt(),
                false => LEAST + 1.0,
            }
        }
        GraphNodeKind::Logit { .. } => LOGIT_HEIGHT / 2.0,
        _ => OTHER,
    }
}

/// Every node with its hover text; pinned ones with a heavy outline.
pub(super) fn draw(graph: &PrunedGraph, layout: &Layout, radii: &[f64], named: &[usize]) -> String {
    let mut svg = String::new();
    for (i, node) in graph.nodes.iter().enumerate() {
        let place = layout.places[i];
        let pinned = graph.pinned.contains(&i);
        let stroke = if pinned { 2.6 } else { 0.9 };
        let _ = write!(
            svg,
            "<g><title>{}</title>{} stroke=\"{INK}\" stroke-width=\"{stroke}\"/>",
            escape(&hover(graph, i)),
            mark(node.kind, place, radii[i], layout.box_widths[i])
        );
        if let GraphNodeKind::Logit { .. } = node.kind {
            let (x, y) = (place.0, place.1 + 4.0);
            let text = escape(&logit_text(node));
            let _ = write!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"12\">{text}</text>"
            );
        }
        svg.push_str("</g>");
    }
    svg.push_str(&names(graph, layout, radii, named));
    svg
}

/// The names of these nodes above their marks, higher where one would cover another.
fn names(graph: &PrunedGraph, layout: &Layout, radii: &[f64], named: &[usize]) -> String {
    let mut svg = String::new();
    // Centre, half the width and height of those that are written.
    let mut written: Vec<(f64, f64, f64)> = Vec::new();
    for &i in named {
        let node = &graph.nodes[i];
        let name = match node.kind {
            GraphNodeKind::Logit { .. } => continue,
            _ if !node.label.is_empty() => short(&node.label, 24),
            GraphNodeKind::Feature { feature, .. } => format!("#{feature}"),
            _ => node.kind.name().to_owned(),
        };
        let half = name.chars().count() as f64 * 3.3 + 2.0;
        let (x, place) = layout.places[i];
        let mut y = place - radii[i] - 4.0;
        while written
            .iter()
            .any(|(x2, half2, y2)| (x - x2).abs() < half + half2 && (y - y2).abs() < 11.0)
        {
            y -= 11.5;
        }
        written.push((x, half, y));
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\" font-size=\"10.5\" \
             font-weight=\"600\" stroke=\"{CARD_FILL}\" stroke-width=\"3\" paint-order=\"stroke\" \
             stroke-linejoin=\"round\" pointer-events=\"none\">{}</text>",
            escape(&name)
        );
    }
    svg
}

/// What is read of a node on hover.
fn hover(graph: &PrunedGraph, i: usize) -> String {
    let node: &GraphNode = &graph.nodes[i];
    let mut text = node.name();
    let token = short(&node.token, 40);
    if !matches!(
        node.kind,
        GraphNodeKind::Token { .. } | GraphNodeKind::Logit { .. }
    ) {
        let _ = write!(text, " {token}");
    }
    if !node.label.is_empty() {
        let _ = write!(text, "\n{}", node.label);
    }
    for (what, value) in [
        ("activation", node.activation),
        ("value", node.value),
        ("of it by biases", node.bias),
        ("probability", node.probability),
        ("influence", node.influence),
    ] {
        if let Some(value) = value {
            let _ = write!(text, "\n{what} {}", format_number(value));
        }
    }
    type End = fn(&GraphEdge) -> usize;
    let ends: [(&str, End, End); 2] = [
        ("from", |e| e.target, |e| e.source),
        ("to", |e| e.source, |e| e.target),
    ];
    for (what, own, other) in ends {
        let mut edges: Vec<&GraphEdge> = graph.edges.iter().filter(|e| own(e) == i).collect();
        edges.sort_by(|a, b| b.weight.abs().total_cmp(&a.weight.abs()));
        for edge in edges.iter().take(NAMED_EDGES) {
            let name = graph.nodes[other(edge)].name();
            let _ = write!(text, "\n{what} {name}: {}", format_number(edge.weight));
        }
        if edges.len() > NAMED_EDGES {
            let _ = write!(text, "\n… {} more", edges.len() - NAMED_EDGES);
        }
    }
    text
}
