//! The state that an optimiser step changes.

use super::super::selection::{Selection, Sparsity};
use super::aux_k::AuxK;
use crate::sae::kernels::{self, Moments, PackedEncoder};
use crate::sae::params::StandardParams;

/// The parameters and the state that accompanies them from step to step.
#[derive(Debug)]
pub(in crate::sae::training) struct StepState {
    pub params: StandardParams,
    /// The encoder in its kernel's layout, always in sync with `params`.
    pub packed: PackedEncoder,
    pub selection: Selection,
    /// The loss for dead features, where features compete.
    pub aux: Option<AuxK>,
    pub adam_enc: Moments,
    pub adam_dec: Moments,
    pub adam_b_enc: Moments,
    pub adam_b_dec: Moments,
    /// Steps since each feature was last active.
    pub silent: Vec<u32>,
}

impl StepState {
    pub(in crate::sae::training) fn new(params: StandardParams) -> Self {
        let (d_in, d_sae) = (params.d_in, params.d_sae);
        Self {
            packed: PackedEncoder::new(&params.w_enc_t, &params.b_enc, d_in),
            adam_enc: Moments::zeros(d_sae * d_in),
            adam_dec: Moments::zeros(d_sae * d_in),
            adam_b_enc: Moments::zeros(d_sae),
            adam_b_dec: Moments::zeros(d_in),
            selection: Selection::default(),
            aux: None,
            params,
            silent: vec![0; d_sae],
        }
    }

    /// Switches to another selection, with the biases that its lists need.
    pub(in crate::sae::training) fn select(&mut self, selection: Selection) {
        for (j, &b) in self.params.b_enc.iter().enumerate() {
            self.packed.bias[j] = match &selection {
                Selection::Thresholds(thresholds) => thresholds.shifted(b, j),
                Selection::ByToken | Selection::Batch(_) | Selection::Gates(_) => b,
            };
        }
        self.packed.top_k = None;
        self.packed.signed = false;
        self.aux = None;
        self.selection = selection;
    }

    /// Gradient of the sparsity loss of weight `weight` over a batch of `n` tokens: L0 if thresholds are
    /// trained, else L1.
    pub(in crate::sae::training) fn sparsity(&self, n: usize, weight: f64) -> Sparsity {
        let a_token = (weight / n as f64) as f32;
        match self.selection {
            Selection::Thresholds(_) => Sparsity {
                l1: 0.0,
                l0: a_token,
            },
            Selection::ByToken | Selection::Batch(_) | Selection::Gates(_) => Sparsity {
                l1: a_token,
                l0: 0.0,
            },
        }
    }

    /// Resets feature `j` along its decoder row: the encoder column is that row at length
    /// `encoder_norm`, the bias is 0, the threshold the initial one, Adam's moments are 0.
    pub(in crate::sae::training) fn align_encoder(&mut self, j: usize, encoder_norm: f32) {
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
        let bias = match &mut self.selection {
            Selection::Thresholds(thresholds) => {
                thresholds.theta[j] = thresholds.initial;
                thresholds.moments.m[j] = 0.0;
                thresholds.moments.v[j] = 0.0;
                thresholds.shifted(0.0, j)
            }
            Selection::Gates(gates) => {
                gates.restart(j);
                0.0
            }
            Selection::ByToken | Selection::Batch(_) => 0.0,
        };
        self.packed.set_feature(j, &self.params.w_enc_t[row], bias);
    }
}
