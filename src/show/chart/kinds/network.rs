//! Networks: open and filled nodes on levels, links in named colours, some of them dashed.
//!
//! After seven colours the same ones are repeated in thicker lines, so that colour-blind readers
//! can still distinguish them.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::show::chart::axis::Axis;
use crate::show::chart::data::{Data, Series};
use crate::show::chart::figure::{ChartOptions, Figure};
use crate::show::chart::plot::{Plan, Plot, UNIT, nothing_to_draw};
use crate::show::chart::sheet::draw;
use crate::show::color::{CATEGORIES, category};
use crate::show::escaping::one_line;
use crate::show::html::{CARD_FILL, INK};
use crate::show::number::Mark;
use crate::show::{escape, format_number};

/// Radius of the largest node in pixels, and of the smallest that holds its label.
const MAX_RADIUS: f64 = 12.0;
const LABEL_RADIUS: f64 = 6.5;
/// Pixels between two levels, plus a few for each node on the widest one.
const LEVEL_PX: f64 = 110.0;
const LEVEL_PX_PER_NODE: f64 = 6.0;

/// A node of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkNode {
    /// Horizontal position, in any unit.
    pub x: f64,
    /// Level: vertical position.
    pub y: f64,
    /// Short text inside the node.
    pub label: String,
    /// Text on hover.
    pub hover: String,
    /// A filled circle rather than an open one.
    pub filled: bool,
}

/// A link between two nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NetworkLink {
    /// Indices of the nodes.
    pub ends: [usize; 2],
    /// Index of the name, which determines the colour.
    pub name: usize,
    pub dashed: bool,
}

/// Draws the links in the colours of `names`, as the legend shows, and the nodes on top of them.
///
/// # Errors
/// No node with a finite position, or a link to a node or name that does not exist.
pub fn network(
    nodes: &[NetworkNode],
    links: &[NetworkLink],
    names: &[String],
    options: &ChartOptions,
) -> Result<Figure> {
    let nothing = || nothing_to_draw("network");
    if nodes.iter().any(|n| !n.x.is_finite() || !n.y.is_finite()) {
        return Err(nothing());
    }
    for link in links {
        let end = link.ends.iter().find(|&&end| end >= nodes.len());
        let wrong = end.map(|end| ("node", *end));
        let wrong = wrong.or((link.name >= names.len()).then_some(("name", link.name)));
        if let Some((what, index)) = wrong {
            return Err(Error::argument(
                what,
                index,
                "a link names it but it is not there",
            ));
        }
    }
    let levels = levels(nodes);
    let x = spread(nodes.iter().map(|n| n.x), 0.5).ok_or_else(nothing)?;
    let mut y = spread(nodes.iter().map(|n| n.y), 0.25).ok_or_else(nothing)?;
    y.marks = (levels.iter())
        .map(|&at| Mark {
            at,
            label: format_number(at),
        })
        .collect();
    let alt = format!(
        "Network: {}. {} nodes on {} levels, {} links of {} kinds.",
        options.title,
        nodes.len(),
        levels.len(),
        links.len(),
        names.len()
    );
    let mut plan = Plan::new("network", options, x, y, alt);
    plan.legend = (names.iter().enumerate())
        .map(|(i, name)| (format!("{name}{}", thickness(i).1), category(i)))
        .collect();
    plan.data = data(nodes, names);
    plan.x_name = None;
    let on = |level: &f64| nodes.iter().filter(|n| n.y == *level).count();
    let widest = levels.iter().map(on).max().unwrap_or(0) as f64;
    // Half a gap of room, a quarter above and a quarter below.
    let gaps = levels.len().saturating_sub(1) as f64 + 0.5;
    plan.plot_height = gaps * (LEVEL_PX + LEVEL_PX_PER_NODE * widest);
    draw(plan, |plot| {
        let radius = radius(plot, nodes);
        draw_links(plot, nodes, links, names.len());
        draw_nodes(plot, nodes, radius);
        Ok(())
    })
}

/// The names of the links, as in the legend, and then the nodes with their hover texts.
fn data(nodes: &[NetworkNode], names: &[String]) -> Data {
    let kinds = names.iter().map(|name| Series {
        name: name.clone(),
        ..Series::default()
    });
    let nodes = Series {
        name: "node".to_owned(),
        x: nodes.iter().map(|node| node.x).collect(),
        y: nodes.iter().map(|node| node.y).collect(),
        texts: nodes.iter().map(|node| node.hover.clone()).collect(),
        ..Series::default()
    };
    Data::Points(kinds.chain([nodes]).collect())
}

/// The different heights of nodes, increasing.
fn levels(nodes: &[NetworkNode]) -> Vec<f64> {
    let mut levels: Vec<f64> = nodes.iter().map(|n| n.y).collect();
    levels.sort_unstable_by(f64::total_cmp);
    levels.dedup();
    levels
}

