//! The integer product, a tile of registers at a time, and the candidates that it leaves.

use super::bounds::{Lanes, QuantisedPanels, QuantisedRows, ROWS, RowBounds};
use super::candidates::Candidates;
use crate::sae::kernels::panel::PANEL;
use std::arch::x86_64::*;

/// Registers of a panel's lanes.
const VECS: usize = PANEL / 16;

/// Whether this CPU has the instructions; what bounds the error of f32 must be in the order of the f32 product's
/// widest kernel, which has fused multiply-adds.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
}

/// Appends what panel `p` has to each row's candidates.
pub(super) fn keep_candidates(
    x: &QuantisedRows,
    panels: &QuantisedPanels,
    p: usize,
    signed: bool,
    candidates: &mut [Candidates],
) {
    let (words, lanes) = (panels.panel(p), &panels.lanes[p]);
    for (t, candidates) in candidates.chunks_exact_mut(ROWS).enumerate() {
        let first = t * ROWS;
        let rows = &x.bounds[first..][..ROWS];
        let candidates = &mut candidates[..ROWS.min(x.n() - first)];
        // SAFETY: a screen is in use only where `is_available`.
        unsafe {
            let sums = product(x.tile(t), words);
            match signed {
                true => keep::<true>(&sums, rows, (p * PANEL) as u32, lanes, candidates),
                false => keep::<false>(&sums, rows, (p * PANEL) as u32, lanes, candidates),
            }
        }
    }
}

/// `sums[i] = sum_k x[k][i] panel[k]`, of four bytes at a time.
#[target_feature(enable = "avx512f,avx512vnni")]
fn product(x: &[[i32; ROWS]], panel: &[[i32; PANEL]]) -> [[__m512i; VECS]; ROWS] {
    let mut acc = [[_mm512_setzero_si512(); VECS]; ROWS];
    for (x, w) in x.iter().zip(panel) {
        let mut ws = [_mm512_setzero_si512(); VECS];
        for (v, ws) in ws.iter_mut().enumerate() {
            // SAFETY: 16 lanes from a multiple of 16 below PANEL.
            *ws = unsafe { _mm512_loadu_si512(w[v * 16..].as_ptr().cast()) };
        }
        for i in 0..ROWS {
            let xi = _mm512_set1_epi32(x[i]);
            for v in 0..VECS {
                acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], ws[v], xi);
            }
        }
    }
    acc
}

#[target_feature(enable = "avx512f,avx512dq")]
fn keep<const SIGNED: bool>(
    sums: &[[__m512i; VECS]; ROWS],
    rows: &[RowBounds],
    first: u32,
    lanes: &Lanes,
    candidates: &mut [Candidates],
) {
    for v in 0..VECS {
        // SAFETY: 16 lanes from a multiple of 16 below PANEL.
        let load = |of: &[f32; PANEL]| unsafe { _mm512_loadu_ps(of[v * 16..].as_ptr()) };
        let (scale, norm, error) = (load(&lanes.scale), load(&lanes.norm), load(&lanes.error));
        let (bias, of_bias) = (load(&lanes.bias), load(&lanes.of_bias));
        let features = (lanes.features >> (v * 16)) as u16;
        for ((row, sums), to) in rows.iter().zip(sums).zip(&mut *candidates) {
            let sum = _mm512_sub_epi32(sums[v], _mm512_set1_epi32(row.offset));
            let unit = _mm512_mul_ps(scale, _mm512_set1_ps(row.scale));
            let mut size = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), unit, bias);
            if SIGNED {
                size = _mm512_abs_ps(size);
            }
            let off = _mm512_fmadd_ps(norm, _mm512_set1_ps(row.error), of_bias);
            let off = _mm512_fmadd_ps(error, _mm512_set1_ps(row.norm), off);
            let upper = _mm512_add_ps(size, off);
            // Not below: a bound that is NaN is none.
            let kept =
                _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(upper, _mm512_set1_ps(to.floor())) & features;
            if kept != 0 {
                to.push(
                    kept,
                    first + (v * 16) as u32,
                    upper,
                    _mm512_sub_ps(size, off),
                );
            }
        }
    }
}
