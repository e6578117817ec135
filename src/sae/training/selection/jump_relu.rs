//! JumpReLU: `acts = pre H(pre - theta)` with a threshold `theta_j` of at least 0 per feature, and the
//! threshold's gradients. Rajamanoharan et al. 2024, arXiv:2407.14435, sections 3 and 4.
//!
//! H has no slope, so its derivative is estimated straight through with a rectangle K of width `eps` (the
//! bandwidth; K(z) = 1 for |z| < 1/2), summed over the tokens near the threshold:
//! `d acts / d theta = -(theta/eps) K((pre - theta)/eps)`, `d H / d theta = -(1/eps) K((pre - theta)/eps)`.
//!
//! The thresholds themselves are trained, and clamped to 0 where a step takes them below, as in
//! SAELens 6.54; the paper trains their logarithms, which Adam moves too slowly from a small start.

use crate::config::L0Loss;
use crate::sae::kernels::{self, ActiveLists, AdamStep, Moments, PANEL, above};

/// The thresholds and the state of their training.
#[derive(Debug, Clone)]
pub(in crate::sae::training) struct Thresholds {
    /// `theta`, `[d_sae]`.
    pub theta: Vec<f32>,
    /// The threshold of a feature that is reset.
    pub initial: f32,
    pub moments: Moments,
    pub rule: JumpRule,
}

/// The settings common to all thresholds.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae::training) struct JumpRule {
    pub bandwidth: f32,
    pub l0_loss: L0Loss,
}

impl Thresholds {
    /// Each panel's part.
    pub(in crate::sae::training) fn by_panel(
        &mut self,
    ) -> impl Iterator<Item = PanelThresholds<'_>> {
        let theta = self.theta.chunks_mut(PANEL);
        let moments = (self.moments.m.chunks_mut(PANEL)).zip(self.moments.v.chunks_mut(PANEL));
        let rule = self.rule;
        theta
            .zip(moments)
            .map(move |(theta, (m, v))| PanelThresholds { theta, m, v, rule })
    }

    /// The bias with which a feature's list holds `pre - theta + eps/2` where that is above 0, so that it
    /// covers the activations near the threshold and those above it.
    pub(in crate::sae::training) fn shifted(&self, b_enc: f32, j: usize) -> f32 {
        self.rule.shifted(b_enc, self.theta[j])
    }

    /// Splits the shifted lists: `lists` keeps the activations above their threshold, `near` gets the
    /// features within half a bandwidth of it, with their activations (0 below it).
    pub(in crate::sae::training) fn split(&self, lists: &mut ActiveLists, near: &mut ActiveLists) {
        let half = 0.5 * self.rule.bandwidth;
        near.ends.clear();
        near.idx.clear();
        near.vals.clear();
        let mut at = 0;
        lists.retain(|token, feature, value| {
            while at < token {
                near.ends.push(near.idx.len() as u32);
                at += 1;
            }
            let active = above(*value, half);
            let pre = *value - half + self.theta[feature as usize];
            if *value < self.rule.bandwidth {
                near.idx.push(feature);
                near.vals.push(if active { pre } else { 0.0 });
            }
            *value = pre;
            active
        });
        near.ends.resize(lists.ends.len(), near.idx.len() as u32);
    }
}

impl JumpRule {
    /// As [`Thresholds::shifted`].
    pub(in crate::sae::training) fn shifted(&self, b_enc: f32, theta: f32) -> f32 {
        b_enc - theta + 0.5 * self.bandwidth
    }

    /// Slope of the sparsity loss for one activation above its threshold, divided by its weight `l0`.
    pub(in crate::sae::training) fn slope(&self, act: f32) -> f32 {
        match self.l0_loss {
            L0Loss::Step => 0.0,
            L0Loss::Tanh { scale } => {
                let scale = scale as f32;
                let tanh = (scale * act).tanh();
                scale * (1.0 - tanh * tanh)
            }
        }
    }

    /// The gradient of one feature's threshold from the tokens near it: `near` are their activations,
    /// `slopes` the gradients of the squared error with respect to them; `l0` is the weight of the
    /// sparsity loss of one activation.
    pub(in crate::sae::training) fn gradient(
        &self,
        theta: f32,
        l0: f32,
        near: impl Iterator<Item = (f32, f32)>,
    ) -> f32 {
        let of_step = match self.l0_loss {
            L0Loss::Step => l0,
            L0Loss::Tanh { .. } => 0.0,
        };
        let sum: f32 = near
            .map(|(act, slope)| theta * (slope + l0 * self.slope(act)) + of_step)
            .sum();
        -sum / self.bandwidth
    }
}

/// The thresholds of one panel of features.
pub(in crate::sae::training) struct PanelThresholds<'a> {
    pub theta: &'a mut [f32],
    pub m: &'a mut [f32],
    pub v: &'a mut [f32],
    pub rule: JumpRule,
}

impl PanelThresholds<'_> {
    /// Adam; thresholds below 0 are set to 0.
    pub(in crate::sae::training) fn update(&mut self, adam: &AdamStep, gradient: &[f32]) {
        kernels::adam(adam, gradient, self.theta, self.m, self.v);
        self.theta.iter_mut().for_each(|t| *t = t.max(0.0));
    }
}