/// An axis without marks that covers the values with `room` at each end.
fn spread(values: impl Iterator<Item = f64> + Clone, room: f64) -> Option<Axis> {
    let lo = values.clone().reduce(f64::min)?;
    let hi = values.reduce(f64::max)?;
    Some(Axis {
        lo: lo - room,
        hi: hi + room,
        log: false,
        marks: Vec::new(),
    })
}

/// Width of a link in drawing units, and its suffix in the legend.
fn thickness(name: usize) -> (u32, &'static str) {
    match name / CATEGORIES.len() {
        0 => (18, ""),
        1 => (36, " (thick)"),
        _ => (60, " (thickest)"),
    }
}

/// The radius of nodes: as large as the closest two nodes of a level allow, in drawing units.
fn radius(plot: &Plot, nodes: &[NetworkNode]) -> f64 {
    let mut places: Vec<(i32, i32)> = nodes.iter().map(|n| plot.at(n.x, n.y)).collect();
    places.sort_unstable_by_key(|&(x, y)| (y, x));
    let gaps = places.windows(2).filter(|w| w[0].1 == w[1].1);
    let closest = gaps
        .map(|w| f64::from(w[1].0 - w[0].0))
        .fold(f64::INFINITY, f64::min);
    (closest * 0.4).clamp(UNIT, MAX_RADIUS * UNIT)
}

/// One path for all links of a name and dash; the thick ones first, so that they cover none.
fn draw_links(plot: &mut Plot, nodes: &[NetworkNode], links: &[NetworkLink], n_names: usize) {
    for name in (0..n_names).rev() {
        for dashed in [false, true] {
            let mut path = String::new();
            for link in links
                .iter()
                .filter(|l| (l.name, l.dashed) == (name, dashed))
            {
                let [(x0, y0), (x1, y1)] = link.ends.map(|end| plot.at(nodes[end].x, nodes[end].y));
                let _ = write!(path, "M{x0} {y0}L{x1} {y1}");
            }
            if path.is_empty() {
                continue;
            }
            let (width, _) = thickness(name);
            let dashes = if dashed {
                " stroke-dasharray=\"70 50\""
            } else {
                ""
            };
            let _ = write!(
                plot.overlay,
                "<path data-s=\"{name}\" d=\"{path}\" stroke=\"{}\" stroke-width=\"{width}\"{dashes} fill=\"none\"/>",
                category(name).hex()
            );
        }
    }
}

fn draw_nodes(plot: &mut Plot, nodes: &[NetworkNode], radius: f64) {
    let size = radius * 1.05;
    for node in nodes {
        let (x, y) = plot.at(node.x, node.y);
        let (fill, ink) = if node.filled {
            (INK, CARD_FILL)
        } else {
            (CARD_FILL, INK)
        };
        let _ = write!(
            plot.overlay,
            "<g><title>{}</title><circle cx=\"{x}\" cy=\"{y}\" r=\"{radius:.0}\" fill=\"{fill}\" \
             stroke=\"{INK}\" stroke-width=\"15\"/>",
            escape(&one_line(&node.hover, 80))
        );
        if radius >= LABEL_RADIUS * UNIT {
            let _ = write!(
                plot.overlay,
                "<text x=\"{x}\" y=\"{:.0}\" text-anchor=\"middle\" font-size=\"{size:.0}\" \
                 fill=\"{ink}\">{}</text>",
                f64::from(y) + size * 0.35,
                escape(&one_line(&node.label, 4))
            );
        }
        plot.overlay.push_str("</g>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(x: f64, filled: bool) -> NetworkNode {
        NetworkNode {
            x,
            y: f64::from(filled),
            label: "<1>".to_owned(),
            hover: "boson".to_owned(),
            filled,
        }
    }

    #[test]
    fn links_share_a_path_by_name_and_dash() {
        let nodes = [node(0.0, false), node(1.0, false), node(0.5, true)];
        let link = |from, dashed| NetworkLink {
            ends: [from, 2],
            name: 0,
            dashed,
        };
        let links = [link(0, false), link(1, true)];
        let names = ["D1".to_owned()];
        let figure = network(&nodes, &links, &names, &ChartOptions::default()).unwrap();
        assert_eq!(figure.svg.matches("stroke-dasharray").count(), 1);
        assert_eq!(figure.svg.matches("<circle").count(), 3);
        assert!(figure.svg.contains("&lt;1&gt;") && figure.svg.contains("D1"));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        let (nodes, names) = ([node(0.0, false)], ["a".to_owned()]);
        let draw = |ends, name| {
            let link = NetworkLink {
                ends,
                name,
                dashed: false,
            };
            network(&nodes, &[link], &names, &ChartOptions::default())
        };
        assert!(draw([0, 1], 0).is_err() && draw([0, 0], 1).is_err());
        assert!(network(&[], &[], &[], &ChartOptions::default()).is_err());
        let far = [node(f64::NAN, false)];
        assert!(network(&far, &[], &[], &ChartOptions::default()).is_err());
    }
}
