//! The encoder's product, one register tile at a time, for each SIMD level of the CPU.
//!
//! A panel of the encoder is read in parts of [`DEPTH`] inputs, which are still in the L1 or L2
//! cache for the next rows; the rows are laid out so that a kernel reads them sequentially. (In their
//! original layout, rows of 512 inputs fall on two of the L1 cache's 64 sets.) It reaches 90 %
//! of the processor's peak multiply-add rate.

pub(in crate::sae::kernels) mod panel;
#[cfg(target_arch = "x86_64")]
pub(in crate::sae::kernels) mod transpose;

use self::panel::{CHUNK, Features, PANEL};
use super::lists::RowList;
use super::nan::above;
use super::rows::{Level, level};
use crate::model::Kernel;

/// Inputs of one part of a panel: 32 KiB.
const DEPTH: usize = 256;

/// One row, by the features of one panel.
type Row = [f32; PANEL];

/// A chunk's rows.
pub(super) type Tile = [Row; CHUNK];

/// A kernel for `rows` rows at once, a divisor of [`CHUNK`].
pub(super) struct TileKernel {
    rows: usize,
    /// `tile[i] = sum_k x[k][i] panel[k]`, or `+=` if it continues from an earlier part.
    run: fn(x: &[f32], panel: &[f32], goes_on: bool, tile: &mut [Row]),
    /// Appends to each row the values of `tile + bias` that are above its floor or NaN.
    pub keep: fn(&mut [RowList], &Tile, &Features),
}

impl TileKernel {
    pub(super) fn of_this_cpu() -> Self {
        match level() {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Self {
                rows: 12,
                run: x86::tile_avx512,
                keep: x86::keep_avx512,
            },
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Self {
                rows: 6,
                run: x86::tile_avx2,
                keep: x86::keep_avx2,
            },
            Level::Plain => Self {
                rows: 4,
                run: tile_plain,
                keep: keep_plain,
            },
        }
    }

    /// `[CHUNK, d]` as `[CHUNK / rows][d][rows]`.
    pub(super) fn lay_out(&self, x: &[f32], d: usize, out: &mut Vec<f32>) {
        assert_eq!(x.len(), CHUNK * d, "a whole chunk");
        out.resize(CHUNK * d, 0.0);
        let tiles = out.chunks_exact_mut(self.rows * d);
        for (tile, rows) in tiles.zip(x.chunks_exact(self.rows * d)) {
            // A few columns at a time, so that their cache lines are written while they are in the cache.
            for from in (0..d).step_by(16) {
                let to = d.min(from + 16);
                for (i, row) in rows.chunks_exact(d).enumerate() {
                    for (k, x) in row[from..to].iter().enumerate() {
                        tile[(from + k) * self.rows + i] = *x;
                    }
                }
            }
        }
    }

    /// `tile[i] = x[i] panel` for the first `n` rows of a chunk laid out by [`TileKernel::lay_out`].
    /// `panel`: `[d][PANEL]`.
    pub(super) fn product(&self, laid_out: &[f32], panel: &[f32], n: usize, tile: &mut Tile) {
        let (d, rows) = (panel.len() / PANEL, self.rows);
        for from in (0..d).step_by(DEPTH) {
            let depth = DEPTH.min(d - from);
            let part = &panel[from * PANEL..][..depth * PANEL];
            let tiles = tile.chunks_exact_mut(rows).take(n.div_ceil(rows));
            for (t, tile) in tiles.enumerate() {
                let x = &laid_out[(t * d + from) * rows..][..depth * rows];
                (self.run)(x, part, from > 0, tile);
            }
        }
    }
}

/// Four rows by one panel, left to the compiler to vectorise.
fn tile_plain(x: &[f32], panel: &[f32], goes_on: bool, tile: &mut [Row]) {
    let mut acc = [[0f32; PANEL]; 4];
    if goes_on {
        acc.copy_from_slice(tile);
    }
    let panel = panel.as_chunks::<PANEL>().0;
    for (x, w) in x.as_chunks::<4>().0.iter().zip(panel) {
        for (x, acc) in x.iter().zip(&mut acc) {
            for l in 0..PANEL {
                acc[l] += x * w[l];
            }
        }
    }
    tile.copy_from_slice(&acc);
}

