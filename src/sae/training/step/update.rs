//! The update of a step: projection, Adam and normalisation in one parallel pass.
//! A task owns the rows of one panel of features, so gradients need no memory of their own
//! and no two threads write the same place. There is no update without a finite loss.

use super::super::record::StepFigures;
use super::super::selection::{Gates, PanelSelection, Selection, Sparsity, Thresholds};
use super::state::StepState;
use super::work::Work;
use crate::error::Error;
use crate::model::first_not_finite_of;
use crate::sae::constraints::PenaltyGradients;
use crate::sae::kernels::{self, AdamStep, PANEL, pack_panel};
use rayon::prelude::*;

/// What a step does in addition to descending the loss on its batch.
pub(in crate::sae::training) enum Beyond<'a> {
    Nothing,
    /// Adds the gradient of a penalty on the weights.
    Penalty(&'a PenaltyGradients),
    /// Does not update the decoder but writes its gradient here, `[d_sae, d_in]`.
    Tied(&'a mut [f32]),
}

/// One panel of features with everything the update writes.
struct PanelRows<'a> {
    w_enc_t: &'a mut [f32],
    w_dec: &'a mut [f32],
    b_enc: &'a mut [f32],
    m_enc: &'a mut [f32],
    v_enc: &'a mut [f32],
    m_dec: &'a mut [f32],
    v_dec: &'a mut [f32],
    m_b: &'a mut [f32],
    v_b: &'a mut [f32],
    packed: &'a mut [f32],
    packed_bias: &'a mut [f32],
    silent: &'a mut [u32],
    b_dec: &'a mut [f32],
    selection: PanelSelection<'a>,
    beyond: Beyond<'a>,
}

impl StepState {
    /// Projection, Adam and normalisation, panel by panel in one parallel pass.
    pub(in crate::sae::training) fn update(
        &mut self,
        work: &mut Work,
        adam: &AdamStep,
        sparsity: Sparsity,
        dense: bool,
        beyond: Beyond,
    ) {
        let d = self.params.d_in;
        let mut g_b_dec = work.resid_sum(d);
        let mut panel_b_dec = std::mem::take(&mut work.panel_b_dec);
        panel_b_dec.resize(self.params.d_sae.div_ceil(PANEL) * d, 0.0);
        let rows = PANEL * d;
        let n_panels = self.params.d_sae.div_ceil(PANEL);
        let beyond = beyond.by_panel(rows, n_panels);
        let selection = self.selection.by_panel(n_panels);
        let p = &mut self.params;
        (
            p.w_enc_t.par_chunks_mut(rows),
            p.w_dec.par_chunks_mut(rows),
            p.b_enc.par_chunks_mut(PANEL),
            (
                self.adam_enc.m.par_chunks_mut(rows),
                self.adam_enc.v.par_chunks_mut(rows),
            ),
            (
                self.adam_dec.m.par_chunks_mut(rows),
                self.adam_dec.v.par_chunks_mut(rows),
            ),
            (
                self.adam_b_enc.m.par_chunks_mut(PANEL),
                self.adam_b_enc.v.par_chunks_mut(PANEL),
            ),
            (
                self.packed.panels.par_chunks_mut(rows),
                self.packed.bias.par_chunks_mut(PANEL),
            ),
            self.silent.par_chunks_mut(PANEL),
            panel_b_dec.par_chunks_mut(d),
            selection.into_par_iter(),
            beyond.into_par_iter(),
        )
            .into_par_iter()
            .enumerate()
            .for_each(
                |(
                    panel,
                    (w_enc_t, w_dec, b_enc, enc, dec, b, packed, silent, b_dec, selection, beyond),
                )| {
                    let rows = PanelRows {
                        w_enc_t,
                        w_dec,
                        b_enc,
                        m_enc: enc.0,
                        v_enc: enc.1,
                        m_dec: dec.0,
                        v_dec: dec.1,
                        m_b: b.0,
                        v_b: b.1,
                        packed: packed.0,
                        packed_bias: packed.1,
                        silent,
                        b_dec,
                        selection,
                        beyond,
                    };
                    rows.update(work, panel, adam, sparsity, dense);
                },
            );
        for partial in panel_b_dec.chunks_exact(d) {
            kernels::add_scaled(1.0, partial, &mut g_b_dec);
        }
        let moments = &mut self.adam_b_dec;
        kernels::adam(adam, &g_b_dec, &mut p.b_dec, &mut moments.m, &mut moments.v);
        work.panel_b_dec = panel_b_dec;
    }

    /// Identifies what made the loss of step `step`, on `x`, NaN or infinite.
    pub(in crate::sae::training) fn not_finite(
        &self,
        x: &[f32],
        figures: &StepFigures,
        step: usize,
    ) -> Error {
        let d = self.params.d_in;
        let p = &self.params;
        let first = |values: &[f32]| first_not_finite_of(values).map(|i| (i, f64::from(values[i])));
        let (what, value) = if let Some((i, value)) = first(x) {
            let what = format!("the input, dimension {} of row {}", i % d, i / d);
            (what, value)
        } else if let Some((i, value)) = first(&p.w_enc_t) {
            (format!("W_enc of feature {}", i / d), value)
        } else if let Some((i, value)) = first(&p.w_dec) {
            (format!("W_dec of feature {}", i / d), value)
        } else if let Some((j, value)) = first(&p.b_enc) {
            (format!("b_enc of feature {j}"), value)
        } else if let Some((k, value)) = first(&p.b_dec) {
            (format!("dimension {k} of b_dec"), value)
        } else if let Selection::Thresholds(Thresholds { theta, .. }) = &self.selection
            && let Some((j, value)) = first(theta)
        {
            (format!("the threshold of feature {j}"), value)
        } else if let Selection::Gates(Gates { r_mag, b_mag, .. }) = &self.selection
            && let Some((j, value)) = first(r_mag).or_else(|| first(b_mag))
        {
            (format!("r_mag or b_mag of feature {j}"), value)
        } else {
            let loss = figures.l2 + figures.l1;
            ("the autoencoder's loss".to_owned(), loss)
        };
        Error::NotFinite { what, value, step }
    }
}

