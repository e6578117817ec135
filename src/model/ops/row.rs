//! One row times a matrix, as in generation: each weight is read once, by all threads.
//!
//! `y_j = b_j + sum_k x_k W_kj`. A product of one row is bound by memory, and the general matrix
//! product does it on one thread.

use super::Matrix;
use super::vector::{Kernel, LANES, widest};
use candle_core::WithDType;
use half::bf16;
use rayon::prelude::*;

/// Columns that one task sums; few enough that the sums stay in the first cache, as many as that
/// allows, because the processor foresees reads that go on.
const COLUMNS_PER_TASK: usize = 4096;
/// Parts that the rows of a narrower matrix are cut into: each is read from end to end, for as
/// many threads. Fixed, so that sums do not depend on their number.
const PARTS: usize = 8;
/// Rows of `W` read side by side, so that each sum is loaded and stored once for all of them.
const ROWS_AT_ONCE: usize = 8;
/// Fewer weights than this are done before another thread has woken up.
const WORTH_THREADS: usize = 64 * 1024;

/// A type of weights that are read as they lie and widened in registers.
pub(super) trait Weight: WithDType {
    fn wide(self) -> f32;
}

impl Weight for f32 {
    #[inline(always)]
    fn wide(self) -> f32 {
        self
    }
}

impl Weight for bf16 {
    /// The upper half of an f32.
    #[inline(always)]
    fn wide(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
}

/// Adds `x W` to `y`, which holds the bias. `W` is row-major or the transpose of such a matrix;
/// each sum has its own fixed order, however many threads there are.
pub(super) fn add_row_product<W: Weight>(y: &mut [f32], x: &[f32], w: Matrix<W>) {
    assert_eq!((x.len(), y.len()), (w.rows, w.cols));
    if w.rows == 0 || w.cols == 0 {
        return;
    }
    if w.rows * w.cols < WORTH_THREADS {
        widest(Columns { y, x, w, first: 0 });
    } else if w.col == 1 && w.cols <= COLUMNS_PER_TASK {
        by_parts(y, x, w);
    } else {
        let columns = match w.col {
            1 => COLUMNS_PER_TASK,
            // Dot products keep one sum each: as many tasks as are worth their start.
            _ => WORTH_THREADS.div_ceil(w.rows),
        };
        y.par_chunks_mut(columns).enumerate().for_each(|(i, y)| {
            let first = i * columns;
            widest(Columns { y, x, w, first });
        });
    }
}

/// Each part of the rows into sums of its own, which are then added in order.
fn by_parts<W: Weight>(y: &mut [f32], x: &[f32], w: Matrix<W>) {
    let rows = w.rows.div_ceil(PARTS);
    let mut sums = vec![0.0f32; w.rows.div_ceil(rows) * w.cols];
    sums.par_chunks_mut(w.cols)
        .zip(x.par_chunks(rows))
        .enumerate()
        .for_each(|(i, (y, x))| {
            let w = w.rows(i * rows..i * rows + x.len());
            widest(Columns { y, x, w, first: 0 });
        });
    for sums in sums.chunks_exact(w.cols) {
        for (y, sum) in y.iter_mut().zip(sums) {
            *y += sum;
        }
    }
}

/// Whether [`add_row_product`] can read this matrix.
pub(super) fn readable<W>(w: Matrix<W>) -> bool {
    w.col == 1 || w.row == 1
}

/// Some neighbouring columns of `W`, from `first` on.
struct Columns<'a, W> {
    y: &'a mut [f32],
    x: &'a [f32],
    w: Matrix<'a, W>,
    first: usize,
}

impl<W: Weight> Kernel for Columns<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        if self.w.col == 1 {
            self.by_rows();
        } else {
            self.by_columns();
        }
    }
}

