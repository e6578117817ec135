//! AuxK's forward pass and gradients, on lists of the dead features' activations.

use super::super::state::StepState;
use super::Work;
use crate::sae::kernels::{self, ActiveLists, BatchRows, CHUNK, PackedEncoder};
use rayon::prelude::*;

impl Work {
    /// AuxK's weighted loss after a forward pass; 0 without this loss or dead features.
    pub(in crate::sae::training) fn forward_aux(&mut self, state: &StepState) -> f64 {
        let dead = match state.aux {
            Some(aux) => aux.dead(&state.silent),
            None => Vec::new(),
        };
        self.aux.on = !dead.is_empty();
        let Some(aux) = state.aux.filter(|_| !dead.is_empty()) else {
            return 0.0;
        };
        let p = &state.params;
        let (d, n) = (p.d_in, self.n);
        let (k_aux, weight) = aux.k_and_weight(d, dead.len());
        let packed = dead_encoder(state, &dead, k_aux);
        let (lists, resid) = (&mut self.aux.lists, &mut self.aux.resid);
        lists.resize_with(n.div_ceil(CHUNK), ActiveLists::default);
        resid.resize(lists.len() * CHUNK * d, 0.0);
        let whole = self.resid.last().map_or(&[][..], Vec::as_slice);
        let (half_n, scale) = (n as f32 / 2.0, (weight * 2.0 / n as f64) as f32);
        let squares: Vec<f64> = (
            &mut *lists,
            resid.par_chunks_mut(CHUNK * d),
            self.x_cent.par_chunks(CHUNK * d),
            whole.par_chunks(CHUNK * d),
        )
            .into_par_iter()
            .enumerate()
            .map_init(Vec::new, |laid_out, (c, (lists, resid, x_cent, whole))| {
                let here = CHUNK.min(n - c * CHUNK);
                packed.encode(x_cent, here, 0.0, laid_out, lists);
                lists.idx.iter_mut().for_each(|j| *j = dead[*j as usize]);
                let rows = resid.chunks_exact_mut(d).zip(whole.chunks_exact(d));
                let mut squares = 0.0;
                for (i, (r, whole)) in rows.take(here).enumerate() {
                    let (idx, z) = lists.row(i);
                    r.fill(0.0);
                    // Less e, which is x - x_hat.
                    kernels::add_scaled(half_n, whole, r);
                    kernels::combine(idx, z, &p.w_dec, r);
                    squares += f64::from(kernels::dot(r, r));
                    r.iter_mut().for_each(|r| *r *= scale);
                }
                squares
            })
            .collect();
        self.aux.active.count(lists.iter(), p.d_sae);
        self.aux.active.fill(lists.iter());
        weight * squares.iter().sum::<f64>() / n as f64
    }

    /// Adds AuxK's part to the gradients of feature `j`'s rows; returns that of `b_enc[j]`, `None` without such a part.
    pub(in crate::sae::training) fn aux_gradient(
        &self,
        j: usize,
        w_dec: &[f32],
        gw_enc: &mut [f32],
        gw_dec: &mut [f32],
    ) -> Option<f32> {
        if !self.aux.on || !self.aux.active.has(j) {
            return None;
        }
        let (tokens, z) = self.aux.active.of(j);
        let batch = BatchRows {
            r: &self.aux.resid,
            x_cent: &self.x_cent,
        };
        let (mut of_enc, mut of_dec) = (vec![0f32; w_dec.len()], vec![0f32; w_dec.len()]);
        let of_b =
            kernels::feature_gradient(tokens, z, &batch, w_dec, 0.0, &mut of_enc, &mut of_dec);
        kernels::add_scaled(1.0, &of_enc, gw_enc);
        kernels::add_scaled(1.0, &of_dec, gw_dec);
        Some(of_b)
    }
}

/// The encoder of the dead features alone, which selects the `k_aux` largest.
fn dead_encoder(state: &StepState, dead: &[u32], k_aux: usize) -> PackedEncoder {
    let (p, d) = (&state.params, state.params.d_in);
    let mut rows = Vec::with_capacity(dead.len() * d);
    for &j in dead {
        rows.extend_from_slice(&p.w_enc_t[j as usize * d..][..d]);
    }
    let biases: Vec<f32> = dead.iter().map(|&j| p.b_enc[j as usize]).collect();
    let mut packed = PackedEncoder::new(&rows, &biases, d);
    packed.top_k = Some(k_aux);
    packed.signed = state.packed.signed;
    packed
}
