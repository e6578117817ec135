//! One optimiser step of the standard or the TopK autoencoder, by hand, in f32 on the CPU.
//! `loss = mean_t |x_hat - x|^2 + l1 mean_t |acts|_1`; gradients only where acts are positive.
//! Gradients after Bricken et al. 2023; sparse lists as in Gao et al. 2024, appendix D.

use super::update::Beyond;
use super::work::Work;
use crate::error::{Error, Result};
use crate::sae::constraints::garden_penalty::PenaltyGradients;
use crate::sae::constraints::tied_decoder::TiedDecoder;
use crate::sae::kernels;
use crate::sae::kernels::adam::AdamStep;
use crate::sae::kernels::encode::PackedEncoder;

/// Above this share of active entries dense products are faster than lists.
pub const DENSE_ABOVE: f64 = 0.15;

/// The parameters, one row a feature in both matrices.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardParams {
    pub d_in: usize,
    pub d_sae: usize,
    /// `W_enc` transposed: `[d_sae, d_in]`, so that a feature's column is contiguous.
    pub w_enc_t: Vec<f32>,
    /// `[d_sae, d_in]`.
    pub w_dec: Vec<f32>,
    /// `[d_sae]`.
    pub b_enc: Vec<f32>,
    /// `[d_in]`.
    pub b_dec: Vec<f32>,
}

impl StandardParams {
    /// Checks that the four vectors are as long as the two widths say.
    fn check(&self) -> Result<()> {
        let (d, s) = (self.d_in, self.d_sae);
        for (what, n) in [("d_in", d), ("d_sae", s)] {
            if n == 0 {
                return Err(Error::argument(what, n, "must be at least 1"));
            }
        }
        let expected: [(&str, &[f32], &[usize]); 4] = [
            ("w_enc_t", &self.w_enc_t, &[s, d]),
            ("w_dec", &self.w_dec, &[s, d]),
            ("b_enc", &self.b_enc, &[s]),
            ("b_dec", &self.b_dec, &[d]),
        ];
        for (name, vector, shape) in expected {
            if vector.len() != shape.iter().product::<usize>() {
                return Err(Error::shape(name, shape, [vector.len()]));
            }
        }
        Ok(())
    }
}

/// Gradients of the loss with respect to each parameter, in the parameters' layout.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardGrads {
    pub w_enc_t: Vec<f32>,
    pub w_dec: Vec<f32>,
    pub b_enc: Vec<f32>,
    pub b_dec: Vec<f32>,
}

impl StandardGrads {
    pub(in crate::sae) fn zeros(d_in: usize, d_sae: usize) -> Self {
        Self {
            w_enc_t: vec![0.0; d_sae * d_in],
            w_dec: vec![0.0; d_sae * d_in],
            b_enc: vec![0.0; d_sae],
            b_dec: vec![0.0; d_in],
        }
    }
}

/// What one step saw, before its update; means over the batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepFigures {
    /// Mean over tokens of the squared error summed over `d_in`.
    pub l2: f64,
    /// Mean over tokens of the acts summed over `d_sae`.
    pub l1: f64,
    /// Mean number of active features a token; NaN where an activation is not finite.
    pub l0: f64,
    /// True when the dense path was taken.
    pub dense: bool,
}

/// Adam's two moments of one parameter.
#[derive(Debug, Clone, Default)]
pub(in crate::sae) struct Moments {
    pub m: Vec<f32>,
    pub v: Vec<f32>,
}

impl Moments {
    pub(in crate::sae) fn zeros(n: usize) -> Self {
        Self {
            m: vec![0.0; n],
            v: vec![0.0; n],
        }
    }
}

/// The trainable state: parameters, Adam's moments, and buffers kept from step to step.
#[derive(Debug)]
pub struct StandardStep {
    pub(in crate::sae) params: StandardParams,
    pub(in crate::sae) packed: PackedEncoder,
    pub(in crate::sae) adam_enc: Moments,
    pub(in crate::sae) adam_dec: Moments,
    pub(in crate::sae) adam_b_enc: Moments,
    pub(in crate::sae) adam_b_dec: Moments,
    pub(in crate::sae) beta1: f64,
    pub(in crate::sae) beta2: f64,
    pub(in crate::sae) steps: usize,
    /// Steps since each feature was last active.
    pub(in crate::sae) silent: Vec<u32>,
    pub(in crate::sae) dense_above: f64,
    pub(in crate::sae) work: Work,
}

