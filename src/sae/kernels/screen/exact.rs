//! Activations of single features, in f32, summed in the same order as the full product.

use crate::sae::kernels::tile::transpose::transposed;
use std::arch::x86_64::*;

/// The encoder of some features.
pub(super) struct Weights<'a> {
    /// `[d_sae, d]`
    pub w_enc_t: &'a [f32],
    pub bias: &'a [f32],
    pub d: usize,
}

impl Weights<'_> {
    /// `x W_enc + b_enc` of these features.
    pub(super) fn activations(&self, features: &[u32], x: &[f32], out: &mut Vec<f32>) {
        out.clear();
        for features in features.chunks(16) {
            let rows = self.sixteen(features);
            // SAFETY: a screen is in use only where the CPU has these features.
            let sums = unsafe { sixteen_sums(&rows, x) };
            let acts = sums.iter().zip(features);
            out.extend(acts.map(|(sum, &feature)| sum + self.bias[feature as usize]));
        }
    }

    /// The features' rows; if there are fewer than 16, the last one fills the remaining lanes.
    fn sixteen(&self, features: &[u32]) -> [&[f32]; 16] {
        let mut rows = [self.row(features[features.len() - 1]); 16];
        for (row, &feature) in rows.iter_mut().zip(features) {
            *row = self.row(feature);
        }
        rows
    }

    fn row(&self, feature: u32) -> &[f32] {
        &self.w_enc_t[feature as usize * self.d..][..self.d]
    }
}

/// `sums[j] = sum_k x[k] rows[j][k]`, each summed sequentially. (Prefetching the next sixteen rows costs
/// more than it gains.)
#[target_feature(enable = "avx512f")]
fn sixteen_sums(rows: &[&[f32]; 16], x: &[f32]) -> [f32; 16] {
    let mut acc = _mm512_setzero_ps();
    let (blocks, _) = x.as_chunks::<16>();
    for (b, x) in blocks.iter().enumerate() {
        let mut columns = [_mm512_setzero_ps(); 16];
        for (column, row) in columns.iter_mut().zip(rows) {
            // SAFETY: the slice has 16 values.
            *column = unsafe { _mm512_loadu_ps(row[b * 16..][..16].as_ptr()) };
        }
        for (&x, column) in x.iter().zip(transposed(columns)) {
            acc = _mm512_fmadd_ps(_mm512_set1_ps(x), column, acc);
        }
    }
    let mut sums = [0f32; 16];
    // SAFETY: as many values as the register has lanes.
    unsafe { _mm512_storeu_ps(sums.as_mut_ptr(), acc) };
    for k in blocks.len() * 16..x.len() {
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = x[k].mul_add(row[k], *sum);
        }
    }
    sums
}
