//! The state that an optimiser step of a sparse map changes.

use super::params::TranscoderParams;
use crate::sae::kernels::{Moments, PackedEncoder};
use crate::sae::training::selection::{BatchTopK, Thresholds};

/// Which activations of a block count.
#[derive(Debug, Clone, Default)]
pub(in crate::sae::training::transcoders) enum Rule {
    /// The positive ones, or the `k` largest of them where the encoder has a `top_k`.
    #[default]
    ByToken,
    /// The largest of the batch.
    Batch(BatchTopK),
    /// Those above their feature's threshold.
    Thresholds(Thresholds),
}

/// The state of a block's features in addition to their parameters.
#[derive(Debug)]
pub(in crate::sae::training::transcoders) struct BlockState {
    /// The encoder in its kernel's layout, always in sync with the parameters.
    pub packed: PackedEncoder,
    pub rule: Rule,
    pub adam_enc: Moments,
    pub adam_dec: Moments,
    pub adam_b: Moments,
    /// Steps since each feature was last active.
    pub silent: Vec<u32>,
}

#[derive(Debug)]
pub(in crate::sae::training::transcoders) struct State {
    pub params: TranscoderParams,
    /// In the order of `params.blocks`.
    pub blocks: Vec<BlockState>,
    pub adam_b_dec: Moments,
    pub adam_skip: Moments,
}

impl State {
    pub(super) fn new(params: TranscoderParams) -> Self {
        let blocks = params.blocks.iter().map(|block| BlockState {
            packed: PackedEncoder::new(&block.w_enc_t, &block.b_enc, block.d_in()),
            rule: Rule::default(),
            adam_enc: Moments::zeros(block.w_enc_t.len()),
            adam_dec: Moments::zeros(block.w_dec.len()),
            adam_b: Moments::zeros(block.d_sae()),
            silent: vec![0; block.d_sae()],
        });
        Self {
            blocks: blocks.collect(),
            adam_b_dec: Moments::zeros(params.d_out),
            adam_skip: Moments::zeros(params.w_skip.as_ref().map_or(0, Vec::len)),
            params,
        }
    }

    /// Switches to another rule, with the biases that its lists need.
    pub(super) fn select(&mut self, rule_of: impl Fn(usize) -> Rule) {
        for (b, (state, params)) in self.blocks.iter_mut().zip(&self.params.blocks).enumerate() {
            state.packed.top_k = None;
            state.rule = rule_of(b);
            for (j, &b_enc) in params.b_enc.iter().enumerate() {
                state.packed.bias[j] = state.rule.listed_bias(b_enc, j);
            }
        }
    }

    /// Resets feature `j` of block `b`: these weights, the initial threshold, Adam's moments 0.
    pub(super) fn restart(
        &mut self,
        b: usize,
        j: usize,
        (w_enc, b_enc): (&[f32], f32),
        w_dec: &[f32],
    ) {
        let (params, state) = (&mut self.params.blocks[b], &mut self.blocks[b]);
        let enc = j * w_enc.len()..(j + 1) * w_enc.len();
        let dec = j * w_dec.len()..(j + 1) * w_dec.len();
        params.w_enc_t[enc.clone()].copy_from_slice(w_enc);
        params.w_dec[dec.clone()].copy_from_slice(w_dec);
        params.b_enc[j] = b_enc;
        for (moments, row) in [
            (&mut state.adam_enc, enc),
            (&mut state.adam_dec, dec),
            (&mut state.adam_b, j..j + 1),
        ] {
            moments.m[row.clone()].fill(0.0);
            moments.v[row].fill(0.0);
        }
        if let Rule::Thresholds(thresholds) = &mut state.rule {
            thresholds.theta[j] = thresholds.initial;
            thresholds.moments.m[j] = 0.0;
            thresholds.moments.v[j] = 0.0;
        }
        state.silent[j] = 0;
        let bias = state.rule.listed_bias(b_enc, j);
        state.packed.set_feature(j, w_enc, bias);
    }
}

impl Rule {
    /// The bias with which feature `j` is listed where its pre-activation is above 0.
    fn listed_bias(&self, b_enc: f32, j: usize) -> f32 {
        match self {
            Self::ByToken | Self::Batch(_) => b_enc,
            Self::Thresholds(thresholds) => thresholds.shifted(b_enc, j),
        }
    }
}
