//! One optimiser step of an autoencoder of any architecture, with manual gradients, in f32 on the CPU.
//! `loss = mean_t |x_hat - x|^2 + l1 mean_t |acts|_1` (JumpReLU: L0); gradients only where acts are positive.
//! Gradients after Bricken et al. 2023; sparse lists as in Gao et al. 2024, appendix D.

mod aux_k;
mod slots;
mod state;
mod update;
mod variants;
mod work;

use super::record::StepFigures;
use super::selection::Selection;
use crate::error::{Error, Result};
use crate::sae::constraints::{PenaltyGradients, TiedDecoder};
use crate::sae::kernels::{self, AdamStep};
use crate::sae::params::{StandardGrads, StandardParams};
use state::StepState;
use update::Beyond;
use work::Work;

/// Above this share of active entries dense products are faster than lists.
pub const DENSE_ABOVE: f64 = 0.15;

/// The trainable state: parameters, Adam's moments, and buffers reused from step to step.
#[derive(Debug)]
pub struct StandardStep {
    pub(super) state: StepState,
    beta1: f64,
    beta2: f64,
    steps: usize,
    dense_above: f64,
    work: Work,
}

impl StandardStep {
    /// Starts training from `params`, with Adam's two decay rates, both in [0, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first vector whose length does not match `d_in` and `d_sae`;
    /// [`Error::Argument`] for a width of 0 or a decay rate out of its range.
    pub fn new(params: StandardParams, beta1: f64, beta2: f64) -> Result<Self> {
        params.check()?;
        for (what, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::argument(what, beta, "must lie in [0, 1)"));
            }
        }
        Ok(Self {
            state: StepState::new(params),
            beta1,
            beta2,
            steps: 0,
            dense_above: DENSE_ABOVE,
            work: Work::default(),
        })
    }

    /// Share of active entries above which the dense path is taken (1: never, 0: always).
    pub fn with_dense_above(mut self, share: f64) -> Self {
        self.dense_above = share;
        self
    }

    /// The current parameters.
    pub fn params(&self) -> &StandardParams {
        &self.state.params
    }

    /// Ends training and returns the parameters.
    pub fn into_params(self) -> StandardParams {
        self.state.params
    }

    /// Optimiser steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps since each feature was last active, `[d_sae]`.
    pub fn silent_steps(&self) -> &[u32] {
        &self.state.silent
    }

    /// One step on `x`, `[n, d_in]`: gradients, Adam, decoder rows normalised to unit length.
    /// `sparsity_weight` is that of L1, or of L0 with [`StandardStep::with_thresholds`].
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or ends within a row; [`Error::Argument`] for a rate or a
    /// weight that is negative or not finite; [`Error::NotFinite`] when the loss is not finite, naming
    /// the input or the parameter that is the cause. The state is then unchanged.
    pub fn step(&mut self, x: &[f32], lr: f64, sparsity_weight: f64) -> Result<StepFigures> {
        let (figures, _) = self.stepped(x, lr, sparsity_weight, Beyond::Nothing)?;
        Ok(figures)
    }

    /// [`StandardStep::step`] on the loss plus a penalty on the weights; `penalty` is its gradient at
    /// [`StandardStep::params`].
    ///
    /// # Errors
    /// [`Error::Shape`] when the penalty has other widths; those of [`StandardStep::step`].
    pub fn step_with_penalty(
        &mut self,
        x: &[f32],
        lr: f64,
        sparsity_weight: f64,
        penalty: &PenaltyGradients,
    ) -> Result<StepFigures> {
        let (found, wanted) = (
            [penalty.d_sae(), penalty.d_in()],
            [self.state.params.d_sae, self.state.params.d_in],
        );
        if found != wanted {
            return Err(Error::shape("the penalty's gradient", wanted, found));
        }
        let (figures, _) = self.stepped(x, lr, sparsity_weight, Beyond::Penalty(penalty))?;
        Ok(figures)
    }

    /// [`StandardStep::step`] with a tied decoder: the decoder's gradient updates the parameters of
    /// `tied`, which determine the decoder. It is [`TiedDecoder::w_dec`] from the start,
    /// if training starts there.
    ///
    /// # Errors
    /// [`Error::Shape`] when `tied` has other widths; those of [`StandardStep::step`].
    pub fn step_tied(
        &mut self,
        x: &[f32],
        lr: f64,
        sparsity_weight: f64,
        tied: &mut TiedDecoder,
    ) -> Result<StepFigures> {
        let (found, wanted) = (
            [tied.d_sae(), tied.d_in()],
            [self.state.params.d_sae, self.state.params.d_in],
        );
        if found != wanted {
            return Err(Error::shape("the tied decoder", wanted, found));
        }
        let mut g_w_dec = std::mem::take(&mut self.work.g_w_dec);
        g_w_dec.resize(self.state.params.w_dec.len(), 0.0);
        let (figures, adam) = self.stepped(x, lr, sparsity_weight, Beyond::Tied(&mut g_w_dec))?;
        tied.update(&adam, &g_w_dec, &mut self.state.params.w_dec)?;
        self.work.g_w_dec = g_w_dec;
        Ok(figures)
    }

    fn stepped(
        &mut self,
        x: &[f32],
        lr: f64,
        sparsity_weight: f64,
        beyond: Beyond,
    ) -> Result<(StepFigures, AdamStep)> {
        for (what, value) in [("learning rate", lr), ("sparsity weight", sparsity_weight)] {
            if !(value >= 0.0 && value.is_finite()) {
                let reason = "must be at least 0 and finite";
                return Err(Error::argument(what, value, reason));
            }
        }
        let figures = self.forward_with_aux(x, sparsity_weight)?;
        if !(figures.l2 + figures.l1 + figures.aux).is_finite() {
            return Err(self.state.not_finite(x, &figures, self.steps + 1));
        }
        let n = x.len() / self.state.params.d_in;
        let sparsity = self.state.sparsity(n, sparsity_weight);
        if figures.dense {
            self.work.dense_gradients(&self.state.params, sparsity.l1);
        }
        if let Selection::Batch(batch) = &mut self.state.selection {
            batch.saw(self.work.least);
        }
        self.steps += 1;
        let adam = AdamStep::new(lr, self.beta1, self.beta2, self.steps);
        self.state
            .update(&mut self.work, &adam, sparsity, figures.dense, beyond);
        Ok((figures, adam))
    }

    /// Figures and gradients of the loss on `x`, `[n, d_in]`, without an update.
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn gradients(
        &mut self,
        x: &[f32],
        sparsity_weight: f64,
    ) -> Result<(StepFigures, StandardGrads)> {
        let figures = self.forward_with_aux(x, sparsity_weight)?;
        let params = &self.state.params;
        let (d, s) = (params.d_in, params.d_sae);
        let sparsity = self.state.sparsity(x.len() / d, sparsity_weight);
        let l1 = sparsity.l1;
        let mut grads = StandardGrads::zeros(d, s);
        if figures.dense {
            grads.clone_from(self.work.dense_gradients(params, l1));
        } else {
            for j in 0..s {
                let row = j * d..(j + 1) * d;
                let (gw_enc, gw_dec) = (
                    &mut grads.w_enc_t[row.clone()],
                    &mut grads.w_dec[row.clone()],
                );
                let w_dec = &params.w_dec[row.clone()];
                if let Selection::Gates(gates) = &self.state.selection {
                    let own = (gates.r_mag[j], gates.b_mag[j]);
                    let g = self.work.gate_gradient(j, w_dec, own, l1, (gw_enc, gw_dec));
                    grads.b_enc[j] = g.b_gate;
                    let w_enc = &params.w_enc_t[row];
                    kernels::add_scaled(-own.0.exp() * g.b_mag, w_enc, &mut grads.b_dec);
                    continue;
                }
                grads.b_enc[j] = self.work.feature_gradient(j, w_dec, l1, gw_enc, gw_dec);
                if let Selection::Thresholds(thresholds) = &self.state.selection {
                    let jump = (thresholds.theta[j], thresholds.rule);
                    let (of_b, _) = self.work.jump_gradient(j, w_dec, jump, sparsity.l0, gw_enc);
                    grads.b_enc[j] += of_b;
                }
            }
        }
        for j in 0..s {
            let row = j * d..(j + 1) * d;
            let (w_dec, gw_enc) = (&params.w_dec[row.clone()], &mut grads.w_enc_t[row.clone()]);
            let of_b = self
                .work
                .aux_gradient(j, w_dec, gw_enc, &mut grads.w_dec[row]);
            grads.b_enc[j] += of_b.unwrap_or(0.0);
        }
        kernels::add_scaled(1.0, &self.work.resid_sum(d), &mut grads.b_dec);
        for (j, gb) in grads.b_enc.iter().enumerate() {
            kernels::add_scaled(-gb, &params.w_enc_t[j * d..][..d], &mut grads.b_dec);
        }
        Ok((figures, grads))
    }

    /// Squared reconstruction error of each token of `x`, `[n, d_in]`, summed over `d_in`. `[n]`
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn squared_errors(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        self.forward(x)?;
        Ok(self.work.squared_errors(self.state.params.d_in))
    }

    /// Moves feature `j`: the decoder row becomes `direction` at unit length, the encoder column the same
    /// direction at length `encoder_norm`, the bias and Adam's moments 0. A direction of zeros has no
    /// unit length and remains zero.
    ///
    /// # Errors
    /// [`Error::Argument`] when there is no feature `j`; [`Error::Shape`] when `direction` is not
    /// `[d_in]`.
    pub fn replace_feature(
        &mut self,
        j: usize,
        direction: &[f32],
        encoder_norm: f32,
    ) -> Result<()> {
        let (d, s) = (self.state.params.d_in, self.state.params.d_sae);
        if j >= s {
            let reason = format!("there are features 0 to {}", s - 1);
            return Err(Error::argument("feature", j, reason));
        }
        if direction.len() != d {
            return Err(Error::shape("direction", [d], [direction.len()]));
        }
        let w_dec = &mut self.state.params.w_dec[j * d..(j + 1) * d];
        w_dec.copy_from_slice(direction);
        kernels::normalise(w_dec);
        self.state.align_encoder(j, encoder_norm);
        Ok(())
    }

    /// The entry point of every pass: checks that rows are whole and that there is at least one.
    fn forward(&mut self, x: &[f32]) -> Result<StepFigures> {
        let d = self.state.params.d_in;
        if x.is_empty() || !x.len().is_multiple_of(d) {
            let expected = format!("[n * {d}] for n of at least 1");
            return Err(Error::shape("the inputs", expected, [x.len()]));
        }
        Ok(self.work.forward(&self.state, x, self.dense_above))
    }
}