impl<W: Weight> Columns<'_, W> {
    /// `W` row-major: rows scaled and added.
    #[inline(always)]
    fn by_rows(self) {
        let n = self.y.len();
        let row = |k: usize| &self.w.data[k * self.w.row + self.first..][..n];
        let whole = self.x.len() - self.x.len() % ROWS_AT_ONCE;
        for k in (0..whole).step_by(ROWS_AT_ONCE) {
            let x = &self.x[k..k + ROWS_AT_ONCE];
            // Written out: a closure given to `array::from_fn` would not be compiled for AVX2.
            let (r0, r1, r2, r3) = (row(k), row(k + 1), row(k + 2), row(k + 3));
            let (r4, r5, r6, r7) = (row(k + 4), row(k + 5), row(k + 6), row(k + 7));
            for j in 0..n {
                let low = (x[0] * r0[j].wide() + x[1] * r1[j].wide())
                    + (x[2] * r2[j].wide() + x[3] * r3[j].wide());
                let high = (x[4] * r4[j].wide() + x[5] * r5[j].wide())
                    + (x[6] * r6[j].wide() + x[7] * r7[j].wide());
                self.y[j] += low + high;
            }
        }
        for k in whole..self.x.len() {
            let (x, row) = (self.x[k], row(k));
            for (y, w) in self.y.iter_mut().zip(row) {
                *y += x * w.wide();
            }
        }
    }

    /// `W` a transpose: a dot product a column.
    #[inline(always)]
    fn by_columns(self) {
        for (j, y) in self.y.iter_mut().enumerate() {
            let column = &self.w.data[(self.first + j) * self.w.col..][..self.x.len()];
            *y += dot(self.x, column);
        }
    }
}

/// Sum of products with sixteen running sums, as [`super::vector::sum`].
#[inline(always)]
fn dot<W: Weight>(xs: &[f32], ws: &[W]) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x_chunks, x_tail) = xs.as_chunks::<LANES>();
    let (w_chunks, w_tail) = ws.as_chunks::<LANES>();
    for (x, w) in x_chunks.iter().zip(w_chunks) {
        for i in 0..LANES {
            lanes[i] += x[i] * w[i].wide();
        }
    }
    let tail: f32 = x_tail.iter().zip(w_tail).map(|(x, w)| x * w.wide()).sum();
    lanes.iter().sum::<f32>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        /// Both layouts give the sums of the definition, over task and unroll edges.
        #[test]
        fn it_is_the_product(d_in in 0usize..120, d_out in 0usize..5_000, transposed: bool) {
            let value = |i: usize| ((i * 37 + 11) % 101) as f32 / 50.0 - 1.0;
            let data: Vec<f32> = (0..d_in * d_out).map(value).collect();
            let x: Vec<f32> = (0..d_in).map(|i| value(i + 5)).collect();
            let w = if transposed {
                Matrix::new(&data, d_out, d_in).t()
            } else {
                Matrix::new(&data, d_in, d_out)
            };
            let mut y = vec![0.5f32; d_out];
            add_row_product(&mut y, &x, w);
            // Weights in bf16 give what the same weights give in f32, to the bit.
            let half: Vec<bf16> = data.iter().map(|w| bf16::from_f32(*w)).collect();
            let rounded: Vec<f32> = half.iter().map(|w| w.to_f32()).collect();
            let [mut y_half, mut y_rounded] = [vec![0.5f32; d_out], vec![0.5f32; d_out]];
            let of_half = Matrix { data: &half[..], rows: w.rows, cols: w.cols, row: w.row, col: w.col };
            add_row_product(&mut y_half, &x, of_half);
            add_row_product(&mut y_rounded, &x, Matrix { data: &rounded, ..w });
            prop_assert_eq!(y_half, y_rounded);
            for (j, y) in y.iter().enumerate() {
                let exact: f64 = (0..d_in)
                    .map(|k| f64::from(x[k]) * f64::from(data[k * w.row + j * w.col]))
                    .sum();
                prop_assert!((f64::from(*y) - 0.5 - exact).abs() < 1e-4, "column {j}");
            }
        }
    }
}
