//! Encoder product that keeps only the active features.
//! `acts = relu(x_cent W_enc + b_enc)`, written as lists of (feature, act) per token. A NaN is listed.
//! A register-tiled product over packed weights, so the `[tokens, d_sae]` matrix never exists.

use super::lists::ActiveLists;
use super::nan::above;
#[cfg(target_arch = "x86_64")]
use super::rows::{Level, level};
use super::tile::panel::{CHUNK, Features, PANEL};
#[cfg(target_arch = "x86_64")]
use super::tile::transpose::transposed;
use super::tile::{KeepSigned, Tile, TileKernel};
use crate::model::{Kernel, widest};
use rayon::prelude::*;

/// One chunk's counts and sums, one lane per feature.
pub(in crate::sae) struct Tally {
    pub active: Vec<u32>,
    pub sum: Vec<f32>,
}

/// The encoder, panel by panel: `panels[p][k][lane] = W_enc[k][p PANEL + lane]`.
#[derive(Debug, Clone)]
pub(in crate::sae) struct PackedEncoder {
    d_in: usize,
    d_sae: usize,
    /// The number of positive activations kept per token, the largest; `None`: all.
    pub top_k: Option<usize>,
    /// Negative activations are listed, too, and compared by their absolute values.
    pub signed: bool,
    pub panels: Vec<f32>,
    /// Biases; minus infinity in the lanes without a feature.
    pub bias: Vec<f32>,
}

impl PackedEncoder {
    /// Number of features.
    pub(in crate::sae) fn d_sae(&self) -> usize {
        self.d_sae
    }

    /// Width of the input.
    pub(super) fn d_in(&self) -> usize {
        self.d_in
    }

    /// Packs `w_enc_t`, `[d_sae, d_in]` with one row per feature.
    pub(in crate::sae) fn new(w_enc_t: &[f32], b_enc: &[f32], d_in: usize) -> Self {
        let mut packed = Self::zeros(b_enc, d_in);
        for (p, panel) in packed.panels.chunks_exact_mut(PANEL * d_in).enumerate() {
            let from = p * PANEL;
            let n = PANEL.min(packed.d_sae - from);
            pack_panel(&w_enc_t[from * d_in..][..n * d_in], d_in, panel);
        }
        packed
    }

    fn zeros(b_enc: &[f32], d_in: usize) -> Self {
        let d_sae = b_enc.len();
        let n_panels = d_sae.div_ceil(PANEL);
        let mut bias = vec![f32::NEG_INFINITY; n_panels * PANEL];
        bias[..d_sae].copy_from_slice(b_enc);
        Self {
            d_in,
            d_sae,
            top_k: None,
            signed: false,
            panels: vec![0.0; n_panels * PANEL * d_in],
            bias,
        }
    }

    /// Packs `w_enc`, `[d_in, d_sae]` with one column per feature.
    pub(in crate::sae) fn from_columns(w_enc: &[f32], b_enc: &[f32], d_in: usize) -> Self {
        let mut packed = Self::zeros(b_enc, d_in);
        let d_sae = packed.d_sae;
        packed
            .panels
            .par_chunks_mut(PANEL * d_in)
            .enumerate()
            .for_each(|(p, panel)| {
                let columns = p * PANEL..d_sae.min((p + 1) * PANEL);
                for (lanes, row) in panel.chunks_exact_mut(PANEL).zip(w_enc.chunks_exact(d_sae)) {
                    lanes[..columns.len()].copy_from_slice(&row[columns.clone()]);
                }
            });
        packed
    }

    /// Overwrites one feature.
    pub(in crate::sae) fn set_feature(&mut self, j: usize, w: &[f32], bias: f32) {
        let panel = &mut self.panels[j / PANEL * PANEL * self.d_in..][..PANEL * self.d_in];
        for (lanes, w) in panel.chunks_exact_mut(PANEL).zip(w) {
            lanes[j % PANEL] = *w;
        }
        self.bias[j] = bias;
    }

    /// Adds up, over the `n` tokens in `x_cent` `[CHUNK, d_in]`, how often and how strongly each
    /// feature is active.
    pub(in crate::sae) fn tally(&self, x_cent: &[f32], n: usize, laid_out: &mut Vec<f32>) -> Tally {
        let d = self.d_in;
        let kernel = TileKernel::of_this_cpu();
        kernel.lay_out(x_cent, d, laid_out);
        let mut tally = Tally {
            active: vec![0; self.bias.len()],
            sum: vec![0.0; self.bias.len()],
        };
        let lanes = (tally.active.as_chunks_mut::<PANEL>().0.iter_mut())
            .zip(tally.sum.as_chunks_mut::<PANEL>().0)
            .zip(self.bias.as_chunks::<PANEL>().0);
        let mut tile: Tile = [[0f32; PANEL]; CHUNK];
        for (panel, ((active, sum), bias)) in self.panels.chunks_exact(PANEL * d).zip(lanes) {
            kernel.product(laid_out, panel, n, &mut tile);
            widest(TallyTile {
                tile: &tile[..n],
                bias,
                active,
                sum,
            });
        }
        tally
    }

