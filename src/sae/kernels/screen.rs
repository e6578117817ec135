//! Encoding with fewer products: 8-bit weights and inputs determine which features of a token can be listed,
//! and only their activations are computed in f32. The lists are those of [`PackedEncoder::encode`], bit for bit.
//!
//! With `x = c + x' + dx` for one vector `c` of all tokens and `w = w' + dw`, where `x'` and `w'` are integer multiples
//! of a scale, `|x w - c w - x' w'| <= |dx| |w| + |x'| |dw|` (Cauchy-Schwarz). The product `x' w'` is exact in integers
//! and takes a quarter of the instructions of one in f32. A feature is a candidate unless its upper bound is below the
//! floor or below the `k`th largest lower bound. Candidates' activations are sums in the order of the f32 product.

#[cfg(target_arch = "x86_64")]
mod amx;
#[cfg(target_arch = "x86_64")]
mod bounds;
#[cfg(target_arch = "x86_64")]
mod candidates;
#[cfg(target_arch = "x86_64")]
mod exact;
#[cfg(target_arch = "x86_64")]
mod product;
#[cfg(target_arch = "x86_64")]
mod sums;
#[cfg(target_arch = "x86_64")]
mod vnni;

use super::encode::PackedEncoder;
use super::lists::ActiveLists;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Where more than this share of the features are candidates, the product in f32 is faster.
const MOST_CANDIDATES: f64 = 0.08;
/// The screen is skipped for this many passes after one that had too many candidates.
const PAUSE: u32 = 32;
/// The centre is the median of about this many rows.
const CENTRE_ROWS: usize = 32;
/// Narrower inputs gain nothing; the integer product of wider ones, at most `128 * 127 d_in`, may overflow 32
/// bits.
const WIDTHS: std::ops::RangeInclusive<usize> = 64..=1 << 17;

/// The encoder in 8 bits, rebuilt for every pass, with a record of whether it has been worth it.
#[derive(Debug, Default)]
pub(in crate::sae) struct Screen {
    #[cfg(target_arch = "x86_64")]
    unit: Option<product::Unit>,
    #[cfg(target_arch = "x86_64")]
    panels: bounds::QuantisedPanels,
    /// Subtracted from every row before it is rounded, `[d_in]`.
    centre: Vec<f32>,
    /// Whether this pass uses it.
    in_use: bool,
    pause: u32,
    /// Number of rows in this pass, and of those that had too many candidates.
    rows: AtomicUsize,
    given_up: AtomicUsize,
}

/// Buffers of one thread.
#[derive(Debug, Default)]
pub(in crate::sae) struct ScreenScratch {
    pub laid_out: Vec<f32>,
    #[cfg(target_arch = "x86_64")]
    x: bounds::QuantisedRows,
    #[cfg(target_arch = "x86_64")]
    sums: sums::Sums,
    #[cfg(target_arch = "x86_64")]
    candidates: Vec<candidates::Candidates>,
    #[cfg(target_arch = "x86_64")]
    order: candidates::Order,
}

impl Screen {
    /// Quantises the current weights, for the passes until they change. The rows are expected to resemble those of `x`
    /// less `b`, `[d_in]`: their common part is not rounded.
    pub(in crate::sae) fn prepare(&mut self, packed: &PackedEncoder, x: &[f32], b: &[f32]) {
        let (rows, given_up) = (*self.rows.get_mut(), *self.given_up.get_mut());
        (*self.rows.get_mut(), *self.given_up.get_mut()) = (0, 0);
        if self.in_use && is_too_often(given_up, rows) {
            self.pause = PAUSE;
        }
        self.in_use = false;
        if self.pause > 0 {
            self.pause -= 1;
            return;
        }
        #[cfg(target_arch = "x86_64")]
        {
            self.unit = self.unit.or_else(product::Unit::fastest);
            if WIDTHS.contains(&packed.d_in()) && self.unit.is_some() {
                self.take_centre(packed.d_in(), x, b);
                self.in_use = self.panels.quantise(packed, &self.centre);
            }
        }
    }

