//! Encoder product that keeps only what is active.
//! `acts = relu(x_cent W_enc + b_enc)`, written as lists of (feature, act) by token.
//! A register-tiled product over packed weights, so the `[tokens, d_sae]` matrix never exists.

use super::active::{ActiveLists, RowList};
use super::kernels::{Level, level};
use crate::model::{Kernel, widest};
use rayon::prelude::*;

/// Features of one panel of the packed encoder.
pub(super) const PANEL: usize = 32;
/// Tokens of one chunk, the unit of parallel work; a multiple of both kernels' row counts.
pub(super) const CHUNK: usize = 96;

/// One chunk's counts and sums, a lane each.
pub(super) struct Tally {
    pub active: Vec<u32>,
    pub sum: Vec<f32>,
}

/// The encoder, panel by panel: `panels[p][k][lane] = W_enc[k][p PANEL + lane]`.
#[derive(Debug, Clone)]
pub(super) struct PackedEncoder {
    d_in: usize,
    d_sae: usize,
    /// Of each token's positive activations only so many, the largest.
    pub top_k: Option<usize>,
    pub panels: Vec<f32>,
    /// Biases, with minus infinity in the lanes that are no feature.
    pub bias: Vec<f32>,
}

impl PackedEncoder {
    /// Number of features.
    pub(super) fn d_sae(&self) -> usize {
        self.d_sae
    }

    /// Packs `w_enc_t`, `[d_sae, d_in]` with one row a feature.
    pub(super) fn new(w_enc_t: &[f32], b_enc: &[f32], d_in: usize) -> Self {
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
            panels: vec![0.0; n_panels * PANEL * d_in],
            bias,
        }
    }

    /// Packs `w_enc`, `[d_in, d_sae]` with one column a feature.
    pub(super) fn from_columns(w_enc: &[f32], b_enc: &[f32], d_in: usize) -> Self {
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
    pub(super) fn set_feature(&mut self, j: usize, w: &[f32], bias: f32) {
        let panel = &mut self.panels[j / PANEL * PANEL * self.d_in..][..PANEL * self.d_in];
        for (lanes, w) in panel.chunks_exact_mut(PANEL).zip(w) {
            lanes[j % PANEL] = *w;
        }
        self.bias[j] = bias;
    }

    /// Adds up, over the `n` tokens in `x_cent` `[CHUNK, d_in]`, how often and how strongly each
    /// feature is active.
    pub(super) fn tally(&self, x_cent: &[f32], n: usize) -> Tally {
        let d = self.d_in;
        let kernel = tile_kernel();
        let mut tally = Tally {
            active: vec![0; self.bias.len()],
            sum: vec![0.0; self.bias.len()],
        };
        let lanes = (tally.active.as_chunks_mut::<PANEL>().0.iter_mut())
            .zip(tally.sum.as_chunks_mut::<PANEL>().0)
            .zip(self.bias.as_chunks::<PANEL>().0);
        for (panel, ((active, sum), bias)) in self.panels.chunks_exact(PANEL * d).zip(lanes) {
            let mut tile = [[0f32; PANEL]; ROWS_MAX];
            for from in (0..n).step_by(kernel.rows) {
                (kernel.run)(&x_cent[from * d..][..kernel.rows * d], panel, d, &mut tile);
                widest(TallyTile {
                    tile: &tile[..kernel.rows.min(n - from)],
                    bias,
                    active,
                    sum,
                });
            }
        }
        tally
    }

    /// Active features of the `n` tokens in `x_cent`, `[CHUNK, d_in]` with rows from `n` on
    /// ignored.
    pub(super) fn encode(&self, x_cent: &[f32], n: usize, out: &mut ActiveLists) {
        out.begin();
        let d = self.d_in;
        let kernel = tile_kernel();
        let biases = self.bias.as_chunks::<PANEL>().0;
        let panels = self.panels.chunks_exact(PANEL * d).zip(biases);
        for (p, (panel, bias)) in panels.enumerate() {
            let features = Features {
                first: (p * PANEL) as u32,
                bias,
                top_k: self.top_k,
            };
            let mut tile = [[0f32; PANEL]; ROWS_MAX];
            for from in (0..n).step_by(kernel.rows) {
                (kernel.run)(&x_cent[from * d..][..kernel.rows * d], panel, d, &mut tile);
                let rows = &mut out.rows[from..n.min(from + kernel.rows)];
                (kernel.keep)(rows, &tile, &features);
            }
        }
        out.end(n, self.top_k);
    }
}