impl StandardStep {
    /// Starts training from `params`, with Adam's two decay rates, both in [0, 1).
    ///
    /// # Errors
    /// [`Error::Shape`] naming the first vector that is not as long as `d_in` and `d_sae` say;
    /// [`Error::Argument`] for a width of 0 or a decay rate out of its range.
    pub fn new(params: StandardParams, beta1: f64, beta2: f64) -> Result<Self> {
        params.check()?;
        for (what, beta) in [("beta1", beta1), ("beta2", beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::argument(what, beta, "must lie in [0, 1)"));
            }
        }
        let (d_in, d_sae) = (params.d_in, params.d_sae);
        Ok(Self {
            packed: PackedEncoder::new(&params.w_enc_t, &params.b_enc, d_in),
            adam_enc: Moments::zeros(d_sae * d_in),
            adam_dec: Moments::zeros(d_sae * d_in),
            adam_b_enc: Moments::zeros(d_sae),
            adam_b_dec: Moments::zeros(d_in),
            params,
            beta1,
            beta2,
            steps: 0,
            silent: vec![0; d_sae],
            dense_above: DENSE_ABOVE,
            work: Work::default(),
        })
    }

    /// Share of active entries above which the dense path is taken (1: never, 0: always).
    pub fn with_dense_above(mut self, share: f64) -> Self {
        self.dense_above = share;
        self
    }

    /// Of each token's positive activations only the `k` largest count, forwards and backwards
    /// (Gao et al. 2024, arXiv:2406.04093); of equal ones the first.
    pub fn with_top_k(mut self, k: usize) -> Self {
        self.packed.top_k = Some(k);
        self
    }

    /// How many of a token's activations count, where only the largest do.
    pub fn top_k(&self) -> Option<usize> {
        self.packed.top_k
    }

    /// The parameters as they are now.
    pub fn params(&self) -> &StandardParams {
        &self.params
    }

    /// The parameters, training ended.
    pub fn into_params(self) -> StandardParams {
        self.params
    }

    /// Optimiser steps taken.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Steps since each feature was last active, `[d_sae]`.
    pub fn silent_steps(&self) -> &[u32] {
        &self.silent
    }

    /// One step on `x`, `[n, d_in]`: gradients, Adam, decoder rows back to unit length.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` is empty or ends within a row; [`Error::Argument`] for a rate or a
    /// weight that is negative or not finite; [`Error::NotFinite`] when the loss is not finite, naming
    /// the input or the parameter that is to blame. Nothing has changed then.
    pub fn step(&mut self, x: &[f32], lr: f64, l1_coeff: f64) -> Result<StepFigures> {
        let (figures, _) = self.stepped(x, lr, l1_coeff, Beyond::Nothing)?;
        Ok(figures)
    }

    /// [`StandardStep::step`] on the loss plus a penalty on the weights, of which `penalty` is the
    /// gradient at [`StandardStep::params`].
    ///
    /// # Errors
    /// [`Error::Shape`] when the penalty is one of other widths; those of [`StandardStep::step`].
    pub fn step_with_penalty(
        &mut self,
        x: &[f32],
        lr: f64,
        l1_coeff: f64,
        penalty: &PenaltyGradients,
    ) -> Result<StepFigures> {
        let (found, wanted) = (
            [penalty.d_sae(), penalty.d_in()],
            [self.params.d_sae, self.params.d_in],
        );
        if found != wanted {
            return Err(Error::shape("the penalty's gradient", wanted, found));
        }
        let (figures, _) = self.stepped(x, lr, l1_coeff, Beyond::Penalty(penalty))?;
        Ok(figures)
    }

    /// [`StandardStep::step`] with a decoder that is not free: its gradient goes to the numbers that
    /// `tied` holds, and the decoder is what they say. It is [`TiedDecoder::w_dec`] from the start,
    /// if training starts there.
    ///
    /// # Errors
    /// [`Error::Shape`] when `tied` is of other widths; those of [`StandardStep::step`].
    pub fn step_tied(
        &mut self,
        x: &[f32],
        lr: f64,
        l1_coeff: f64,
        tied: &mut TiedDecoder,
    ) -> Result<StepFigures> {
        let (found, wanted) = (
            [tied.d_sae(), tied.d_in()],
            [self.params.d_sae, self.params.d_in],
        );
        if found != wanted {
            return Err(Error::shape("the tied decoder", wanted, found));
        }
        let mut g_w_dec = std::mem::take(&mut self.work.g_w_dec);
        g_w_dec.resize(self.params.w_dec.len(), 0.0);
        let (figures, adam) = self.stepped(x, lr, l1_coeff, Beyond::Tied(&mut g_w_dec))?;
        tied.update(&adam, &g_w_dec, &mut self.params.w_dec)?;
        self.work.g_w_dec = g_w_dec;
        Ok(figures)
    }

    fn stepped(
        &mut self,
        x: &[f32],
        lr: f64,
        l1_coeff: f64,
        beyond: Beyond,
    ) -> Result<(StepFigures, AdamStep)> {
        for (what, value) in [("learning rate", lr), ("l1_coeff", l1_coeff)] {
            if !(value >= 0.0 && value.is_finite()) {
                let reason = "must be at least 0 and finite";
                return Err(Error::argument(what, value, reason));
            }
        }
        let figures = self.forward(x)?;
        if !(figures.l2 + figures.l1).is_finite() {
            return Err(self.not_finite(x, &figures));
        }
        let l1 = self.l1_a_token(x, l1_coeff);
        if figures.dense {
            self.work.dense_gradients(&self.params, l1);
        }
        self.steps += 1;
        let adam = AdamStep::new(lr, self.beta1, self.beta2, self.steps);
        self.update(&adam, l1, figures.dense, beyond);
        Ok((figures, adam))
    }

    /// Figures and gradients of the loss on `x`, `[n, d_in]`, with no update.
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn gradients(&mut self, x: &[f32], l1_coeff: f64) -> Result<(StepFigures, StandardGrads)> {
        let figures = self.forward(x)?;
        let l1 = self.l1_a_token(x, l1_coeff);
        let (d, s) = (self.params.d_in, self.params.d_sae);
        let mut grads = StandardGrads::zeros(d, s);
        if figures.dense {
            grads.clone_from(self.work.dense_gradients(&self.params, l1));
        } else {
            for j in 0..s {
                let row = j * d..(j + 1) * d;
                let (gw_enc, gw_dec) = (
                    &mut grads.w_enc_t[row.clone()],
                    &mut grads.w_dec[row.clone()],
                );
                grads.b_enc[j] =
                    self.work
                        .feature_gradient(j, &self.params.w_dec[row], l1, gw_enc, gw_dec);
            }
        }
        grads.b_dec = self.work.resid_sum(d);
        for (j, gb) in grads.b_enc.iter().enumerate() {
            kernels::add_scaled(-gb, &self.params.w_enc_t[j * d..][..d], &mut grads.b_dec);
        }
        Ok((figures, grads))
    }

    /// Squared reconstruction error of each token of `x`, `[n, d_in]`, summed over `d_in`. `[n]`
    ///
    /// # Errors
    /// As [`StandardStep::step`].
    pub fn squared_errors(&mut self, x: &[f32]) -> Result<Vec<f32>> {
        self.forward(x)?;
        Ok(self.work.squared_errors(self.params.d_in))
    }

    /// Moves feature `j`: decoder row `direction` at unit length, encoder column the same
    /// direction at length `encoder_norm`, bias 0, Adam's moments 0. A direction of zeros has no
    /// unit length and stays one of zeros.
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
        let (d, s) = (self.params.d_in, self.params.d_sae);
        if j >= s {
            let reason = format!("there are features 0 to {}", s - 1);
            return Err(Error::argument("feature", j, reason));
        }
        if direction.len() != d {
            return Err(Error::shape("direction", [d], [direction.len()]));
        }
        let w_dec = &mut self.params.w_dec[j * d..(j + 1) * d];
        w_dec.copy_from_slice(direction);
        kernels::normalise(w_dec);
        self.align_encoder(j, encoder_norm);
        Ok(())
    }

    /// Starts feature `j` afresh along its decoder row: encoder column that row at length
    /// `encoder_norm`, bias 0, Adam's moments 0.
    pub(in crate::sae) fn align_encoder(&mut self, j: usize, encoder_norm: f32) {
        let d = self.params.d_in;
        let row = j * d..(j + 1) * d;
        let w_enc = &mut self.params.w_enc_t[row.clone()];
        w_enc.fill(0.0);
        kernels::add_scaled(encoder_norm, &self.params.w_dec[row.clone()], w_enc);
        self.params.b_enc[j] = 0.0;
        for moments in [&mut self.adam_enc, &mut self.adam_dec] {
            moments.m[row.clone()].fill(0.0);
            moments.v[row.clone()].fill(0.0);
        }
        self.adam_b_enc.m[j] = 0.0;
        self.adam_b_enc.v[j] = 0.0;
        self.silent[j] = 0;
        self.packed.set_feature(j, &self.params.w_enc_t[row], 0.0);
    }

    /// The door of every pass: inside, rows are whole and there is at least one.
    fn forward(&mut self, x: &[f32]) -> Result<StepFigures> {
        let d = self.params.d_in;
        if x.is_empty() || !x.len().is_multiple_of(d) {
            let expected = format!("[n * {d}] for n of at least 1");
            return Err(Error::shape("the inputs", expected, [x.len()]));
        }
        Ok(self
            .work
            .forward(&self.params, &self.packed, x, self.dense_above))
    }

    /// Gradient of the L1 term with respect to one act.
    fn l1_a_token(&self, x: &[f32], l1_coeff: f64) -> f32 {
        (l1_coeff / (x.len() / self.params.d_in) as f64) as f32
    }
}
