//! The integer product of a chunk's rows with a panel, and the resulting candidates.

use super::bounds::{Lanes, QuantisedPanels, QuantisedRows, RowBounds};
use super::candidates::Candidates;
use super::sums::{Sums, VECS};
use super::{amx, vnni};
use crate::sae::kernels::tile::panel::PANEL;
use std::arch::x86_64::*;

/// The instructions used for the integer product. The sums are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Vnni,
    Amx,
}

impl Unit {
    /// The fastest on this CPU. The error bounds of f32 must hold for the order of the f32 product's widest
    /// kernel, which has fused multiply-adds.
    pub(super) fn fastest() -> Option<Self> {
        let screens = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma");
        match screens {
            true if amx::is_available() => Some(Self::Amx),
            true if vnni::is_available() => Some(Self::Vnni),
            _ => None,
        }
    }
}

/// Appends panel `p`'s candidates of each row.
pub(super) fn keep_candidates(
    unit: Unit,
    x: &QuantisedRows,
    (panels, p): (&QuantisedPanels, usize),
    signed: bool,
    sums: &mut Sums,
    candidates: &mut [Candidates],
) {
    let (words, lanes) = (panels.panel(p), &panels.lanes[p]);
    let next = (p + 1) % panels.len();
    // SAFETY: a screen has a unit only where the CPU has the features that `fastest` checks.
    unsafe {
        match unit {
            Unit::Vnni => vnni::product(x, words, sums),
            Unit::Amx => amx::product(x, words, panels.panel(next), sums),
        }
        let first = (p * PANEL) as u32;
        match signed {
            true => keep::<true>(sums, &x.bounds, first, lanes, candidates),
            false => keep::<false>(sums, &x.bounds, first, lanes, candidates),
        }
    }
}

#[target_feature(enable = "avx512f,avx512dq")]
fn keep<const SIGNED: bool>(
    sums: &Sums,
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
        for ((row, sums), to) in rows.iter().zip(&sums.0).zip(&mut *candidates) {
            // SAFETY: as above.
            let sum = unsafe { _mm512_loadu_si512(sums[v * 16..].as_ptr().cast()) };
            let sum = _mm512_sub_epi32(sum, _mm512_set1_epi32(row.offset));
            let unit = _mm512_mul_ps(scale, _mm512_set1_ps(row.scale));
            let mut size = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), unit, bias);
            if SIGNED {
                size = _mm512_abs_ps(size);
            }
            let off = _mm512_fmadd_ps(norm, _mm512_set1_ps(row.error), of_bias);
            let off = _mm512_fmadd_ps(error, _mm512_set1_ps(row.norm), off);
            let upper = _mm512_add_ps(size, off);
            // Not below: a NaN bound excludes nothing.
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
