//! AuxK: dead features reconstruct the residual of the living ones, so that they become active again.
//! Gao et al. 2024, arXiv:2406.04093, appendix A.2; scaled as in SAELens (`calculate_topk_aux_loss`).
//!
//! `loss += coeff min(n_dead / k_aux, 1) mean_t |e_hat - e|^2`, `e = x - x_hat` (held fixed),
//! `e_hat = sum_j z_j W_dec[j]` over the `k_aux = d_in / 2` largest pre-activations of a token's dead features.
//! `b_dec` is in `e` already. As in the paper's code, a `z_j` below 0 counts as 0 (SAELens keeps it); AbsTopK keeps signs.

use super::super::selection::ByFeature;
use crate::sae::kernels::ActiveLists;

/// AuxK settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sae::training) struct AuxK {
    /// Weight of the loss.
    pub coeff: f64,
    /// A feature is dead when it was active in none of this many last steps.
    pub dead_steps: usize,
}

impl AuxK {
    /// The features that are dead, ascending.
    pub(in crate::sae::training) fn dead(&self, silent: &[u32]) -> Vec<u32> {
        let dead = |&j: &u32| silent[j as usize] as usize >= self.dead_steps;
        (0..silent.len() as u32).filter(dead).collect()
    }

    /// How many of a token's dead features count, and the weight of the loss, if `n_dead` are dead.
    pub(in crate::sae::training) fn k_and_weight(
        &self,
        d_in: usize,
        n_dead: usize,
    ) -> (usize, f64) {
        // Half of one dimension is rounded up; SAELens divides by zero there.
        let k_aux = (d_in / 2).max(1);
        let share = (n_dead as f64 / k_aux as f64).min(1.0);
        (k_aux.min(n_dead), self.coeff * share)
    }
}

/// Scratch memory of AuxK's loss.
#[derive(Debug, Default)]
pub(in crate::sae::training) struct AuxWork {
    /// Per chunk, the dead features' activations that count.
    pub lists: Vec<ActiveLists>,
    /// `weight 2/n (e_hat - e)`, `[tokens rounded up to CHUNK, d_in]`.
    pub resid: Vec<f32>,
    /// The lists by feature; empty without this loss.
    pub active: ByFeature,
    /// Whether the last forward pass included this loss.
    pub on: bool,
}
