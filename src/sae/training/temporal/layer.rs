//! One attention layer of the temporal autoencoder, forward and backward, with manual gradients.
//!
//! For `r`, `[tokens, d_in]`: `z = relu(lam r W_dec^T)`; attention, queries from `z_t`, keys and values from `z_{t-1}`;
//! `p = relu(read W_o^T + b_o)`; `y = p W_dec`; `s = (y . r) / (|y| + eps)^2`; `r' = r - s y`.
//! "Priors in Time", arXiv:2511.01836, as in SAELens (`src/sae/variants/temporal.rs`).

use super::attention::{self, shift_backwards, shift_forwards};
use super::parameters::Parameter;
use super::shape::Shape;
use crate::sae::kernels::{self, Matrix, Place, above};
use crate::sae::variants::{TEMPORAL_EPS as EPS, TEMPORAL_TINY as TINY};
use rayon::prelude::*;

/// A layer's parameters, with their gradients.
#[derive(Debug)]
pub(super) struct Layer {
    /// `W_k`, `W_q` and `W_v` stacked, `[2 width + d_sae, d_sae]`.
    pub w_kqv: Parameter,
    pub b_kqv: Parameter,
    /// `[d_sae, d_sae]`
    pub w_o: Parameter,
    pub b_o: Parameter,
}

/// What the backward pass needs from the forward pass; one row per token.
#[derive(Debug, Default)]
pub(super) struct LayerWork {
    r: Vec<f32>,
    z: Vec<f32>,
    kqv: Vec<f32>,
    pattern: Vec<f32>,
    read: Vec<f32>,
    p: Vec<f32>,
    y: Vec<f32>,
    /// `s` and `|y|`.
    along: Vec<[f32; 2]>,
}

/// Buffers of the backward pass, reused for each layer.
#[derive(Debug, Default)]
pub(super) struct BackwardWork {
    of_y: Vec<f32>,
    of_codes: Vec<f32>,
    of_read: Vec<f32>,
    of_kqv: Vec<f32>,
    of_biases: Vec<f32>,
}

impl BackwardWork {
    /// Adds to `g_r`, `[tokens, d_in]`, the gradient through the codes of the last layer of [`Layer::backward`].
    pub(super) fn add_through_codes(&self, shape: &Shape, w_dec: &[f32], g_r: &mut [f32]) {
        let g_z = Matrix::new(&self.of_codes, shape.d_sae);
        let decoder = Matrix::new(w_dec, shape.d_in);
        let place = Place::new(g_r, shape.d_in).adding();
        place.takes(1.0, g_z, decoder, true);
    }

    /// The same summed over tokens: only a product with the sum of the codes' gradients.
    pub(super) fn add_sum_through_codes(&mut self, shape: &Shape, w_dec: &[f32], sum: &mut [f32]) {
        let mut of_codes = vec![0.0; shape.d_sae];
        let (g_z, room) = (&self.of_codes, &mut self.of_biases);
        column_sums(g_z, shape.n_pos, room, &mut of_codes);
        for (g, w) in of_codes.iter().zip(w_dec.chunks_exact(shape.d_in)) {
            kernels::add_scaled(*g, w, sum);
        }
    }
}

