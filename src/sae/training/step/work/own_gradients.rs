//! Gradients of what features have beside their weights: thresholds, or gates.

use super::super::super::selection::{GateGradient, JumpRule};
use super::Work;
use crate::config::L0Loss;
use crate::sae::kernels::{self, BatchRows};

impl Work {
    /// [`Work::feature_gradient`] where features have gates; `l1` is that of `relu(pi)`.
    pub(in crate::sae::training) fn gate_gradient(
        &self,
        j: usize,
        (w_enc, w_dec): (&[f32], &[f32]),
        r_mag: f32,
        l1: f32,
        (gw_enc, gw_dec): (&mut [f32], &mut [f32]),
    ) -> GateGradient {
        // The gates' part; the decoder's share of it is dropped, since there it is frozen.
        let (tokens, pi) = self.near.of(j);
        let batch = BatchRows {
            r: &self.gate_resid,
            x_cent: &self.x_cent,
        };
        let mut of_gate = vec![0f32; w_enc.len()];
        let b_gate = kernels::feature_gradient(tokens, pi, &batch, w_dec, l1, &mut of_gate, gw_dec);
        let b_mag = self.feature_gradient(j, w_dec, 0.0, gw_enc, gw_dec);
        let factor = r_mag.exp();
        gw_enc.iter_mut().for_each(|g| *g *= factor);
        // sum_t g exp(r_mag) x_cent . W_enc
        let r_mag = kernels::dot(gw_enc, w_enc);
        kernels::add_scaled(1.0, &of_gate, gw_enc);
        GateGradient {
            b_gate,
            b_mag,
            r_mag,
        }
    }

    /// What feature `j`'s threshold `theta` changes in [`Work::feature_gradient`]: adds the sparsity
    /// loss' slope at the activations to `gw_enc`; returns what it adds to the gradient of `b_enc[j]`,
    /// and the gradient of `theta`.
    pub(in crate::sae::training) fn jump_gradient(
        &self,
        j: usize,
        w_dec: &[f32],
        (theta, rule): (f32, JumpRule),
        l0: f32,
        gw_enc: &mut [f32],
    ) -> (f32, f32) {
        let d = w_dec.len();
        let resid = self.resid_of(j);
        let mut g_b = 0.0;
        if matches!(rule.l0_loss, L0Loss::Tanh { .. }) {
            let (tokens, acts) = self.active.of(j);
            for (&t, &act) in tokens.iter().zip(acts) {
                let slope = l0 * rule.slope(act);
                kernels::add_scaled(slope, &self.x_cent[t as usize * d..][..d], gw_enc);
                g_b += slope;
            }
        }
        let (tokens, acts) = self.near.of(j);
        let slopes = tokens
            .iter()
            .map(|&t| kernels::dot(&resid[t as usize * d..][..d], w_dec));
        let near = acts.iter().copied().zip(slopes);
        (g_b, rule.gradient(theta, l0, near))
    }
}