/// Counts and sums of one tile's positive activations, added to those of a panel.
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
                active[l] += u32::from(pre > 0.0);
                sum[l] += if pre > 0.0 { pre } else { 0.0 };
            }
        }
        (*self.active, *self.sum) = (active, sum);
    }
}

/// The features of one panel.
pub(super) struct Features<'a> {
    pub first: u32,
    pub bias: &'a [f32; PANEL],
    pub top_k: Option<usize>,
}

/// Transposes up to [`PANEL`] rows of `d_in` into a panel; missing rows stay as they are.
pub(super) fn pack_panel(rows: &[f32], d_in: usize, panel: &mut [f32]) {
    // Blocks of 16 columns keep the rows' cache lines in use while the panel is written in order.
    for from in (0..d_in).step_by(16) {
        let to = d_in.min(from + 16);
        for (lane, row) in rows.chunks_exact(d_in).enumerate() {
            for (k, w) in row[from..to].iter().enumerate() {
                panel[(from + k) * PANEL + lane] = *w;
            }
        }
    }
}

/// Rows of the largest kernel.
const ROWS_MAX: usize = 12;

/// What a kernel writes: `[rows, PANEL]`.
type Tile = [[f32; PANEL]; ROWS_MAX];

/// A kernel: `tile[i] = x[i] panel` for `rows` rows of `x`.
struct TileKernel {
    rows: usize,
    run: fn(&[f32], &[f32], usize, &mut Tile),
    /// Appends to each row what is above its floor in `tile + bias`.
    keep: fn(&mut [RowList], &Tile, &Features),
}

fn tile_kernel() -> TileKernel {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => TileKernel {
            rows: 12,
            run: x86::tile_avx512,
            keep: x86::keep_avx512,
        },
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => TileKernel {
            rows: 6,
            run: x86::tile_avx2,
            keep: x86::keep_avx2,
        },
        Level::Plain => TileKernel {
            rows: 4,
            run: tile_plain,
            keep: keep_plain,
        },
    }
}

/// Four rows by one panel, left to the compiler to vectorise.
fn tile_plain(x: &[f32], panel: &[f32], d: usize, tile: &mut Tile) {
    let mut acc = [[0f32; PANEL]; 4];
    for (k, w) in panel.as_chunks::<PANEL>().0.iter().enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            let xk = x[i * d + k];
            for l in 0..PANEL {
                acc[l] += xk * w[l];
            }
        }
    }
    tile[..4].copy_from_slice(&acc);
}

