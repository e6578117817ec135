//! Back-propagation through matching pursuit.
//!
//! With `rho_t` the gradient of the loss with respect to `r_t`, backwards from the last step (`rho = 2/n r` there):
//! `r_{t+1} = r_t - v_t w`, `v_t = r_t . w`, `w = W_dec[j_t]`, so that `g = dloss/dv_t = -rho_{t+1} . w`, and
//! `dloss/dw += -v_t rho_{t+1} + g r_t`, `rho_t = rho_{t+1} + g w`; `dloss/db_dec = -sum_tokens rho_0`.
//! The residual at each step need not be stored: `r_t = r_{t+1} + v_t w`.

use crate::sae::kernels::{self, PANEL, Picks};
use rayon::prelude::*;

/// Gradients of the loss with respect to both parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct PursuitGrads {
    /// `[d_sae, d_in]`.
    pub w_dec: Vec<f32>,
    /// `[d_in]`.
    pub b_dec: Vec<f32>,
}

/// Steps whose gradients are stored at a time before they are summed by feature.
const ENTRIES: usize = 16_384;

/// Gradients from the final residuals, `[n, d_in]`, which become `rho_0`. The same bits with any number of threads.
pub(super) fn backward(w_dec: &[f32], residuals: &mut [f32], picks: &[Picks]) -> PursuitGrads {
    let n = picks.len();
    let d = residuals.len() / n;
    let mut grads = PursuitGrads {
        w_dec: vec![0.0; w_dec.len()],
        b_dec: vec![0.0; d],
    };
    let mut rows = Vec::new();
    let mut start = 0;
    while start < n {
        let end = end_of_block(picks, start);
        let block = &picks[start..end];
        let left = &mut residuals[start * d..end * d];
        block_gradients(w_dec, left, block, 2.0 / n as f32, &mut rows);
        add_by_feature(block, &rows, &mut grads.w_dec, d);
        start = end;
    }
    for rho in residuals.chunks_exact(d) {
        kernels::add_scaled(-1.0, rho, &mut grads.b_dec);
    }
    grads
}

/// End of a block of tokens that have at most [`ENTRIES`] steps together, at least one token.
fn end_of_block(picks: &[Picks], start: usize) -> usize {
    let mut entries = 0;
    let more = picks[start..].iter().take_while(|picks| {
        entries += picks.len();
        entries <= ENTRIES
    });
    start + more.count().max(1)
}

/// Each step's gradient of its row of `W_dec`, token after token, `[entries, d_in]`.
fn block_gradients(
    w_dec: &[f32],
    residuals: &mut [f32],
    picks: &[Picks],
    scale: f32,
    rows: &mut Vec<f32>,
) {
    let d = residuals.len() / picks.len();
    let entries: usize = picks.iter().map(Vec::len).sum();
    rows.resize(entries * d, 0.0);
    let mut parts = Vec::with_capacity(picks.len());
    let mut rest = rows.as_mut_slice();
    for picks in picks {
        let (part, after) = rest.split_at_mut(picks.len() * d);
        parts.push(part);
        rest = after;
    }
    (parts, residuals.par_chunks_exact_mut(d), picks)
        .into_par_iter()
        .for_each(|(part, residual, picks)| {
            let mut r = residual.to_vec();
            let rho = residual;
            rho.iter_mut().for_each(|r| *r *= scale);
            let steps = part.chunks_exact_mut(d).zip(picks);
            for (row, &(j, value)) in steps.rev() {
                let w = &w_dec[j as usize * d..][..d];
                kernels::add_scaled(value, w, &mut r);
                let g = -kernels::dot(rho, w);
                row.fill(0.0);
                kernels::add_scaled(-value, rho, row);
                kernels::add_scaled(g, &r, row);
                kernels::add_scaled(g, w, rho);
            }
        });
}

/// Adds the rows of `block` to those of their features, in the tokens' order.
fn add_by_feature(block: &[Picks], rows: &[f32], gradient: &mut [f32], d: usize) {
    let features = block.iter().flatten().map(|pick| pick.0);
    let mut order: Vec<(u32, u32)> = features.zip(0u32..).collect();
    order.sort_unstable();
    gradient
        .par_chunks_mut(PANEL * d)
        .enumerate()
        .for_each(|(panel, gradient)| {
            let first = (panel * PANEL) as u32;
            let from = order.partition_point(|entry| entry.0 < first);
            let until = order.partition_point(|entry| entry.0 < first + PANEL as u32);
            for &(j, entry) in &order[from..until] {
                let to = &mut gradient[(j - first) as usize * d..][..d];
                kernels::add_scaled(1.0, &rows[entry as usize * d..][..d], to);
            }
        });
}