    /// Sets the centre to the median of some rows of `x`, less `b`, or 0 where that is not finite. (A mean would follow
    /// the few tokens whose activations are a hundred times the others', and they would set the scale of all.)
    fn take_centre(&mut self, d: usize, x: &[f32], b: &[f32]) {
        let apart = (x.len() / d / CENTRE_ROWS).max(1);
        let rows: Vec<&[f32]> = x.chunks_exact(d).step_by(apart).collect();
        self.centre.clear();
        self.centre.resize(d, 0.0);
        let mut column = vec![0f32; rows.len()];
        let Some(middle) = rows.len().checked_sub(1).map(|last| last / 2) else {
            return;
        };
        for (k, (c, b)) in self.centre.iter_mut().zip(b).enumerate() {
            for (value, row) in column.iter_mut().zip(&rows) {
                *value = row[k];
            }
            let (_, median, _) = column.select_nth_unstable_by(middle, f32::total_cmp);
            *c = *median - b;
            if !c.is_finite() {
                *c = 0.0;
            }
        }
    }

    /// [`PackedEncoder::encode`]; `w_enc_t` holds the same weights as `packed`, `[d_sae, d_in]`.
    pub(in crate::sae) fn encode(
        &self,
        packed: &PackedEncoder,
        w_enc_t: &[f32],
        (x_cent, n): (&[f32], usize),
        floor: f32,
        scratch: &mut ScreenScratch,
        out: &mut ActiveLists,
    ) {
        #[cfg(target_arch = "x86_64")]
        if let Some(unit) = self.unit.filter(|_| self.in_use)
            && !is_too_often(
                self.given_up.load(Ordering::Relaxed),
                self.rows.load(Ordering::Relaxed),
            )
        {
            self.rows.fetch_add(n, Ordering::Relaxed);
            let x = (x_cent, n);
            if self.encode_candidates(unit, packed, w_enc_t, x, floor, scratch, out) {
                return;
            }
            self.given_up.fetch_add(n, Ordering::Relaxed);
        }
        packed.encode(x_cent, n, floor, &mut scratch.laid_out, out);
    }

    /// Returns whether the lists were made: false if an input is not finite or there are too many candidates.
    #[cfg(target_arch = "x86_64")]
    #[expect(clippy::too_many_arguments, reason = "those of `encode`, and the unit")]
    fn encode_candidates(
        &self,
        unit: product::Unit,
        packed: &PackedEncoder,
        w_enc_t: &[f32],
        (x_cent, n): (&[f32], usize),
        floor: f32,
        scratch: &mut ScreenScratch,
        out: &mut ActiveLists,
    ) -> bool {
        let d = packed.d_in();
        let ScreenScratch {
            x,
            sums,
            candidates,
            order,
            ..
        } = scratch;
        if !x.quantise(&x_cent[..n * d], &self.centre) {
            return false;
        }
        candidates.resize_with(n, Default::default);
        for row in candidates.iter_mut() {
            row.begin(floor, packed.top_k);
        }
        let most = (MOST_CANDIDATES * (n * packed.d_sae()) as f64) as usize;
        let count = |of: &[candidates::Candidates]| of.iter().map(|row| row.len()).sum::<usize>();
        // With `top_k`, lists are pruned only occasionally.
        let unsettled = n * packed.top_k.map_or(0, |k| 8 * k + 32);
        for p in 0..self.panels.len() {
            let panel = (&self.panels, p);
            product::keep_candidates(unit, x, panel, packed.signed, sums, candidates);
            if p % 16 == 0 && count(candidates) > most + unsettled {
                return false;
            }
        }
        candidates.iter_mut().for_each(|row| row.prune());
        if count(candidates) > most {
            return false;
        }
        out.begin(floor, packed.signed);
        let weights = exact::Weights {
            w_enc_t,
            bias: &packed.bias,
            d,
        };
        let rows = out.rows.iter_mut().zip(&*candidates);
        for ((row, candidates), x) in rows.zip(x_cent.chunks_exact(d)).take(n) {
            order.list(candidates, &weights, x, packed, row);
        }
        out.end(n, packed.top_k);
        true
    }
}

/// Whether so many rows were given up that the screen costs more than it saves.
fn is_too_often(given_up: usize, rows: usize) -> bool {
    given_up * 4 > rows
}

#[cfg(test)]
mod tests;
