//! Loops over slices that the compiler turns into vector instructions.
//!
//! `exp(x) = 2^n p(r)`, `x = n ln 2 + r`, `|r| <= ln(2) / 2`, `p` of degree 7; relative error
//! below 2.5e-7. Source: Cody and Waite 1980; coefficients of Cephes' `expf`.

use rayon::prelude::*;

pub(super) const LANES: usize = 16;

/// A loop that is compiled for any processor, for one with AVX2 and for one with AVX-512. All do
/// the same operations in the same order, so their results are the same to the bit.
pub(crate) trait Kernel {
    type Output;
    /// Must be `#[inline(always)]`, to be compiled with its caller's instructions.
    fn run(self) -> Self::Output;
}

/// Runs a loop with the widest vectors of this processor.
#[inline]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        #[target_feature(enable = "avx2")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run()
        }
        if has_avx512() {
            // SAFETY: the five features that `avx512` needs were just found.
            return unsafe { avx512(kernel) };
        }
        if std::is_x86_feature_detected!("avx2") {
            // SAFETY: the one feature that `avx2` needs was just found.
            return unsafe { avx2(kernel) };
        }
    }
    kernel.run()
}

/// A virtual machine may hide one feature and show the next: each is asked for.
#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    std::is_x86_feature_detected!("avx512f")
        && std::is_x86_feature_detected!("avx512dq")
        && std::is_x86_feature_detected!("avx512bw")
        && std::is_x86_feature_detected!("avx512vl")
        && std::is_x86_feature_detected!("avx2")
}

/// `e^x`; NaN stays NaN, `x < -87.3` gives about 1e-38.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding 1.5 * 2^23 rounds to the nearest whole number, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Comparisons, not `clamp`: they let NaN through.
    let x = if x < -87.3 { -87.3 } else { x };
    let x = if x > 88.3 { 88.3 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let p = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_add(127) << 23;
    p * f32::from_bits(exponent)
}

/// Sum with sixteen running sums, which vectorises (a single one would fix the order).
#[inline(always)]
pub(super) fn sum(xs: &[f32]) -> f32 {
    sum_by(xs, xs, |x, _| x)
}

/// Sum of `f(x, y)` over both slices.
#[inline(always)]
pub(super) fn sum_by(xs: &[f32], ys: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let (x_chunks, y_chunks) = (xs.chunks_exact(LANES), ys.chunks_exact(LANES));
    let tail: f32 = x_chunks
        .remainder()
        .iter()
        .zip(y_chunks.remainder())
        .map(|(&x, &y)| f(x, y))
        .sum();
    for (x, y) in x_chunks.zip(y_chunks) {
        for i in 0..LANES {
            lanes[i] += f(x[i], y[i]);
        }
    }
    lanes.iter().sum::<f32>() + tail
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The largest element. A NaN may be passed over; [`exp_in_place`] keeps it.
#[inline(always)]
pub(super) fn max(xs: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = xs.chunks_exact(LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        for i in 0..LANES {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    lanes
        .iter()
        .chain(tail)
        .fold(f32::NEG_INFINITY, |a, &b| larger(a, b))
}

/// Adds `b`, as long as `xs`, and returns the largest sum, as [`max`].
#[inline(always)]
pub(super) fn add_and_max(xs: &mut [f32], b: &[f32]) -> f32 {
    assert_eq!(xs.len(), b.len());
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, tail) = xs.as_chunks_mut::<LANES>();
    let (b_chunks, b_tail) = b.as_chunks::<LANES>();
    for (chunk, b) in chunks.iter_mut().zip(b_chunks) {
        for i in 0..LANES {
            chunk[i] += b[i];
            lanes[i] = larger(lanes[i], chunk[i]);
        }
    }
    let mut most = f32::NEG_INFINITY;
    for lane in lanes {
        most = larger(most, lane);
    }
    for (x, b) in tail.iter_mut().zip(b_tail) {
        *x += b;
        most = larger(most, *x);
    }
    most
}

/// Replaces each `x` by `exp(x - shift)` and returns their sum.
#[inline(always)]
pub(super) fn exp_in_place(xs: &mut [f32], shift: f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut chunks = xs.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for i in 0..LANES {
            chunk[i] = exp(chunk[i] - shift);
            lanes[i] += chunk[i];
        }
    }
    let mut tail = 0.0;
    for x in chunks.into_remainder() {
        *x = exp(*x - shift);
        tail += *x;
    }
    lanes.iter().sum::<f32>() + tail
}

/// [`exp_in_place`], compiled for the widest registers of the CPU.
pub(crate) fn exp_shifted(xs: &mut [f32], shift: f32) -> f32 {
    struct Exp<'a>(&'a mut [f32], f32);
    impl Kernel for Exp<'_> {
        type Output = f32;

        #[inline(always)]
        fn run(self) -> f32 {
            exp_in_place(self.0, self.1)
        }
    }
    widest(Exp(xs, shift))
}