fn keep_plain(rows: &mut [RowList], tile: &Tile, features: &Features) {
    for (row, values) in rows.iter_mut().zip(tile) {
        let mut mask = 0u32;
        let mut sums = [0f32; PANEL];
        for l in 0..PANEL {
            sums[l] = values[l] + features.bias[l];
            mask |= u32::from(above(sums[l], row.floor())) << l;
        }
        mask &= features.lanes;
        row.push(mask, &sums, features);
    }
}

/// [`TileKernel::keep`] for values above their row's floor in absolute value.
pub(super) struct KeepSigned<'a> {
    pub rows: &'a mut [RowList],
    pub tile: &'a Tile,
    pub features: &'a Features<'a>,
}

impl Kernel for KeepSigned<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let features = self.features;
        for (row, values) in self.rows.iter_mut().zip(self.tile) {
            let floor = row.floor();
            let (mut mask, mut sums) = (0u32, [0f32; PANEL]);
            for l in 0..PANEL {
                sums[l] = values[l] + features.bias[l];
                mask |= u32::from(above(sums[l].abs(), floor)) << l;
            }
            mask &= features.lanes;
            if mask != 0 {
                row.push(mask, &sums, features);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Features, PANEL, Row, RowList, Tile};
    use std::arch::x86_64::*;

    /// One register-tiled product: `$rows` rows of x by `$vecs` registers of the panel's lanes.
    macro_rules! tile {
        ($name:ident, $features:literal, $lanes:literal, $rows:literal, $vecs:literal,
         $zero:ident, $load:ident, $set1:ident, $fma:ident, $store:ident) => {
            pub(super) fn $name(x: &[f32], panel: &[f32], goes_on: bool, tile: &mut [Row]) {
                #[target_feature(enable = $features)]
                fn run(x: &[f32], panel: &[f32], goes_on: bool, tile: &mut [Row; $rows]) {
                    const { assert!(PANEL % ($lanes * $vecs) == 0) };
                    let depth = panel.len() / PANEL;
                    assert!(x.len() >= $rows * depth);
                    for part in (0..PANEL).step_by($lanes * $vecs) {
                        let mut acc = [[$zero(); $vecs]; $rows];
                        if goes_on {
                            for i in 0..$rows {
                                for v in 0..$vecs {
                                    let from = &tile[i][part + v * $lanes..][..$lanes];
                                    // SAFETY: `from` has as many values as the register has lanes.
                                    acc[i][v] = unsafe { $load(from.as_ptr()) };
                                }
                            }
                        }
                        for k in 0..depth {
                            // SAFETY: k < depth: x is as long as asserted above, and the panel has
                            // `depth` rows of PANEL, of which a part is one of equal parts.
                            unsafe {
                                let w = panel.as_ptr().add(k * PANEL + part);
                                let mut ws = [$zero(); $vecs];
                                for v in 0..$vecs {
                                    ws[v] = $load(w.add(v * $lanes));
                                }
                                let x = x.as_ptr().add(k * $rows);
                                for i in 0..$rows {
                                    let xi = $set1(*x.add(i));
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
                let tile = tile
                    .first_chunk_mut()
                    .expect("a tile of this kernel's rows");
                // SAFETY: `of_this_cpu` returns this only where the CPU has these features.
                unsafe { run(x, panel, goes_on, tile) }
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

    /// Compares whole registers, since most rows of a tile have nothing above their floor. "Not less or
    /// equal, or unordered" means above, or NaN.
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
                        mask &= features.lanes;
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
                // SAFETY: `of_this_cpu` returns this only where the CPU has these features.
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
        |sum, floor| _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(sum, floor)
    );
    keep!(
        keep_avx2,
        "avx2",
        8,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_add_ps,
        _mm256_storeu_ps,
        |sum, floor| _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_NLE_UQ>(sum, floor))
    );
}

#[cfg(test)]
mod tests;