    /// Active features of the `n` tokens in `x_cent`, `[CHUNK, d_in]` with rows from `n` on
    /// ignored: those above `floor`. It is at least 0 or, with a `top_k`, minus infinity: then negative
    /// activations are listed where there are fewer than `k` others.
    pub(in crate::sae) fn encode(
        &self,
        x_cent: &[f32],
        n: usize,
        floor: f32,
        laid_out: &mut Vec<f32>,
        out: &mut ActiveLists,
    ) {
        out.begin(floor, self.signed);
        let d = self.d_in;
        let kernel = TileKernel::of_this_cpu();
        kernel.lay_out(x_cent, d, laid_out);
        let mut tile: Tile = [[0f32; PANEL]; CHUNK];
        let biases = self.bias.as_chunks::<PANEL>().0;
        let panels = self.panels.chunks_exact(PANEL * d).zip(biases);
        for (p, (panel, bias)) in panels.enumerate() {
            let n_lanes = PANEL.min(self.d_sae - p * PANEL);
            let features = Features {
                first: (p * PANEL) as u32,
                lanes: u32::MAX >> (PANEL - n_lanes),
                bias,
                top_k: self.top_k,
            };
            kernel.product(laid_out, panel, n, &mut tile);
            match self.signed {
                true => widest(KeepSigned {
                    rows: &mut out.rows[..n],
                    tile: &tile,
                    features: &features,
                }),
                false => (kernel.keep)(&mut out.rows[..n], &tile, &features),
            }
        }
        out.end(n, self.top_k);
    }
}

/// Adds the counts and sums of one tile's positive or NaN activations to those of a panel.
struct TallyTile<'a> {
    tile: &'a [[f32; PANEL]],
    bias: &'a [f32; PANEL],
    active: &'a mut [u32; PANEL],
    sum: &'a mut [f32; PANEL],
}

impl Kernel for TallyTile<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let (mut active, mut sum) = (*self.active, *self.sum);
        for values in self.tile {
            for l in 0..PANEL {
                let pre = values[l] + self.bias[l];
                active[l] += u32::from(above(pre, 0.0));
                sum[l] += if above(pre, 0.0) { pre } else { 0.0 };
            }
        }
        (*self.active, *self.sum) = (active, sum);
    }
}

/// Transposes up to [`PANEL`] rows of `d_in` into a panel; missing rows are left unchanged.
pub(in crate::sae) fn pack_panel(rows: &[f32], d_in: usize, panel: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if level() == Level::Avx512 && rows.len() == PANEL * d_in {
        // SAFETY: `level` has just checked that the CPU has these features.
        return unsafe { pack_whole_panel(rows, d_in, panel) };
    }
    pack_columns(rows, d_in, 0, panel);
}

/// [`pack_panel`] of as many rows as the panel has lanes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn pack_whole_panel(rows: &[f32], d_in: usize, panel: &mut [f32]) {
    use std::arch::x86_64::*;
    let whole = d_in / 16 * 16;
    for from in (0..whole).step_by(16) {
        for lane in (0..PANEL).step_by(16) {
            let mut block = [_mm512_setzero_ps(); 16];
            for (i, to) in block.iter_mut().enumerate() {
                let row = &rows[(lane + i) * d_in + from..][..16];
                // SAFETY: as many values as the register has lanes.
                *to = unsafe { _mm512_loadu_ps(row.as_ptr()) };
            }
            for (k, column) in transposed(block).into_iter().enumerate() {
                let to = &mut panel[(from + k) * PANEL + lane..][..16];
                // SAFETY: as above.
                unsafe { _mm512_storeu_ps(to.as_mut_ptr(), column) };
            }
        }
    }
    pack_columns(rows, d_in, whole, panel);
}

/// [`pack_panel`] of the columns from `first` on.
fn pack_columns(rows: &[f32], d_in: usize, first: usize, panel: &mut [f32]) {
    // Blocks of 16 columns keep the rows' cache lines in use while the panel is written in order.
    for from in (first..d_in).step_by(16) {
        let to = d_in.min(from + 16);
        for (lane, row) in rows.chunks_exact(d_in).enumerate() {
            for (k, w) in row[from..to].iter().enumerate() {
                panel[(from + k) * PANEL + lane] = *w;
            }
        }
    }
}

#[cfg(test)]
mod tests;
