//! Where nodes stand: a column a position, a row a block, in a cell the most influential first.
//! Pixels from the top left; a cell is as wide as its widest line, a row as high as its fullest cell.
//! Source: the layout of circuit-tracer's frontend.

use super::super::node::{GraphNode, GraphNodeKind};
use super::super::pruned::PrunedGraph;
use crate::show::visible_token;

/// Nodes in one line of a cell.
const PER_LINE: usize = 6;
/// Pixels between two nodes of a line, and of two lines.
const STEP: f64 = 19.0;
/// Pixels between two columns, and between two rows.
const COLUMN_GAP: f64 = 26.0;
const ROW_GAP: f64 = 46.0;
/// Pixels of the narrowest column, which holds a token's text.
const MIN_COLUMN: f64 = 64.0;
/// Pixels beside and above the cells.
pub(super) const LEFT: f64 = 104.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 66.0;
const BOTTOM: f64 = 72.0;
/// Pixels of a character of a logit's text, which is written in its box.
const CHARACTER: f64 = 7.0;
const LOGIT_GAP: f64 = 8.0;
pub(super) const LOGIT_HEIGHT: f64 = 20.0;
/// Pixels from one line of logits to the next.
const LOGIT_STEP: f64 = LOGIT_HEIGHT + 6.0;

/// The places of everything.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// Centre of each node.
    pub(super) places: Vec<(f64, f64)>,
    /// Width of each logit's box; 0 for other nodes.
    pub(super) box_widths: Vec<f64>,
    /// Text and centre of each row.
    pub(super) rows: Vec<(String, f64)>,
    /// Left and right end of each position's column.
    pub(super) columns: Vec<(f64, f64)>,
    /// Below the lowest row.
    pub(super) foot: f64,
}

/// The text in a logit's box.
pub(super) fn logit_text(node: &GraphNode) -> String {
    let token = short(&node.token, 14);
    match node.probability {
        Some(p) => format!("{token} · {:.0} %", 100.0 * p),
        None => token,
    }
}

