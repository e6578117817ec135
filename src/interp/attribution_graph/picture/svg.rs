//! The picture put together: frame, rows and columns, edges, nodes, legend.
//! An edge's width is `|w| / sum |w|` over the edges into its target; negative ones are dashed.
//! Source: circuit-tracer's frontend; colours of Okabe and Ito.

use super::super::node::GraphNodeKind;
use super::super::pruned::PrunedGraph;
use super::layout::{LEFT, Layout, layout, short};
use super::nodes::{draw, mark, reach};
use crate::error::{Error, Result};
use crate::show::color::{NEGATIVE, POSITIVE};
use crate::show::{CARD_FILL, CARD_STROKE, FAINT_INK, Figure, INK, escape, format_number};
use std::fmt::Write;

/// Edges drawn at most, the widest.
const MAX_EDGES: usize = 500;
/// Features that carry their numbers where nothing is pinned.
const NAMED: usize = 8;
/// Pixels of the widest edge.
const MAX_WIDTH: f64 = 7.0;

pub(super) fn figure(graph: &PrunedGraph, title: &str) -> Result<Figure> {
    if graph.nodes.is_empty() || graph.str_tokens.is_empty() {
        return Err(Error::Draw {
            figure: "attribution graph".to_owned(),
            reason: "there are no nodes".to_owned(),
        });
    }
    let place = layout(graph);
    let influence = graph.nodes.iter().filter_map(|node| node.influence);
    let most = influence.fold(0.0, f64::max);
    let radii: Vec<f64> = (0..graph.nodes.len())
        .map(|i| reach(graph, i, most))
        .collect();
    let title = match title.is_empty() {
        true => "Attribution graph",
        false => title,
    };
    let (edges, note) = edges(graph, &place, &radii);
    let width = place.width.max(640.0);
    let alt = format!("{title}: {graph}.");
    let svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\" \
         font-family=\"system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif\" \
         fill=\"{INK}\" style=\"max-width:100%;height:auto;color-scheme:light\">\
         <rect x=\".5\" y=\".5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"{CARD_FILL}\" \
         stroke=\"{CARD_STROKE}\"/>{}{}{edges}{}</svg>",
        escape(&alt),
        width - 1.0,
        place.height - 1.0,
        heading(graph, title, &note, width, place.height),
        grid(graph, &place),
        draw(graph, &place, &radii, &named(graph)),
        height = place.height,
    );
    Ok(Figure {
        svg,
        alt,
        title: title.to_owned(),
    })
}

/// The nodes that carry their names.
fn named(graph: &PrunedGraph) -> Vec<usize> {
    if !graph.pinned.is_empty() {
        return graph.pinned.clone();
    }
    let mut features: Vec<usize> = (0..graph.nodes.len())
        .filter(|&i| matches!(graph.nodes[i].kind, GraphNodeKind::Feature { .. }))
        .collect();
    let rank = |i: usize| graph.nodes[i].cumulative_influence.unwrap_or(1.0);
    features.sort_by(|&a, &b| rank(a).total_cmp(&rank(b)));
    features.truncate(NAMED);
    features
}

/// Title, legend, and what is not drawn.
fn heading(graph: &PrunedGraph, title: &str, note: &str, width: f64, height: f64) -> String {
    let mut svg = format!(
        "<text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"600\">{}</text>",
        escape(title)
    );
    let mut x = 22.0;
    let kinds = [
        (
            "feature",
            GraphNodeKind::Feature {
                layer: 0,
                feature: 0,
            },
        ),
        ("error", GraphNodeKind::Error { layer: 0 }),
        ("token", GraphNodeKind::Token { id: 0 }),
        ("position", GraphNodeKind::Position),
    ];
    let there = |kind: &str| graph.nodes.iter().any(|node| node.kind.name() == kind);
    for (name, kind) in kinds.into_iter().filter(|(name, _)| there(name)) {
        let shape = mark(kind, (x, 42.0), 5.0, 0.0);
        let _ = write!(
            svg,
            "{shape} stroke=\"{INK}\" stroke-width=\".9\"/>\
             <text x=\"{:.0}\" y=\"46\" font-size=\"11.5\">{name}</text>",
            x + 10.0
        );
        x += 24.0 + 6.6 * name.len() as f64;
    }
    for (name, color, dashes) in [
        ("raises", POSITIVE, ""),
        ("lowers", NEGATIVE, " stroke-dasharray=\"6 3\""),
    ] {
        let _ = write!(
            svg,
            "<path d=\"M{x:.0} 42h26\" stroke=\"{}\" stroke-width=\"3\"{dashes}/>\
             <text x=\"{:.0}\" y=\"46\" font-size=\"11.5\">{name}</text>",
            color.hex(),
            x + 31.0
        );
        x += 82.0;
    }
    let mut lines = vec![format!("width: share of the edges into a node. {note}")];
    if let Some(scores) = graph.scores {
        lines.insert(
            0,
            format!(
                "replacement score {:.2}, completeness {:.2}; {} nodes{}",
                scores.replacement_score,
                scores.completeness,
                graph.nodes.len(),
                graph
                    .n_nodes_before
                    .map_or(String::new(), |n| format!(" of {n}"))
            ),
        );
    }
    // In one line where there is room.
    let one = lines.join("; ");
    let fits = one.chars().count() as f64 * 6.0 < width - 32.0;
    let lines = if fits { vec![one] } else { lines };
    for (i, line) in lines.iter().enumerate() {
        let y = height - 12.0 - 15.0 * (lines.len() - 1 - i) as f64;
        let _ = write!(
            svg,
            "<text x=\"16\" y=\"{y:.0}\" font-size=\"11.5\" fill=\"{FAINT_INK}\">{}</text>",
            escape(line)
        );
    }
    svg
}

