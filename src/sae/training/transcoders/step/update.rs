//! The update of a sparse map: projection, Adam and normalisation, panel by panel in one parallel pass.
//! A task owns the rows of one panel of features, so that no two threads write the same place.

use super::gauge;
use super::params::FeatureBlock;
use super::state::{BlockState, Rule, State};
use super::work::{BlockWork, Work};
use crate::sae::kernels::{self, AdamStep, Moments, PANEL, pack_panel};
use crate::sae::training::selection::{JumpRule, PanelThresholds, Sparsity};
use rayon::prelude::*;
use std::ops::Range;

/// What all panels of a block read.
struct Shared<'a> {
    work: &'a BlockWork,
    resid: &'a [f32],
    sites: Vec<Range<usize>>,
    d_in: usize,
    d_out: usize,
    adam: &'a AdamStep,
    sparsity: Sparsity,
}

/// One panel of features with everything the update writes; moments (m, v).
struct Panel<'a> {
    w_enc_t: &'a mut [f32],
    w_dec: &'a mut [f32],
    b_enc: &'a mut [f32],
    enc: (&'a mut [f32], &'a mut [f32]),
    dec: (&'a mut [f32], &'a mut [f32]),
    b: (&'a mut [f32], &'a mut [f32]),
    packed: (&'a mut [f32], &'a mut [f32]),
    silent: &'a mut [u32],
    thresholds: Option<PanelThresholds<'a>>,
}

impl State {
    /// One step of every parameter. `x` is `[n, d_in]`.
    pub(super) fn update(&mut self, work: &Work, x: &[f32], adam: &AdamStep, sparsity: Sparsity) {
        let params = &mut self.params;
        let (d_in, d_out) = (params.d_in, params.d_out);
        for ((state, block), of_block) in
            (self.blocks.iter_mut().zip(&mut params.blocks)).zip(&work.blocks)
        {
            let shared = Shared {
                work: of_block,
                resid: &work.resid,
                sites: block.sites(),
                d_in: block.d_in(),
                d_out: block.d_out(),
                adam,
                sparsity,
            };
            state.update(block, &shared);
        }
        let (g_b_dec, moments) = (work.resid_sum(d_out), &mut self.adam_b_dec);
        kernels::adam(
            adam,
            &g_b_dec,
            &mut params.b_dec,
            &mut moments.m,
            &mut moments.v,
        );
        if let Some(w_skip) = &mut params.w_skip {
            let (gradient, moments) = (work.skip_gradient(x, d_in, d_out), &mut self.adam_skip);
            (
                gradient.par_chunks(d_out),
                w_skip.par_chunks_mut(d_out),
                moments.m.par_chunks_mut(d_out),
                moments.v.par_chunks_mut(d_out),
            )
                .into_par_iter()
                .for_each(|(g, w, m, v)| kernels::adam(adam, g, w, m, v));
        }
    }
}

fn by_panel(moments: &mut Moments, rows: usize) -> impl Iterator<Item = (&mut [f32], &mut [f32])> {
    let Moments { m, v } = moments;
    m.chunks_mut(rows).zip(v.chunks_mut(rows))
}

impl BlockState {
    fn update(&mut self, block: &mut FeatureBlock, shared: &Shared) {
        let (enc_rows, dec_rows) = (PANEL * shared.d_in, PANEL * shared.d_out);
        let n_panels = block.d_sae().div_ceil(PANEL);
        let thresholds: Vec<Option<PanelThresholds>> = match &mut self.rule {
            Rule::Thresholds(thresholds) => thresholds.by_panel().map(Some).collect(),
            Rule::ByToken | Rule::Batch(_) => (0..n_panels).map(|_| None).collect(),
        };
        let weights = (block.w_enc_t.chunks_mut(enc_rows))
            .zip(block.w_dec.chunks_mut(dec_rows))
            .zip(block.b_enc.chunks_mut(PANEL));
        let moments = by_panel(&mut self.adam_enc, enc_rows)
            .zip(by_panel(&mut self.adam_dec, dec_rows))
            .zip(by_panel(&mut self.adam_b, PANEL));
        let packed =
            (self.packed.panels.chunks_mut(enc_rows)).zip(self.packed.bias.chunks_mut(PANEL));
        let rest = packed.zip(self.silent.chunks_mut(PANEL)).zip(thresholds);
        let panels: Vec<Panel> = weights
            .zip(moments)
            .zip(rest)
            .map(|((weights, moments), rest)| {
                let ((w_enc_t, w_dec), b_enc) = weights;
                let ((enc, dec), b) = moments;
                let ((packed, silent), thresholds) = rest;
                Panel {
                    w_enc_t,
                    w_dec,
                    b_enc,
                    enc,
                    dec,
                    b,
                    packed,
                    silent,
                    thresholds,
                }
            })
            .collect();
        panels
            .into_par_iter()
            .enumerate()
            .for_each(|(p, panel)| panel.update(p, shared));
    }
}

impl Panel<'_> {
    fn update(mut self, panel: usize, shared: &Shared) {
        let &Shared {
            work,
            d_in,
            d_out,
            adam,
            ..
        } = shared;
        let (mut gw_enc, mut gw_dec) = (vec![0f32; d_in], vec![0f32; d_out]);
        let (mut g_b, mut g_theta) = ([0f32; PANEL], [0f32; PANEL]);
        let n = self.b_enc.len();
        for lane in 0..n {
            let j = panel * PANEL + lane;
            let (enc, dec) = (
                lane * d_in..(lane + 1) * d_in,
                lane * d_out..(lane + 1) * d_out,
            );
            let w_dec = &mut self.w_dec[dec.clone()];
            let jump: Option<(f32, JumpRule)> =
                self.thresholds.as_ref().map(|t| (t.theta[lane], t.rule));
            let both = (&mut gw_enc[..], &mut gw_dec[..]);
            let of = work.gradient(j, shared.resid, w_dec, jump, shared.sparsity, both);
            (g_b[lane], g_theta[lane]) = (of.b_enc, of.threshold);
            let (m, v) = (&mut self.enc.0[enc.clone()], &mut self.enc.1[enc.clone()]);
            kernels::adam(adam, &gw_enc, &mut self.w_enc_t[enc], m, v);
            gauge::project(w_dec, &mut gw_dec, &shared.sites);
            let (m, v) = (&mut self.dec.0[dec.clone()], &mut self.dec.1[dec]);
            kernels::adam(adam, &gw_dec, w_dec, m, v);
            gauge::normalise(w_dec, &shared.sites);
            self.silent[lane] = match work.was_active(j) {
                true => 0,
                false => self.silent[lane] + 1,
            };
        }
        kernels::adam(adam, &g_b[..n], self.b_enc, self.b.0, self.b.1);
        let (packed, bias) = self.packed;
        pack_panel(self.w_enc_t, d_in, packed);
        bias[..n].copy_from_slice(self.b_enc);
        if let Some(thresholds) = &mut self.thresholds {
            thresholds.update(adam, &g_theta[..n]);
            for (bias, &theta) in bias.iter_mut().zip(&*thresholds.theta) {
                *bias = thresholds.rule.shifted(*bias, theta);
            }
        }
    }
}
