//! A head's weights from its plan: `W_Q`, `W_K`, `W_V`, `W_O` and `b_Q`.
//! A key that fits scores `unit` more for each condition; BOS scores half a unit less than a key that
//! fits all, so that it is attended to where none does; the latest key has the largest bonus.
//! Source: Tracr's `craft/chamber/categorical_attn.py`; the bonus is ours.

use super::plan::{HeadPlan, Plan};

/// A matrix in row-major order.
#[derive(Debug, Clone)]
pub(super) struct Dense {
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) values: Vec<f32>,
}

impl Dense {
    pub(super) fn zeros(rows: usize, cols: usize) -> Dense {
        Dense {
            rows,
            cols,
            values: vec![0.0; rows * cols],
        }
    }

    pub(super) fn add(&mut self, row: usize, col: usize, value: f64) {
        self.values[row * self.cols + col] += value as f32;
    }
}

/// One head: `q`, `k`, `v` are `[d_model, d_head]`, `o` is `[d_head, d_model]`, `b_q` `[1, d_head]`.
#[derive(Debug, Clone)]
pub(super) struct HeadWeights {
    pub(super) q: Dense,
    pub(super) k: Dense,
    pub(super) v: Dense,
    pub(super) o: Dense,
    pub(super) b_q: Dense,
}

impl HeadWeights {
    pub(super) fn zeros(d_model: usize, d_head: usize) -> HeadWeights {
        HeadWeights {
            q: Dense::zeros(d_model, d_head),
            k: Dense::zeros(d_model, d_head),
            v: Dense::zeros(d_model, d_head),
            o: Dense::zeros(d_head, d_model),
            b_q: Dense::zeros(1, d_head),
        }
    }
}

/// Width that a head needs: a dimension for the queries that are always the same, one for each value
/// of the others; one for each value that it moves.
pub(super) fn head_width(plan: &Plan, head: &HeadPlan) -> usize {
    let width = |id: usize| plan.variables[id].dims.len();
    let queries: usize = head
        .conditions
        .iter()
        .filter_map(|c| c.queries)
        .map(width)
        .sum();
    (1 + queries).max(width(head.values))
}

/// The weights of a planned head. `scale` is the least difference between the score of a key that is
/// attended to and that of one that is not.
pub(super) fn head_weights(
    plan: &Plan,
    head: &HeadPlan,
    (d_model, d_head): (usize, usize),
    scale: f64,
) -> HeadWeights {
    let mut w = HeadWeights::zeros(d_model, d_head);
    let dims = |id: usize| plan.variables[id].dims.clone();
    let n_places = plan.variables[plan.indices].domain.len();
    // With the bonus of the latest key, a key that does not fit must still stay below BOS.
    let bonus = if head.latest.is_some() { scale } else { 0.0 };
    let unit = 2.0 * (scale + bonus * n_places as f64);
    // Scores are divided by sqrt(d_head).
    let root = (d_head as f64).sqrt();
    w.b_q.add(0, 0, 1.0);
    let mut next = 1;
    for condition in &head.conditions {
        let first = match condition.queries {
            Some(queries) => {
                for (i, dim) in dims(queries).enumerate() {
                    w.q.add(dim, next + i, 1.0);
                }
                next += dims(queries).len();
                next - dims(queries).len()
            }
            None => 0,
        };
        for (dim, fits) in dims(condition.keys).zip(&condition.fits) {
            for (query, _) in fits.iter().enumerate().filter(|(_, fits)| **fits) {
                w.k.add(dim, first + query, unit * root);
            }
        }
    }
    let n_conditions = head.conditions.len() as f64;
    let below = if head.counts_bos { 0.0 } else { 0.5 };
    w.k.add(
        dims(plan.bos).start,
        0,
        (n_conditions - below) * unit * root,
    );
    if let Some(indices) = head.latest {
        for (place, dim) in dims(indices).enumerate() {
            w.k.add(dim, 0, place as f64 * bonus * root);
        }
    }
    for (i, (from, to)) in dims(head.values).zip(dims(head.out)).enumerate() {
        w.v.add(from, i, 1.0);
        w.o.add(i, to, 1.0);
    }
    w
}