impl Layer {
    /// Subtracts the layer's prediction from `r`.
    pub(super) fn forward(
        &self,
        shape: &Shape,
        w_dec: &[f32],
        r: &mut [f32],
        work: &mut LayerWork,
    ) {
        let (d_in, d_sae, n_columns) = (shape.d_in, shape.d_sae, shape.n_columns());
        let n = r.len() / d_in;
        work.r.clear();
        work.r.extend_from_slice(r);
        work.z.resize(n * d_sae, 0.0);
        work.kqv.resize(n * n_columns, 0.0);
        work.pattern.resize(n * shape.n_heads * shape.n_pos, 0.0);
        work.read.resize(n * d_sae, 0.0);
        work.p.resize(n * d_sae, 0.0);
        work.y.resize(n * d_in, 0.0);
        work.along.resize(n, [0.0; 2]);

        let decoder = Matrix::new(w_dec, d_in);
        let rows = Matrix::new(&work.r, d_in);
        Place::new(&mut work.z, d_sae).takes(shape.lam(), rows, decoder.t(), true);
        work.z.par_chunks_mut(d_sae).for_each(relu);

        let weights = Matrix::new(&self.w_kqv.values, d_sae);
        let z = Matrix::new(&work.z, d_sae);
        Place::new(&mut work.kqv, n_columns).takes(1.0, z, weights.t(), true);
        (
            work.kqv.par_chunks_mut(shape.n_pos * n_columns),
            work.pattern
                .par_chunks_mut(shape.n_heads * shape.n_pos * shape.n_pos),
            work.read.par_chunks_mut(shape.n_pos * d_sae),
        )
            .into_par_iter()
            .for_each(|(kqv, pattern, read)| {
                shift_forwards(shape, &self.b_kqv.values, kqv);
                attention::forward(shape, kqv, pattern, read);
            });

        let weights = Matrix::new(&self.w_o.values, d_sae);
        let read = Matrix::new(&work.read, d_sae);
        Place::new(&mut work.p, d_sae).takes(1.0, read, weights.t(), true);
        work.p.par_chunks_mut(d_sae).for_each(|p| {
            p.iter_mut()
                .zip(&self.b_o.values)
                .for_each(|(p, b)| *p += b);
            relu(p);
        });
        let p = Matrix::new(&work.p, d_sae);
        Place::new(&mut work.y, d_in).takes(1.0, p, decoder, true);
        (
            r.par_chunks_mut(d_in),
            work.y.par_chunks(d_in),
            work.along.par_iter_mut(),
        )
            .into_par_iter()
            .for_each(|(r, y, along)| {
                let norm = (kernels::dot(y, y) + TINY as f32).sqrt();
                let s = kernels::dot(y, r) / (norm + EPS as f32).powi(2);
                kernels::add_scaled(-s, y, r);
                *along = [s, norm];
            });
    }

    /// Computes the gradients of the layer's parameters and adds to that of `W_dec`. `g_r`, the gradient of the output
    /// residual, becomes that of the input, without the part through the codes ([`BackwardWork::add_through_codes`]).
    pub(super) fn backward(
        &mut self,
        shape: &Shape,
        w_dec: &mut Parameter,
        g_r: &mut [f32],
        work: &LayerWork,
        room: &mut BackwardWork,
    ) {
        let (d_in, d_sae, n_columns) = (shape.d_in, shape.d_sae, shape.n_columns());
        let n = g_r.len() / d_in;
        room.of_y.resize(n * d_in, 0.0);
        room.of_codes.resize(n * d_sae, 0.0);
        room.of_read.resize(n * d_sae, 0.0);
        room.of_kqv.resize(n * n_columns, 0.0);

        (
            g_r.par_chunks_mut(d_in),
            room.of_y.par_chunks_mut(d_in),
            work.r.par_chunks(d_in),
            work.y.par_chunks(d_in),
            work.along.par_iter(),
        )
            .into_par_iter()
            .for_each(|(g_r, g_y, r, y, along)| through_projection(g_r, g_y, r, y, *along));

        // y = p W_dec, p = relu(read W_o^T + b_o)
        let g_y = Matrix::new(&room.of_y, d_in);
        let p = Matrix::new(&work.p, d_sae);
        let g_w_dec = Place::new(&mut w_dec.gradient, d_in);
        g_w_dec.adding().takes(1.0, p.t(), g_y, true);
        let decoder = Matrix::new(&w_dec.values, d_in);
        Place::new(&mut room.of_codes, d_sae).takes(1.0, g_y, decoder.t(), true);
        through_relu(&work.p, &mut room.of_codes, d_sae);
        column_sums(
            &room.of_codes,
            shape.n_pos,
            &mut room.of_biases,
            &mut self.b_o.gradient,
        );
        let g_p = Matrix::new(&room.of_codes, d_sae);
        let read = Matrix::new(&work.read, d_sae);
        Place::new(&mut self.w_o.gradient, d_sae).takes(1.0, g_p.t(), read, true);
        let weights = Matrix::new(&self.w_o.values, d_sae);
        Place::new(&mut room.of_read, d_sae).takes(1.0, g_p, weights, true);

        self.through_attention(shape, work, room);

        // k, q, v = z W^T + b, z = relu(lam r W_dec^T)
        let g_kqv = Matrix::new(&room.of_kqv, n_columns);
        let z = Matrix::new(&work.z, d_sae);
        Place::new(&mut self.w_kqv.gradient, d_sae).takes(1.0, g_kqv.t(), z, true);
        let weights = Matrix::new(&self.w_kqv.values, d_sae);
        Place::new(&mut room.of_codes, d_sae).takes(shape.lam(), g_kqv, weights, true);
        through_relu(&work.z, &mut room.of_codes, d_sae);
        let g_z = Matrix::new(&room.of_codes, d_sae);
        let r = Matrix::new(&work.r, d_in);
        let g_w_dec = Place::new(&mut w_dec.gradient, d_in);
        g_w_dec.adding().takes(1.0, g_z.t(), r, true);
    }

