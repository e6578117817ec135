//! Gates: `pi = x_cent W_enc + b_gate` determines whether a feature is active,
//! `mag = relu(exp(r_mag) x_cent W_enc + b_mag)` how strongly. Rajamanoharan et al. 2024, arXiv:2404.16014; `b_gate`
//! is the step's `b_enc`.
//!
//! `loss = mean_t |x_hat - x|^2 + l1 mean_t |relu(pi)|_1 + mean_t |x_hat_frozen(relu(pi)) - x|^2`, where the
//! frozen decoder (`W_dec` and `b_dec` there) gets no gradient, as in the paper (SAELens does not freeze it).

use crate::sae::kernels::{self, ActiveLists, AdamStep, Moments, PANEL, above};

/// The parameters of the magnitudes, and Adam's moments.
#[derive(Debug, Clone)]
pub(in crate::sae::training) struct Gates {
    /// `[d_sae]`.
    pub r_mag: Vec<f32>,
    /// `[d_sae]`.
    pub b_mag: Vec<f32>,
    pub adam_r: Moments,
    pub adam_b: Moments,
}

impl Gates {
    /// Each panel's part.
    pub(in crate::sae::training) fn by_panel(&mut self) -> impl Iterator<Item = PanelGates<'_>> {
        let r = (self.adam_r.m.chunks_mut(PANEL)).zip(self.adam_r.v.chunks_mut(PANEL));
        let b = (self.adam_b.m.chunks_mut(PANEL)).zip(self.adam_b.v.chunks_mut(PANEL));
        let values = (self.r_mag.chunks_mut(PANEL)).zip(self.b_mag.chunks_mut(PANEL));
        values
            .zip(r.zip(b))
            .map(|((r_mag, b_mag), (r, b))| PanelGates { r_mag, b_mag, r, b })
    }

    /// Resets feature `j`: its magnitude equals its gate's `pi` with bias 0.
    pub(in crate::sae::training) fn restart(&mut self, j: usize) {
        for of_j in [
            &mut self.r_mag,
            &mut self.b_mag,
            &mut self.adam_r.m,
            &mut self.adam_r.v,
            &mut self.adam_b.m,
            &mut self.adam_b.v,
        ] {
            of_j[j] = 0.0;
        }
    }

    /// Splits lists of `pi` above 0, the open gates: `open` gets them unchanged, `lists` the magnitudes, 0 included.
    pub(in crate::sae::training) fn split(
        &self,
        b_gate: &[f32],
        lists: &mut ActiveLists,
        open: &mut ActiveLists,
    ) {
        open.ends.clone_from(&lists.ends);
        open.idx.clone_from(&lists.idx);
        open.vals.clone_from(&lists.vals);
        for (value, &feature) in lists.vals.iter_mut().zip(&lists.idx) {
            let j = feature as usize;
            let mag = self.r_mag[j].exp() * (*value - b_gate[j]) + self.b_mag[j];
            *value = if above(mag, 0.0) { mag } else { 0.0 };
        }
    }
}

/// The gates of one panel of features, moments (m, v).
pub(in crate::sae::training) struct PanelGates<'a> {
    pub r_mag: &'a mut [f32],
    pub b_mag: &'a mut [f32],
    pub r: (&'a mut [f32], &'a mut [f32]),
    pub b: (&'a mut [f32], &'a mut [f32]),
}

impl PanelGates<'_> {
    pub(in crate::sae::training) fn update(&mut self, adam: &AdamStep, g_r: &[f32], g_b: &[f32]) {
        kernels::adam(adam, g_r, self.r_mag, self.r.0, self.r.1);
        kernels::adam(adam, g_b, self.b_mag, self.b.0, self.b.1);
    }
}
