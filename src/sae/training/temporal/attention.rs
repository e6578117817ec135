//! Causal attention of one sequence over codes, forward and backward.
//!
//! `rows`, `[pos, 2 width + d_sae]`, hold a position's keys, queries and values side by side, the columns of one head
//! together. Keys and values are those of the previous position.

use super::shape::Shape;
use crate::model::exp_shifted;
use crate::sae::kernels::{Matrix, Place};

/// Shifts keys and values by one position (0 before the first), and adds the biases.
pub(super) fn shift_forwards(shape: &Shape, bias: &[f32], rows: &mut [f32]) {
    let (n, queries) = (shape.n_columns(), shape.queries());
    for t in (0..shape.n_pos).rev() {
        let (before, row) = rows[..(t + 1) * n].split_at_mut(t * n);
        for columns in [0..queries.start, queries.end..n] {
            match t {
                0 => row[columns].fill(0.0),
                _ => row[columns.clone()].copy_from_slice(&before[(t - 1) * n..][..n][columns]),
            }
        }
        row.iter_mut().zip(bias).for_each(|(x, b)| *x += b);
    }
}

/// The backward pass of [`shift_forwards`]: gradients of keys and values move one position back; `bias` gets the sums.
pub(super) fn shift_backwards(shape: &Shape, rows: &mut [f32], bias: &mut [f32]) {
    let (n, queries) = (shape.n_columns(), shape.queries());
    bias.fill(0.0);
    for t in 0..shape.n_pos {
        let (row, after) = rows[t * n..].split_at_mut(n);
        bias.iter_mut().zip(&*row).for_each(|(b, x)| *b += x);
        for columns in [0..queries.start, queries.end..n] {
            match after.is_empty() {
                true => row[columns].fill(0.0),
                false => row[columns.clone()].copy_from_slice(&after[..n][columns]),
            }
        }
    }
}

/// Computes `pattern`, `[heads, pos, pos]`, and the attention's output `read`, `[pos, d_sae]`.
pub(super) fn forward(shape: &Shape, rows: &[f32], pattern: &mut [f32], read: &mut [f32]) {
    let (n, n_pos) = (shape.n_columns(), shape.n_pos);
    for (h, pattern) in pattern.chunks_exact_mut(n_pos * n_pos).enumerate() {
        let head = shape.head(h);
        let keys = Matrix::columns(rows, n, head.keys, shape.d_key());
        let queries = Matrix::columns(rows, n, head.queries, shape.d_key());
        let values = Matrix::columns(rows, n, head.values, shape.d_value());
        Place::new(pattern, n_pos).takes(shape.scale(), queries, keys.t(), false);
        causal_softmax(pattern, n_pos);
        let place = Place::columns(read, shape.d_sae, h * shape.d_value());
        place.takes(1.0, Matrix::new(pattern, n_pos), values, false);
    }
}

/// Softmax of each row over the positions up to its own; later ones are 0.
fn causal_softmax(pattern: &mut [f32], n_pos: usize) {
    for (t, row) in pattern.chunks_exact_mut(n_pos).enumerate() {
        let (seen, future) = row.split_at_mut(t + 1);
        let most = seen.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum = exp_shifted(seen, most);
        let scale = 1.0 / sum;
        seen.iter_mut().for_each(|x| *x *= scale);
        future.fill(0.0);
    }
}

/// Gradients of `rows` from those of `read`; `scratch` has room for `[pos, pos]`.
pub(super) fn backward(
    shape: &Shape,
    rows: &[f32],
    pattern: &[f32],
    g_read: &[f32],
    g_rows: &mut [f32],
    scratch: &mut Vec<f32>,
) {
    let (n, n_pos) = (shape.n_columns(), shape.n_pos);
    scratch.resize(n_pos * n_pos, 0.0);
    for (h, pattern) in pattern.chunks_exact(n_pos * n_pos).enumerate() {
        let head = shape.head(h);
        let of_values = shape.d_value();
        let g_out = Matrix::columns(g_read, shape.d_sae, h * of_values, of_values);
        let values = Matrix::columns(rows, n, head.values, of_values);
        let as_matrix = Matrix::new(pattern, n_pos);
        Place::columns(g_rows, n, head.values).takes(1.0, as_matrix.t(), g_out, false);
        Place::new(scratch, n_pos).takes(1.0, g_out, values.t(), false);
        through_softmax(pattern, scratch, n_pos);
        let keys = Matrix::columns(rows, n, head.keys, shape.d_key());
        let queries = Matrix::columns(rows, n, head.queries, shape.d_key());
        let g_scores = Matrix::new(scratch, n_pos);
        let scale = shape.scale();
        Place::columns(g_rows, n, head.queries).takes(scale, g_scores, keys, false);
        Place::columns(g_rows, n, head.keys).takes(scale, g_scores.t(), queries, false);
    }
}

/// Gradients of the scores from those of the pattern, in place.
fn through_softmax(pattern: &[f32], g: &mut [f32], n_pos: usize) {
    for (pattern, g) in pattern.chunks_exact(n_pos).zip(g.chunks_exact_mut(n_pos)) {
        let along: f32 = pattern.iter().zip(&*g).map(|(a, g)| a * g).sum();
        for (g, a) in g.iter_mut().zip(pattern) {
            *g = a * (*g - along);
        }
    }
}
