//! The integer product in the registers of AVX-512 VNNI.

use super::bounds::{Line, QuantisedRows, Word};
use super::sums::{Sums, VECS};
use std::arch::x86_64::*;

/// Rows of one tile: with the lanes of a panel their sums fill 24 of the 32 registers.
const ROWS: usize = 12;

/// Whether this CPU has the instructions.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
}

/// Writes the sums of every row, in tiles of [`ROWS`].
///
/// # Safety
/// Only where [`is_available`].
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) unsafe fn product(x: &QuantisedRows, panel: &[Word], sums: &mut Sums) {
    let rows = x.lines().chunks_exact(ROWS * x.steps());
    let tiles = sums.0.chunks_exact_mut(ROWS).zip(rows);
    for (sums, rows) in tiles.take(x.n().div_ceil(ROWS)) {
        tile(rows, x.steps(), panel, sums);
    }
}

/// The sums of [`ROWS`] rows, each of `steps` lines.
#[target_feature(enable = "avx512f,avx512vnni")]
fn tile(x: &[Line], steps: usize, panel: &[Word], sums: &mut [[i32; VECS * 16]]) {
    let mut acc = [[_mm512_setzero_si512(); VECS]; ROWS];
    let (words, _) = panel.as_chunks::<16>();
    for (step, words) in words.iter().enumerate().take(steps) {
        for (k, Word(word)) in words.iter().enumerate() {
            let mut ws = [_mm512_setzero_si512(); VECS];
            for (v, ws) in ws.iter_mut().enumerate() {
                // SAFETY: 16 lanes from a multiple of 16 below PANEL.
                *ws = unsafe { _mm512_loadu_si512(word[v * 16..].as_ptr().cast()) };
            }
            for i in 0..ROWS {
                let xi = _mm512_set1_epi32(x[i * steps + step].0[k]);
                for v in 0..VECS {
                    acc[i][v] = _mm512_dpbusd_epi32(acc[i][v], ws[v], xi);
                }
            }
        }
    }
    for (sums, acc) in sums.iter_mut().zip(&acc) {
        for (v, acc) in acc.iter().enumerate() {
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(sums[v * 16..].as_mut_ptr().cast(), *acc) };
        }
    }
}
