//! Row kernels of the training step, compiled once for each SIMD level of the CPU.
//! `dot`, `y += a x`, and Adam on one row; everything else is built from them.
//! The level is chosen at run time: AVX-512, AVX2 with FMA, or the target's baseline.

use super::adam::AdamStep;

/// Lanes of one AVX-512 register; loops are written over blocks of this many values.
const LANES: usize = 16;

/// The CPU's capabilities, queried once per call (the standard library caches the answer).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

/// The best level of this CPU.
pub(super) fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        // The code of the upper level is compiled with the lower one's features, too, and a virtual
        // machine may hide one and show the other.
        if avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            return Level::Avx512;
        }
        if avx2 {
            return Level::Avx2;
        }
    }
    Level::Plain
}

/// Compiles `$body::<FMA>` for each level and calls the variant for this CPU.
macro_rules! by_level {
    ($(#[$doc:meta])* $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? = $body:ident) => {
        $(#[$doc])*
        pub(in crate::sae) fn $name($($arg: $ty),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
                fn avx512($($arg: $ty),*) $(-> $ret)? {
                    $body::<true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2($($arg: $ty),*) $(-> $ret)? {
                    $body::<true>($($arg),*)
                }
                match level() {
                    // SAFETY: `level` has just checked that the CPU has these features.
                    Level::Avx512 => return unsafe { avx512($($arg),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($arg),*) },
                    Level::Plain => {}
                }
            }
            // On aarch64 a fused multiply-add is part of the base instruction set; elsewhere
            // `mul_add` would call into libm.
            $body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}

pub(super) use by_level;

#[inline(always)]
pub(super) fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn sum_lanes(acc: [f32; LANES]) -> f32 {
    let mut width = LANES;
    let mut acc = acc;
    while width > 1 {
        width /= 2;
        for l in 0..width {
            acc[l] += acc[l + width];
        }
    }
    acc[0]
}

#[inline(always)]
pub(super) fn dot_body<const FMA: bool>(a: &[f32], b: &[f32]) -> f32 {
    let (ac, at) = a.as_chunks::<LANES>();
    let (bc, bt) = b.as_chunks::<LANES>();
    let mut acc = [[0f32; LANES]; 2];
    for (i, (x, y)) in ac.iter().zip(bc).enumerate() {
        let lane = &mut acc[i % 2];
        for l in 0..LANES {
            lane[l] = fma::<FMA>(x[l], y[l], lane[l]);
        }
    }
    let [mut even, odd] = acc;
    for (e, o) in even.iter_mut().zip(odd) {
        *e += o;
    }
    let mut total = sum_lanes(even);
    for (x, y) in at.iter().zip(bt) {
        total = fma::<FMA>(*x, *y, total);
    }
    total
}

/// Four rows of a row-major matrix. (Written out: a closure given to `array::map` is compiled
/// without the caller's instruction set, and its `mul_add` becomes a call into libm.)
#[inline(always)]
pub(super) fn four_rows<'a>(rows: &'a [f32], idx: &[u32; 4], d: usize) -> [&'a [f32]; 4] {
    let at = |i: usize| &rows[idx[i] as usize * d..][..d];
    [at(0), at(1), at(2), at(3)]
}

/// Prefetches four rows: their order is random, so the CPU cannot predict it.
#[inline(always)]
pub(super) fn prefetch_rows(rows: &[f32], idx: &[u32; 4], d: usize) {
    #[cfg(target_arch = "x86_64")]
    for &i in idx {
        let row = &rows[i as usize * d..][..d];
        for line in row.chunks(LANES) {
            // SAFETY: a prefetch has no visible effect, and the address is a row's.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                    line.as_ptr().cast(),
                );
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (rows, idx, d);
}

/// Four rows at once: `y += a[0] x[0] + ... + a[3] x[3]`, so that `y` is read and written once.
#[inline(always)]
pub(super) fn axpy4<const FMA: bool>(a: [f32; 4], x: [&[f32]; 4], y: &mut [f32]) {
    let n = y.len();
    let [x0, x1, x2, x3] = [&x[0][..n], &x[1][..n], &x[2][..n], &x[3][..n]];
    // A plain loop over equal lengths vectorises well; a loop over blocks of lanes becomes gathers.
    for i in 0..n {
        let v = fma::<FMA>(a[0], x0[i], y[i]);
        let v = fma::<FMA>(a[1], x1[i], v);
        let v = fma::<FMA>(a[2], x2[i], v);
        y[i] = fma::<FMA>(a[3], x3[i], v);
    }
}

#[inline(always)]
pub(super) fn axpy<const FMA: bool>(a: f32, x: &[f32], y: &mut [f32]) {
    let x = &x[..y.len()];
    for i in 0..y.len() {
        y[i] = fma::<FMA>(a, x[i], y[i]);
    }
}

/// `out = b_dec + sum_k vals[k] W_dec[idx[k]]`.
#[inline(always)]
fn combine_body<const FMA: bool>(idx: &[u32], vals: &[f32], rows: &[f32], out: &mut [f32]) {
    let d = out.len();
    let (i4, it) = idx.as_chunks::<4>();
    let (v4, vt) = vals.as_chunks::<4>();
    for (n, (i, v)) in i4.iter().zip(v4).enumerate() {
        if let Some(next) = i4.get(n + 1) {
            prefetch_rows(rows, next, d);
        }
        axpy4::<FMA>(*v, four_rows(rows, i, d), out);
    }
    for (i, v) in it.iter().zip(vt) {
        axpy::<FMA>(*v, &rows[*i as usize * d..][..d], out);
    }
}

/// `r = scale (r - x)`; returns the sum of the squares of `r - x`.
#[inline(always)]
fn residual_body<const FMA: bool>(r: &mut [f32], x: &[f32], scale: f32) -> f32 {
    let x = &x[..r.len()];
    for i in 0..r.len() {
        r[i] -= x[i];
    }
    let squares = dot_body::<FMA>(r, r);
    for r in r {
        *r *= scale;
    }
    squares
}

/// The batch data that every feature's gradient reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae) struct BatchRows<'a> {
    /// `2/n (x_hat - x)`, `[tokens, d_out]`.
    pub r: &'a [f32],
    /// `x - b_dec`, `[tokens, d_in]`.
    pub x_cent: &'a [f32],
}

/// Gradients of one feature from the tokens on which it is active.
///
/// With `r = 2/n (x_hat - x)` and `g = r . W_dec[j] + l1` at each of those tokens:
/// `gw_dec = sum acts r`, `gw_enc = sum g x_cent`; returns `sum g`, the gradient of `b_enc[j]`.
#[inline(always)]
fn feature_gradient_body<const FMA: bool>(
    tokens: &[u32],
    acts: &[f32],
    batch: &BatchRows,
    w_dec: &[f32],
    l1: f32,
    gw_enc: &mut [f32],
    gw_dec: &mut [f32],
) -> f32 {
    let (d, d_in) = (w_dec.len(), gw_enc.len());
    let BatchRows { r, x_cent } = *batch;
    gw_enc.fill(0.0);
    gw_dec.fill(0.0);
    let mut gb = 0f32;
    let (t4, tt) = tokens.as_chunks::<4>();
    let (a4, at) = acts.as_chunks::<4>();
    for (n, (t, a)) in t4.iter().zip(a4).enumerate() {
        if let Some(next) = t4.get(n + 1) {
            prefetch_rows(r, next, d);
            prefetch_rows(x_cent, next, d_in);
        }
        let rows = four_rows(r, t, d);
        let xs = four_rows(x_cent, t, d_in);
        let mut g = [0f32; 4];
        for (g, row) in g.iter_mut().zip(rows) {
            *g = dot_body::<FMA>(row, w_dec) + l1;
        }
        axpy4::<FMA>(*a, rows, gw_dec);
        axpy4::<FMA>(g, xs, gw_enc);
        gb += (g[0] + g[1]) + (g[2] + g[3]);
    }
    for (t, a) in tt.iter().zip(at) {
        let row = &r[*t as usize * d..][..d];
        let g = dot_body::<FMA>(row, w_dec) + l1;
        axpy::<FMA>(*a, row, gw_dec);
        axpy::<FMA>(g, &x_cent[*t as usize * d_in..][..d_in], gw_enc);
        gb += g;
    }
    gb
}

#[inline(always)]
fn adam_body<const FMA: bool>(
    step: &AdamStep,
    g: &[f32],
    p: &mut [f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    let n = g.len();
    let (p, m, v) = (&mut p[..n], &mut m[..n], &mut v[..n]);
    for i in 0..n {
        p[i] = step.update(g[i], p[i], &mut m[i], &mut v[i]);
    }
}

#[inline(always)]
fn project_body<const FMA: bool>(w: &[f32], g: &mut [f32]) {
    let along = dot_body::<FMA>(g, w);
    axpy::<FMA>(-along, w, g);
}

#[inline(always)]
fn normalise_body<const FMA: bool>(w: &mut [f32]) {
    let norm = dot_body::<FMA>(w, w).sqrt();
    // A row of zeros has no direction and is unchanged. (One with a NaN becomes NaN.)
    if norm != 0.0 {
        let inv = 1.0 / norm;
        for w in w {
            *w *= inv;
        }
    }
}

#[inline(always)]
fn add_scaled_body<const FMA: bool>(a: f32, x: &[f32], y: &mut [f32]) {
    axpy::<FMA>(a, x, y);
}

by_level!(
    /// `out += sum_k vals[k] rows[idx[k]]`, rows as long as `out`.
    combine(idx: &[u32], vals: &[f32], rows: &[f32], out: &mut [f32]) = combine_body
);
by_level!(
    /// `r = scale (r - x)`; returns the sum of the squares of `r - x`.
    residual(r: &mut [f32], x: &[f32], scale: f32) -> f32 = residual_body
);
by_level!(
    /// Gradients of one feature: returns that of `b_enc`, writes those of its two rows.
    feature_gradient(
        tokens: &[u32],
        acts: &[f32],
        batch: &BatchRows,
        w_dec: &[f32],
        l1: f32,
        gw_enc: &mut [f32],
        gw_dec: &mut [f32],
    ) -> f32 = feature_gradient_body
);
by_level!(
    /// One Adam update of a row and of its moments.
    adam(step: &AdamStep, g: &[f32], p: &mut [f32], m: &mut [f32], v: &mut [f32]) = adam_body
);
by_level!(
    /// Removes from `g` its component along the unit vector `w`.
    project(w: &[f32], g: &mut [f32]) = project_body
);
by_level!(
    /// Scales `w` to unit length; a row of zeros is unchanged.
    normalise(w: &mut [f32]) = normalise_body
);
by_level!(
    /// `y += a x`.
    add_scaled(a: f32, x: &[f32], y: &mut [f32]) = add_scaled_body
);
by_level!(
    /// `a . b`.
    dot(a: &[f32], b: &[f32]) -> f32 = dot_body
);

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| {
                ((i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 8) % 2001) as f32 / 1000.0
                    - 1.0
            })
            .collect()
    }

    #[test]
    fn kernels_agree_with_plain_sums_at_lengths_with_and_without_a_tail() {
        for d in [1, 7, 16, 33, 512] {
            let (a, b) = (ramp(d, 1), ramp(d, 2));
            let want: f64 = a
                .iter()
                .zip(&b)
                .map(|(x, y)| f64::from(*x) * f64::from(*y))
                .sum();
            assert!((f64::from(dot(&a, &b)) - want).abs() < 1e-4);

            let rows = ramp(9 * d, 3);
            let (idx, vals) = ([0u32, 8, 3, 3, 5, 1], [0.5f32, -1.0, 2.0, 0.25, 1.5, -0.75]);
            let mut out = vec![1f32; d];
            combine(&idx, &vals, &rows, &mut out);
            for (c, got) in out.iter().enumerate() {
                let want: f32 = 1.0
                    + idx
                        .iter()
                        .zip(vals)
                        .map(|(&j, v)| v * rows[j as usize * d + c])
                        .sum::<f32>();
                assert!(
                    (got - want).abs() < 1e-4,
                    "column {c} of {d}: {got} against {want}"
                );
            }
        }
    }

    #[test]
    fn a_projected_gradient_is_orthogonal_and_a_normalised_row_has_length_one() {
        let (mut w, mut g) = (ramp(100, 5), ramp(100, 6));
        normalise(&mut w);
        project(&w, &mut g);
        assert!((dot(&w, &w) - 1.0).abs() < 1e-6);
        assert!(dot(&w, &g).abs() < 1e-5);
        let mut zero = [0f32; 5];
        normalise(&mut zero);
        assert_eq!(zero, [0.0; 5]);
    }
}