/// Names of the rows, stripes and tokens of the columns.
fn grid(graph: &PrunedGraph, place: &Layout) -> String {
    let mut svg = String::new();
    let top = 56.0;
    for (p, ((left, right), token)) in place.columns.iter().zip(&graph.str_tokens).enumerate() {
        if p % 2 == 0 {
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#f3f3f0\"/>",
                left - 9.0,
                right - left + 18.0,
                place.foot - top + 8.0
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"12\">\
             <title>{}</title>{}</text>",
            (left + right) / 2.0,
            place.foot + 22.0,
            escape(&format!("position {p}: {}", short(token, 80))),
            escape(&short(token, 10))
        );
    }
    for (name, y) in &place.rows {
        let _ = write!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\" font-size=\"12\" \
             fill=\"{FAINT_INK}\">{}</text>",
            LEFT - 14.0,
            y + 4.0,
            escape(name)
        );
    }
    svg
}

/// The edges, the narrow ones first, and what is left out of them.
fn edges(graph: &PrunedGraph, place: &Layout, radii: &[f64]) -> (String, String) {
    let mut sums = vec![0.0; graph.nodes.len()];
    for edge in &graph.edges {
        sums[edge.target] += edge.weight.abs();
    }
    let share = |i: usize| {
        let edge = &graph.edges[i];
        match sums[edge.target] > 0.0 {
            true => edge.weight.abs() / sums[edge.target],
            false => 0.0,
        }
    };
    let mut order: Vec<usize> = (0..graph.edges.len()).collect();
    order.sort_by(|&a, &b| share(b).total_cmp(&share(a)));
    order.truncate(MAX_EDGES);
    let mut svg = String::new();
    for &i in order.iter().rev() {
        let edge = &graph.edges[i];
        let [source, target] = [edge.source, edge.target];
        let (x0, y0) = (
            place.places[source].0,
            place.places[source].1 - radii[source],
        );
        let (x1, y1) = (
            place.places[target].0,
            place.places[target].1 + radii[target],
        );
        let bend = (y0 - y1) * 0.45;
        let (color, dashes) = match edge.weight < 0.0 {
            true => (NEGATIVE, " stroke-dasharray=\"6 3\""),
            false => (POSITIVE, ""),
        };
        let name = |node: usize| graph.nodes[node].name();
        let text = format!(
            "{} to {}: {}",
            name(source),
            name(target),
            format_number(edge.weight)
        );
        let _ = write!(
            svg,
            "<path d=\"M{x0:.1} {y0:.1}C{x0:.1} {:.1} {x1:.1} {:.1} {x1:.1} {y1:.1}\" fill=\"none\" \
             stroke=\"{}\" stroke-width=\"{:.2}\" stroke-opacity=\"{:.2}\"{dashes}>\
             <title>{}</title></path>",
            y0 - bend,
            y1 + bend,
            color.hex(),
            0.5 + (MAX_WIDTH - 0.5) * share(i),
            0.25 + 0.6 * share(i).sqrt(),
            escape(&text)
        );
    }
    let n = graph.edges.len();
    let note = match n > order.len() {
        true => format!("{} of {n} edges are drawn, the widest.", order.len()),
        false => format!("{n} edges."),
    };
    (svg, note)
}
