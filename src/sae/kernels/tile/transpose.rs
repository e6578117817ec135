//! Transposes 16 by 16 numbers in registers.

use std::arch::x86_64::*;

/// Columns of 16 rows.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in crate::sae::kernels) fn transposed(rows: [__m512; 16]) -> [__m512; 16] {
    let zero = _mm512_setzero_ps();
    let (mut a, mut b) = ([zero; 16], [zero; 16]);
    // Pairs, then groups of four within each quarter of a register, then quarters.
    for i in 0..8 {
        a[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
        a[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        for h in 0..2 {
            let (p, q) = (
                _mm512_castps_pd(a[4 * i + h]),
                _mm512_castps_pd(a[4 * i + 2 + h]),
            );
            b[4 * i + 2 * h] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, q));
            b[4 * i + 2 * h + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, q));
        }
    }
    for c in 0..4 {
        let (p, q, r, s) = (b[c], b[4 + c], b[8 + c], b[12 + c]);
        let (even_low, odd_low) = (
            _mm512_shuffle_f32x4::<0x88>(p, q),
            _mm512_shuffle_f32x4::<0xdd>(p, q),
        );
        let (even_high, odd_high) = (
            _mm512_shuffle_f32x4::<0x88>(r, s),
            _mm512_shuffle_f32x4::<0xdd>(r, s),
        );
        a[c] = _mm512_shuffle_f32x4::<0x88>(even_low, even_high);
        a[8 + c] = _mm512_shuffle_f32x4::<0xdd>(even_low, even_high);
        a[4 + c] = _mm512_shuffle_f32x4::<0x88>(odd_low, odd_high);
        a[12 + c] = _mm512_shuffle_f32x4::<0xdd>(odd_low, odd_high);
    }
    a
}