/// A token as it is shown, at most so many characters.
pub(super) fn short(token: &str, most: usize) -> String {
    let visible = visible_token(token);
    match visible.chars().nth(most) {
        None => visible,
        Some(_) => visible.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// The row of a node: 0 for embeddings, then blocks, then logits.
fn row_of(kind: GraphNodeKind, n_layers: usize) -> usize {
    match kind {
        GraphNodeKind::Token { .. } | GraphNodeKind::Position => 0,
        GraphNodeKind::Feature { layer, .. } | GraphNodeKind::Error { layer } => layer + 1,
        GraphNodeKind::Logit { .. } => n_layers + 1,
    }
}

pub(super) fn layout(graph: &PrunedGraph) -> Layout {
    let n_rows = graph.n_layers + 2;
    let cells = cells(graph, n_rows, graph.str_tokens.len());
    let columns = columns(&cells, graph.str_tokens.len());
    let right = columns.last().map_or(LEFT, |column| column.1);
    let logits: Vec<usize> = (0..graph.nodes.len())
        .filter(|&i| row_of(graph.nodes[i].kind, graph.n_layers) == n_rows - 1)
        .collect();
    let boxes = boxes(graph, &logits, right);
    let mut places = vec![(0.0, 0.0); graph.nodes.len()];
    let mut box_widths = vec![0.0; graph.nodes.len()];
    for place in &boxes {
        let y = TOP + LOGIT_HEIGHT / 2.0 + place.line as f64 * LOGIT_STEP;
        places[place.node] = (place.centre, y);
        box_widths[place.node] = place.width;
    }
    let n_lines = boxes.iter().map(|b| b.line + 1).max().unwrap_or(1);
    let logits_height = n_lines as f64 * LOGIT_STEP;
    let mut rows = vec![("logits".to_owned(), TOP + logits_height / 2.0)];
    let mut y = TOP + logits_height + ROW_GAP;
    for row in (0..n_rows - 1).rev() {
        let most = cells[row].iter().map(|cell| n_lines_of(cell.len())).max();
        let height = most.unwrap_or(1) as f64 * STEP;
        for (cell, (left, right)) in cells[row].iter().zip(&columns) {
            place_cell(cell, ((left + right) / 2.0, y + height / 2.0), &mut places);
        }
        let name = match row {
            0 => "embeddings".to_owned(),
            _ => format!("block {}", row - 1),
        };
        rows.push((name, y + height / 2.0));
        y += height + ROW_GAP;
    }
    let foot = y - ROW_GAP;
    Layout {
        width: right + RIGHT,
        height: foot + BOTTOM,
        places,
        box_widths,
        rows,
        columns,
        foot,
    }
}

fn n_lines_of(n: usize) -> usize {
    n.div_ceil(PER_LINE).max(1)
}

/// Left and right end of each column, as wide as its widest cell.
fn columns(cells: &[Vec<Vec<usize>>], n_pos: usize) -> Vec<(f64, f64)> {
    let mut x = LEFT;
    let column = |p: usize| {
        let widths = cells
            .iter()
            .map(|row| row[p].len().min(PER_LINE) as f64 * STEP);
        let left = x;
        let right = left + widths.fold(MIN_COLUMN, f64::max);
        x = right + COLUMN_GAP;
        (left, right)
    };
    (0..n_pos).map(column).collect()
}

/// Puts the nodes of a cell in lines around its centre.
fn place_cell(cell: &[usize], (x, y): (f64, f64), places: &mut [(f64, f64)]) {
    let n_lines = n_lines_of(cell.len()) as f64;
    for (line, nodes) in cell.chunks(PER_LINE).enumerate() {
        for (i, &node) in nodes.iter().enumerate() {
            let across = i as f64 - (nodes.len() as f64 - 1.0) / 2.0;
            let down = line as f64 + 0.5 - n_lines / 2.0;
            places[node] = (x + across * STEP, y + down * STEP);
        }
    }
}

/// The nodes of each row and position but logits, the most influential first; a cell of embeddings
/// has the token first.
fn cells(graph: &PrunedGraph, n_rows: usize, n_pos: usize) -> Vec<Vec<Vec<usize>>> {
    let mut cells = vec![vec![Vec::new(); n_pos]; n_rows];
    for (i, node) in graph.nodes.iter().enumerate() {
        let row = row_of(node.kind, graph.n_layers);
        if row + 1 < n_rows && node.position < n_pos {
            cells[row][node.position].push(i);
        }
    }
    for row in &mut cells[1..] {
        for cell in row {
            // Of a graph that was read only the cumulative influence is known, which grows.
            let rank = |i: usize| graph.nodes[i].cumulative_influence.unwrap_or(1.0);
            cell.sort_by(|&a, &b| rank(a).total_cmp(&rank(b)));
        }
    }
    cells
}

struct LogitBox {
    node: usize,
    centre: f64,
    width: f64,
    line: usize,
}

/// The logits' boxes, the first one leftmost, ending at `right` in as many lines as they need.
fn boxes(graph: &PrunedGraph, logits: &[usize], right: f64) -> Vec<LogitBox> {
    let space = right - LEFT;
    let mut boxes: Vec<LogitBox> = Vec::new();
    let (mut x, mut line) = (0.0, 0);
    for &node in logits {
        let characters = logit_text(&graph.nodes[node]).chars().count() as f64;
        let width = (characters * CHARACTER + 12.0).min(space.max(MIN_COLUMN));
        if x > 0.0 && x + width > space {
            (x, line) = (0.0, line + 1);
        }
        boxes.push(LogitBox {
            node,
            centre: x + width / 2.0,
            width,
            line,
        });
        x += width + LOGIT_GAP;
    }
    for line in boxes.chunk_by_mut(|a, b| a.line == b.line) {
        let end = line.last().map_or(0.0, |b| b.centre + b.width / 2.0);
        for place in line {
            place.centre += right - end;
        }
    }
    boxes
}
