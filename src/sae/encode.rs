//! Encoder product that keeps only what is active.
//! `acts = relu(x_cent W_enc + b_enc)`, written as lists of (feature, act) by token.
//! A register-tiled product over packed weights, so the `[tokens, d_sae]` matrix never exists.

use super::kernels::{Level, level};
use rayon::prelude::*;

/// Features of one panel of the packed encoder.
pub(super) const PANEL: usize = 32;
/// Tokens of one chunk, the unit of parallel work; a multiple of both kernels' row counts.
pub(super) const CHUNK: usize = 96;

/// Active features of one chunk of tokens: token `i` owns `idx[ends[i - 1]..ends[i]]`.
#[derive(Debug, Default)]
pub(super) struct ActiveLists {
    pub ends: Vec<u32>,
    pub idx: Vec<u32>,
    pub vals: Vec<f32>,
    rows: Vec<RowList>,
}

#[derive(Debug, Default, Clone)]
struct RowList {
    idx: Vec<u32>,
    vals: Vec<f32>,
}

impl ActiveLists {
    /// Token `i`'s active features and their values.
    pub(super) fn row(&self, i: usize) -> (&[u32], &[f32]) {
        let start = if i == 0 { 0 } else { self.ends[i - 1] as usize };
        let end = self.ends[i] as usize;
        (&self.idx[start..end], &self.vals[start..end])
    }
}

/// The encoder, panel by panel: `panels[p][k][lane] = W_enc[k][p PANEL + lane]`.
#[derive(Debug, Clone)]
pub(super) struct PackedEncoder {
    d_in: usize,
    d_sae: usize,
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

    /// Active features of the `n` tokens in `x_cent`, `[CHUNK, d_in]` with rows from `n` on ignored.
    pub(super) fn encode(&self, x_cent: &[f32], n: usize, out: &mut ActiveLists) {
        out.rows.resize_with(CHUNK, RowList::default);
        for row in &mut out.rows {
            row.idx.clear();
            row.vals.clear();
        }
        let d = self.d_in;
        let kernel = tile_kernel();
        for (p, panel) in self.panels.chunks_exact(PANEL * d).enumerate() {
            let bias = &self.bias[p * PANEL..][..PANEL];
            let first = (p * PANEL) as u32;
            let mut tile = [[0f32; PANEL]; ROWS_MAX];
            for from in (0..n).step_by(kernel.rows) {
                (kernel.run)(&x_cent[from * d..][..kernel.rows * d], panel, d, &mut tile);
                for (row, values) in out.rows[from..n.min(from + kernel.rows)]
                    .iter_mut()
                    .zip(&tile)
                {
                    push_active(values, bias, first, row);
                }
            }
        }
        out.ends.clear();
        out.idx.clear();
        out.vals.clear();
        for row in &out.rows[..n] {
            out.idx.extend_from_slice(&row.idx);
            out.vals.extend_from_slice(&row.vals);
            out.ends.push(out.idx.len() as u32);
        }
    }
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

/// Appends the positive entries of `values + bias`.
#[inline]
fn push_active(values: &[f32; PANEL], bias: &[f32], first: u32, row: &mut RowList) {
    let mut mask = 0u32;
    let mut sums = [0f32; PANEL];
    for l in 0..PANEL {
        sums[l] = values[l] + bias[l];
        mask |= u32::from(sums[l] > 0.0) << l;
    }
    while mask != 0 {
        let l = mask.trailing_zeros();
        row.idx.push(first + l);
        row.vals.push(sums[l as usize]);
        mask &= mask - 1;
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
}

fn tile_kernel() -> TileKernel {
    match level() {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => TileKernel {
            rows: 12,
            run: x86::tile_avx512,
        },
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => TileKernel {
            rows: 6,
            run: x86::tile_avx2,
        },
        Level::Plain => TileKernel {
            rows: 4,
            run: tile_plain,
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{PANEL, Tile};
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(n: usize, seed: u32) -> Vec<f32> {
        (0..n as u32)
            .map(|i| {
                (i.wrapping_mul(2_654_435_761).wrapping_add(seed) >> 12) as f32 / 524_288.0 - 1.0
            })
            .collect()
    }

    #[test]
    fn every_kernel_of_this_cpu_gives_the_plain_product() {
        let d = 37;
        let (x, panel) = (ramp(ROWS_MAX * d, 1), ramp(PANEL * d, 2));
        let mut kernels = vec![TileKernel {
            rows: 4,
            run: tile_plain,
        }];
        #[cfg(target_arch = "x86_64")]
        {
            if level() == Level::Avx512 {
                kernels.push(TileKernel {
                    rows: 12,
                    run: x86::tile_avx512,
                });
            }
            if level() != Level::Plain {
                kernels.push(TileKernel {
                    rows: 6,
                    run: x86::tile_avx2,
                });
            }
        }
        for kernel in kernels {
            let mut tile = [[f32::NAN; PANEL]; ROWS_MAX];
            (kernel.run)(&x, &panel, d, &mut tile);
            for (i, row) in tile[..kernel.rows].iter().enumerate() {
                for (l, got) in row.iter().enumerate() {
                    let want: f32 = (0..d).map(|k| x[i * d + k] * panel[k * PANEL + l]).sum();
                    assert!(
                        (got - want).abs() < 1e-4,
                        "{} rows: [{i}][{l}] {got} against {want}",
                        kernel.rows
                    );
                }
            }
        }
    }

    #[test]
    fn lists_hold_exactly_the_positive_activations() {
        // 41 features: one full panel and a part of one; 50 tokens: no multiple of any kernel's rows.
        let (d, s, n) = (24, 41, 50);
        let (w, b, x) = (ramp(s * d, 3), ramp(s, 4), ramp(CHUNK * d, 5));
        let mut lists = ActiveLists::default();
        let mut packed = PackedEncoder::new(&w, &ramp(s, 9), d);
        for j in 0..s {
            packed.set_feature(j, &w[j * d..][..d], b[j]);
        }
        packed.encode(&x, n, &mut lists);
        assert_eq!(lists.ends.len(), n);
        for i in 0..n {
            let mut acts = vec![0f32; s];
            let (idx, vals) = lists.row(i);
            assert!(idx.is_sorted() && vals.iter().all(|v| *v > 0.0));
            for (&j, &v) in idx.iter().zip(vals) {
                acts[j as usize] = v;
            }
            for (j, got) in acts.iter().enumerate() {
                let pre: f32 = b[j] + (0..d).map(|k| x[i * d + k] * w[j * d + k]).sum::<f32>();
                assert!(
                    (got - pre.max(0.0)).abs() < 1e-4,
                    "token {i}, feature {j}: {got} against {pre}"
                );
            }
        }
    }
}