    /// Gradients of keys, queries and values, before they were shifted, and of their biases.
    fn through_attention(&mut self, shape: &Shape, work: &LayerWork, room: &mut BackwardWork) {
        let (n_pos, n_columns) = (shape.n_pos, shape.n_columns());
        let n_sequences = room.of_kqv.len() / (n_pos * n_columns);
        room.of_biases.resize(n_sequences * n_columns, 0.0);
        (
            work.kqv.par_chunks(n_pos * n_columns),
            work.pattern.par_chunks(shape.n_heads * n_pos * n_pos),
            room.of_read.par_chunks(n_pos * shape.d_sae),
            room.of_kqv.par_chunks_mut(n_pos * n_columns),
            room.of_biases.par_chunks_mut(n_columns),
        )
            .into_par_iter()
            .for_each_init(Vec::new, |scratch, (kqv, pattern, g_read, g_kqv, bias)| {
                attention::backward(shape, kqv, pattern, g_read, g_kqv, scratch);
                shift_backwards(shape, g_kqv, bias);
            });
        sum_rows(&room.of_biases, &mut self.b_kqv.gradient);
    }
}

/// Sets negative values to 0; NaN stays.
fn relu(row: &mut [f32]) {
    for x in row {
        *x = if above(*x, 0.0) { *x } else { 0.0 };
    }
}

/// Sets the gradient to 0 where a code is 0.
fn through_relu(codes: &[f32], g: &mut [f32], d_sae: usize) {
    let rows = codes.par_chunks(d_sae).zip(g.par_chunks_mut(d_sae));
    rows.for_each(|(codes, g)| {
        for (g, code) in g.iter_mut().zip(codes) {
            *g = if above(*code, 0.0) { *g } else { 0.0 };
        }
    });
}

/// For `r' = r - s y`, `s = (y . r) / n^2`, `n = |y| + eps`: with `g` the gradient of `r'`, `ds = -g . y`,
/// `dy = -s g + (ds / n^2) r - (2 s ds / (n |y|)) y`, `dr = g + (ds / n^2) y`.
fn through_projection(g_r: &mut [f32], g_y: &mut [f32], r: &[f32], y: &[f32], along: [f32; 2]) {
    let [s, norm] = along;
    let n = norm + EPS as f32;
    let of_s = -kernels::dot(g_r, y);
    let of_dot = of_s / (n * n);
    g_y.fill(0.0);
    kernels::add_scaled(-s, g_r, g_y);
    kernels::add_scaled(of_dot, r, g_y);
    kernels::add_scaled(-2.0 * s * of_s / (n * norm), y, g_y);
    kernels::add_scaled(of_dot, y, g_r);
}

/// The sum of the rows of `matrix`, as wide as `out`: in parallel over groups of `n` rows, then over their sums.
pub(super) fn column_sums(matrix: &[f32], n: usize, room: &mut Vec<f32>, out: &mut [f32]) {
    let width = out.len();
    room.resize(matrix.len() / (n * width) * width, 0.0);
    let parts = room.par_chunks_mut(width).zip(matrix.par_chunks(n * width));
    parts.for_each(|(sum, rows)| sum_rows(rows, sum));
    sum_rows(room, out);
}

/// The sum of rows as wide as `out`.
fn sum_rows(rows: &[f32], out: &mut [f32]) {
    out.fill(0.0);
    for row in rows.chunks_exact(out.len()) {
        out.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}