fn keep_plain(rows: &mut [RowList], tile: &Tile, features: &Features) {
    for (row, values) in rows.iter_mut().zip(tile) {
        let mut mask = 0u32;
        let mut sums = [0f32; PANEL];
        for l in 0..PANEL {
            sums[l] = values[l] + features.bias[l];
            mask |= u32::from(sums[l] > row.floor()) << l;
        }
        row.push(mask, &sums, features);
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Features, PANEL, RowList, Tile};
    use std::arch::x86_64::*;

    /// One register-tiled product: `$rows` rows of x by `$vecs` registers of the panel's lanes.
    macro_rules! tile {
        ($name:ident, $features:literal, $lanes:literal, $rows:literal, $vecs:literal,
         $zero:ident, $load:ident, $set1:ident, $fma:ident, $store:ident) => {
            pub(super) fn $name(x: &[f32], panel: &[f32], d: usize, tile: &mut Tile) {
                #[target_feature(enable = $features)]
                fn run(x: &[f32], panel: &[f32], d: usize, tile: &mut Tile) {
                    assert!(x.len() >= $rows * d && panel.len() >= PANEL * d);
                    for part in (0..PANEL).step_by($lanes * $vecs) {
                        let mut acc = [[$zero(); $vecs]; $rows];
                        for k in 0..d {
                            // SAFETY: k < d, so both reads stay inside the lengths asserted above.
                            unsafe {
                                let w = panel.as_ptr().add(k * PANEL + part);
                                let mut ws = [$zero(); $vecs];
                                for v in 0..$vecs {
                                    ws[v] = $load(w.add(v * $lanes));
                                }
                                for i in 0..$rows {
                                    let xi = $set1(*x.as_ptr().add(i * d + k));
                                    for v in 0..$vecs {
                                        acc[i][v] = $fma(xi, ws[v], acc[i][v]);
                                    }
                                }
                            }
                        }
                        for i in 0..$rows {
                            for v in 0..$vecs {
                                let out = &mut tile[i][part + v * $lanes..][..$lanes];
                                // SAFETY: `out` has exactly as many values as the register has lanes.
                                unsafe { $store(out.as_mut_ptr(), acc[i][v]) }
                            }
                        }
                    }
                }
                // SAFETY: `tile_kernel` hands this out only where the CPU has these features.
                unsafe { run(x, panel, d, tile) }
            }
        };
    }

    tile!(
        tile_avx512,
        "avx512f",
        16,
        12,
        2,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_storeu_ps
    );
    tile!(
        tile_avx2,
        "avx2,fma",
        8,
        6,
        2,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_storeu_ps
    );

    /// Compares whole registers: most rows of a tile have nothing above their floor.
    macro_rules! keep {
        ($name:ident, $features:literal, $lanes:literal, $load:ident, $set1:ident, $add:ident,
         $store:ident, |$sum:ident, $floor:ident| $above:expr) => {
            pub(super) fn $name(rows: &mut [RowList], tile: &Tile, features: &Features) {
                #[target_feature(enable = $features)]
                fn run(rows: &mut [RowList], tile: &Tile, features: &Features) {
                    const VECS: usize = PANEL / $lanes;
                    let mut bias = [$set1(0.0); VECS];
                    for v in 0..VECS {
                        let from = &features.bias[v * $lanes..][..$lanes];
                        // SAFETY: `from` has exactly as many values as the register has lanes.
                        bias[v] = unsafe { $load(from.as_ptr()) };
                    }
                    for (row, values) in rows.iter_mut().zip(tile) {
                        let $floor = $set1(row.floor());
                        let mut mask = 0u32;
                        let mut sums = bias;
                        for v in 0..VECS {
                            let from = &values[v * $lanes..][..$lanes];
                            // SAFETY: as above.
                            let $sum = $add(unsafe { $load(from.as_ptr()) }, bias[v]);
                            sums[v] = $sum;
                            mask |= ($above as u32) << (v * $lanes);
                        }
                        if mask == 0 {
                            continue;
                        }
                        let mut written = [0f32; PANEL];
                        for v in 0..VECS {
                            let to = &mut written[v * $lanes..][..$lanes];
                            // SAFETY: as above.
                            unsafe { $store(to.as_mut_ptr(), sums[v]) };
                        }
                        row.push(mask, &written, features);
                    }
                }
                // SAFETY: `tile_kernel` hands this out only where the CPU has these features.
                unsafe { run(rows, tile, features) }
            }
        };
    }

    keep!(
        keep_avx512,
        "avx512f",
        16,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_add_ps,
        _mm512_storeu_ps,
        |sum, floor| _mm512_cmp_ps_mask::<_CMP_GT_OQ>(sum, floor)
    );
    keep!(
        keep_avx2,
        "avx2",
        8,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_storeu_ps,
        |sum, floor| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(sum, floor))
    );
}

#[cfg(test)]
mod tests;