/// Adds the sum over rows of a row-major matrix to `out`, one entry a column. Each column is
/// summed in row order, however many threads there are.
pub(super) fn add_column_sums(out: &mut [f32], matrix: &[f32]) {
    const COLUMNS_PER_TASK: usize = 64;
    let width = out.len();
    out.par_chunks_mut(COLUMNS_PER_TASK)
        .enumerate()
        .for_each(|(task, sums)| {
            let first = task * COLUMNS_PER_TASK;
            widest(ColumnSums {
                sums,
                matrix,
                width,
                first,
            })
        });
}

/// Sums of some neighbouring columns, from `first` on, of rows of `width`.
struct ColumnSums<'a> {
    sums: &'a mut [f32],
    matrix: &'a [f32],
    width: usize,
    first: usize,
}

impl Kernel for ColumnSums<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for row in self.matrix.chunks_exact(self.width) {
            for (sum, x) in self.sums.iter_mut().zip(&row[self.first..]) {
                *sum += x;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        let mut worst = 0.0f64;
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - exact).abs() / exact);
        }
        assert!(worst < 2.5e-7, "{worst}");
        assert_eq!(exp(0.0), 1.0);
    }

    #[test]
    fn every_compilation_gives_the_same_bits() {
        struct Row(Vec<f32>);
        impl Kernel for Row {
            type Output = (Vec<f32>, f32);
            #[inline(always)]
            fn run(mut self) -> (Vec<f32>, f32) {
                let shift = max(&self.0);
                let sum = exp_in_place(&mut self.0, shift);
                (self.0, sum)
            }
        }
        let xs: Vec<f32> = (0..1003).map(|i| (i as f32 * 0.37).sin() * 20.0).collect();
        let plain = Row(xs.clone()).run();
        assert_eq!(widest(Row(xs.clone())), plain);
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            #[target_feature(enable = "avx2")]
            fn avx2(row: Row) -> (Vec<f32>, f32) {
                row.run()
            }
            // SAFETY: the feature was just found.
            assert_eq!(unsafe { avx2(Row(xs)) }, plain);
        }
    }

    #[test]
    fn exp_keeps_nan_and_has_no_infinity_or_negative() {
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::NEG_INFINITY) >= 0.0);
        assert!(exp(1000.0).is_finite());
    }

    #[test]
    fn sums_and_maxima_cover_tails() {
        for n in [0, 1, 15, 16, 17, 33, 100] {
            let xs: Vec<f32> = (0..n).map(|i| i as f32).collect();
            assert_eq!(sum(&xs), (0..n).sum::<usize>() as f32);
            let largest = if n == 0 {
                f32::NEG_INFINITY
            } else {
                n as f32 - 1.0
            };
            assert_eq!(max(&xs), largest);
            let total = exp_in_place(&mut vec![0.0; n], 0.0);
            assert_eq!(total, n as f32);
            let (mut sums, b) = (xs.clone(), vec![1.0; n]);
            assert_eq!(add_and_max(&mut sums, &b), largest + 1.0);
            assert!(sums.iter().zip(&xs).all(|(sum, x)| *sum == x + 1.0));
        }
    }

    #[test]
    fn column_sums_cover_every_column() {
        let matrix: Vec<f32> = (0..3 * 130).map(|i| (i % 130) as f32).collect();
        let mut out = vec![1.0; 130];
        add_column_sums(&mut out, &matrix);
        for (j, x) in out.iter().enumerate() {
            assert_eq!(*x, 1.0 + 3.0 * j as f32);
        }
    }
}
