//! Gradients of features' additional parameters: thresholds, or gates.

use super::Work;
use crate::config::L0Loss;
use crate::sae::kernels::{self, GateGradient, GatedFeature, GatedRows};
use crate::sae::training::selection::JumpRule;

impl Work {
    /// [`Work::feature_gradient`] where features have gates; `l1` is that of `relu(pi)`. The gates' part of the loss
    /// contributes no gradient to the decoder, which is frozen there.
    pub(in crate::sae::training) fn gate_gradient(
        &self,
        j: usize,
        w_dec: &[f32],
        (r_mag, b_mag): (f32, f32),
        l1: f32,
        (gw_enc, gw_dec): (&mut [f32], &mut [f32]),
    ) -> GateGradient {
        let (tokens, mags) = self.active.of(j);
        let batch = GatedRows {
            r: self.resid_of(j),
            r_gate: &self.gate_resid,
            x_cent: &self.x_cent,
            l1,
        };
        let feature = GatedFeature {
            w_dec,
            factor: r_mag.exp(),
            b_mag,
        };
        kernels::gated_gradient(tokens, mags, &batch, &feature, gw_enc, gw_dec)
    }

    /// The changes to [`Work::feature_gradient`] due to feature `j`'s threshold `theta`: adds the sparsity
    /// loss' slope at the activations to `gw_enc`; returns its contribution to the gradient of `b_enc[j]`,
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