impl<'a> Beyond<'a> {
    /// Each panel's part, `rows` values of a matrix.
    fn by_panel(self, rows: usize, n_panels: usize) -> Vec<Beyond<'a>> {
        match self {
            Beyond::Nothing => (0..n_panels).map(|_| Beyond::Nothing).collect(),
            Beyond::Penalty(g) => (0..n_panels).map(|_| Beyond::Penalty(g)).collect(),
            Beyond::Tied(g_w_dec) => g_w_dec.chunks_mut(rows).map(Beyond::Tied).collect(),
        }
    }
}

impl PanelRows<'_> {
    fn update(
        mut self,
        work: &Work,
        panel: usize,
        adam: &AdamStep,
        sparsity: Sparsity,
        dense: bool,
    ) {
        let d = self.b_dec.len();
        let (mut gw_enc, mut gw_dec) = (vec![0f32; d], vec![0f32; d]);
        let mut g_b = [0f32; PANEL];
        // Of the thresholds, or of b_mag and r_mag.
        let (mut g_own, mut g_r) = ([0f32; PANEL], [0f32; PANEL]);
        self.b_dec.fill(0.0);
        let n = self.b_enc.len();
        for (lane, g_b) in g_b[..n].iter_mut().enumerate() {
            let j = panel * PANEL + lane;
            let row = lane * d..(lane + 1) * d;
            let w_dec = &mut self.w_dec[row.clone()];
            let w_enc_t = &mut self.w_enc_t[row.clone()];
            match work.dense.grads.as_ref().filter(|_| dense) {
                Some(grads) => {
                    gw_enc.copy_from_slice(&grads.w_enc_t[j * d..][..d]);
                    gw_dec.copy_from_slice(&grads.w_dec[j * d..][..d]);
                    *g_b = grads.b_enc[j];
                }
                None => {
                    if let PanelSelection::Gates(gates) = &self.selection {
                        let own = (gates.r_mag[lane], gates.b_mag[lane]);
                        let l1 = sparsity.l1;
                        let g = work.gate_gradient(j, w_dec, own, l1, (&mut gw_enc, &mut gw_dec));
                        *g_b = g.b_gate;
                        (g_own[lane], g_r[lane]) = (g.b_mag, g.r_mag);
                        kernels::add_scaled(-own.0.exp() * g.b_mag, w_enc_t, self.b_dec);
                    } else {
                        let l1 = sparsity.l1;
                        *g_b = work.feature_gradient(j, w_dec, l1, &mut gw_enc, &mut gw_dec);
                    }
                }
            }
            if let PanelSelection::Thresholds(thresholds) = &self.selection {
                let jump = (thresholds.theta[lane], thresholds.rule);
                let (of_b, of_theta) = work.jump_gradient(j, w_dec, jump, sparsity.l0, &mut gw_enc);
                *g_b += of_b;
                g_own[lane] = of_theta;
            }
            if let Some(of_b) = work.aux_gradient(j, w_dec, &mut gw_enc, &mut gw_dec) {
                *g_b += of_b;
            }
            if let Beyond::Penalty(penalty) = self.beyond {
                kernels::add_scaled(1.0, penalty.w_enc(j), &mut gw_enc);
                kernels::add_scaled(1.0, penalty.w_dec(j), &mut gw_dec);
            }
            // The encoder's share of the gradient of b_dec needs the weights before the update.
            kernels::add_scaled(-*g_b, w_enc_t, self.b_dec);
            kernels::adam(
                adam,
                &gw_enc,
                w_enc_t,
                &mut self.m_enc[row.clone()],
                &mut self.v_enc[row.clone()],
            );
            if let Beyond::Tied(g_w_dec) = &mut self.beyond {
                g_w_dec[row].copy_from_slice(&gw_dec);
            } else {
                kernels::project(w_dec, &mut gw_dec);
                kernels::adam(
                    adam,
                    &gw_dec,
                    w_dec,
                    &mut self.m_dec[row.clone()],
                    &mut self.v_dec[row],
                );
                kernels::normalise(w_dec);
            }
            self.silent[lane] = if work.was_active(j) {
                0
            } else {
                self.silent[lane] + 1
            };
        }
        kernels::adam(adam, &g_b[..n], self.b_enc, self.m_b, self.v_b);
        pack_panel(self.w_enc_t, d, self.packed);
        self.packed_bias[..n].copy_from_slice(self.b_enc);
        match &mut self.selection {
            PanelSelection::Nothing => {}
            PanelSelection::Thresholds(thresholds) => {
                thresholds.update(adam, &g_own[..n]);
                for (bias, &theta) in self.packed_bias.iter_mut().zip(&*thresholds.theta) {
                    *bias = thresholds.rule.shifted(*bias, theta);
                }
            }
            PanelSelection::Gates(gates) => gates.update(adam, &g_r[..n], &g_own[..n]),
        }
    }
}
