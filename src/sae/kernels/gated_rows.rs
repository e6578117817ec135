//! Row kernels of the gated autoencoder's step, whose two paths read the same rows: each row is read once for both.

#[cfg(target_arch = "x86_64")]
use super::rows::Level;
use super::rows::{axpy, axpy4, by_level, dot_body, four_rows, level, prefetch_rows};

/// The batch data that the gradient of a feature with a gate reads.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae) struct GatedRows<'a> {
    /// `2/n (x_hat - x)`, `[tokens, d_in]`.
    pub r: &'a [f32],
    /// `2/n (x_hat_frozen(relu(pi)) - x)`, `[tokens, d_in]`.
    pub r_gate: &'a [f32],
    /// `x - b_dec`, `[tokens, d_in]`.
    pub x_cent: &'a [f32],
    /// Weight of L1, per token of the mean.
    pub l1: f32,
}

/// One feature's weights and scalar parameters.
#[derive(Debug, Clone, Copy)]
pub(in crate::sae) struct GatedFeature<'a> {
    pub w_dec: &'a [f32],
    /// `exp(r_mag)`.
    pub factor: f32,
    pub b_mag: f32,
}

/// Gradients of one feature's three scalar parameters.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in crate::sae) struct GateGradient {
    pub b_gate: f32,
    pub b_mag: f32,
    pub r_mag: f32,
}

impl GateGradient {
    /// Adds one token's contribution; returns the gradient of `x_cent W_enc`.
    #[inline(always)]
    fn add(&mut self, of_gate: f32, of_mag: f32, mag: f32, feature: &GatedFeature) -> f32 {
        self.b_gate += of_gate;
        self.b_mag += of_mag;
        // `mag - b_mag = exp(r_mag) x_cent W_enc` where the ReLU passes.
        self.r_mag += of_mag * (mag - feature.b_mag);
        of_gate + feature.factor * of_mag
    }
}

/// Gradients of one feature from the tokens on which its gate is open, with its magnitudes there.
///
/// With `g = r_gate . W_dec[j] + l1` and `h = r . W_dec[j]` where the magnitude is above 0, else 0:
/// `gw_enc = sum (g + exp(r_mag) h) x_cent`, `gw_dec = sum mag r`.
#[inline(always)]
fn gated_gradient_body<const FMA: bool>(
    tokens: &[u32],
    mags: &[f32],
    batch: &GatedRows,
    feature: &GatedFeature,
    gw_enc: &mut [f32],
    gw_dec: &mut [f32],
) -> GateGradient {
    let d = feature.w_dec.len();
    let GatedRows {
        r,
        r_gate,
        x_cent,
        l1,
    } = *batch;
    gw_enc.fill(0.0);
    gw_dec.fill(0.0);
    let mut sums = GateGradient::default();
    let (t4, tt) = tokens.as_chunks::<4>();
    let (m4, mt) = mags.as_chunks::<4>();
    for (n, (t, mag)) in t4.iter().zip(m4).enumerate() {
        if let Some(next) = t4.get(n + 1) {
            prefetch_rows(r, next, d);
            prefetch_rows(r_gate, next, d);
            prefetch_rows(x_cent, next, d);
        }
        let (rows, gates) = (four_rows(r, t, d), four_rows(r_gate, t, d));
        let mut g = [0f32; 4];
        for i in 0..4 {
            let of_gate = dot_body::<FMA>(gates[i], feature.w_dec) + l1;
            let of_mag = match mag[i] == 0.0 {
                true => 0.0,
                false => dot_body::<FMA>(rows[i], feature.w_dec),
            };
            g[i] = sums.add(of_gate, of_mag, mag[i], feature);
        }
        axpy4::<FMA>(*mag, rows, gw_dec);
        axpy4::<FMA>(g, four_rows(x_cent, t, d), gw_enc);
    }
    for (t, mag) in tt.iter().zip(mt) {
        let at = *t as usize * d..(*t as usize + 1) * d;
        let row = &r[at.clone()];
        let of_gate = dot_body::<FMA>(&r_gate[at.clone()], feature.w_dec) + l1;
        let of_mag = match *mag == 0.0 {
            true => 0.0,
            false => dot_body::<FMA>(row, feature.w_dec),
        };
        let g = sums.add(of_gate, of_mag, *mag, feature);
        axpy::<FMA>(*mag, row, gw_dec);
        axpy::<FMA>(g, &x_cent[at], gw_enc);
    }
    sums
}

#[inline(always)]
fn combine_pair_body<const FMA: bool>(
    idx: &[u32],
    (a, b): (&[f32], &[f32]),
    rows: &[f32],
    out_a: &mut [f32],
    out_b: &mut [f32],
) {
    let d = out_a.len();
    let (i4, it) = idx.as_chunks::<4>();
    let (a4, at) = a.as_chunks::<4>();
    let (b4, bt) = b.as_chunks::<4>();
    for (n, (i, (a, b))) in i4.iter().zip(a4.iter().zip(b4)).enumerate() {
        if let Some(next) = i4.get(n + 1) {
            prefetch_rows(rows, next, d);
        }
        let four = four_rows(rows, i, d);
        axpy4::<FMA>(*a, four, out_a);
        axpy4::<FMA>(*b, four, out_b);
    }
    for (i, (a, b)) in it.iter().zip(at.iter().zip(bt)) {
        let row = &rows[*i as usize * d..][..d];
        axpy::<FMA>(*a, row, out_a);
        axpy::<FMA>(*b, row, out_b);
    }
}

by_level!(
    /// Gradients of one feature with a gate: returns those of its scalars, writes those of its two rows.
    gated_gradient(
        tokens: &[u32],
        mags: &[f32],
        batch: &GatedRows,
        feature: &GatedFeature,
        gw_enc: &mut [f32],
        gw_dec: &mut [f32],
    ) -> GateGradient = gated_gradient_body
);
by_level!(
    /// [`super::combine`] of the same rows with two lists of values, into two sums.
    combine_pair(
        idx: &[u32],
        vals: (&[f32], &[f32]),
        rows: &[f32],
        out_a: &mut [f32],
        out_b: &mut [f32],
    ) = combine_pair_body
);
