//! What the machine can do at most: multiply-adds from registers, and a sum of two streams.

use super::{Result, seconds};
use rayon::prelude::*;
use std::hint::black_box;

/// Multiply-adds a second, two operations each, of all threads, from registers.
pub fn peak_flops() -> Result<f64> {
    const ROUNDS: usize = 20_000_000;
    let threads = rayon::current_num_threads();
    let time = seconds(|| {
        rayon::broadcast(|_| black_box(multiply_adds(black_box(ROUNDS))));
        Ok(())
    })?;
    Ok((threads * ROUNDS * operations()) as f64 / time)
}

/// Operations of one round of [`multiply_adds`].
fn operations() -> usize {
    2 * 12 * lanes()
}

#[cfg(target_arch = "x86_64")]
fn lanes() -> usize {
    if is_x86_feature_detected!("avx512f") {
        16
    } else {
        8
    }
}

#[cfg(target_arch = "x86_64")]
fn multiply_adds(rounds: usize) -> f32 {
    use std::arch::x86_64::*;
    /// Twelve independent sums: more than latency times throughput asks for.
    #[target_feature(enable = "avx512f")]
    fn wide(rounds: usize) -> f32 {
        let (x, y) = (
            _mm512_set1_ps(black_box(0.999)),
            _mm512_set1_ps(black_box(2e-3)),
        );
        let mut sums = [_mm512_set1_ps(1.0); 12];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, x, y);
            }
        }
        let total = sums
            .into_iter()
            .fold(_mm512_setzero_ps(), |a, b| _mm512_add_ps(a, b));
        _mm512_reduce_add_ps(total)
    }
    #[target_feature(enable = "avx2,fma")]
    fn narrow(rounds: usize) -> f32 {
        let (x, y) = (
            _mm256_set1_ps(black_box(0.999)),
            _mm256_set1_ps(black_box(2e-3)),
        );
        let mut sums = [_mm256_set1_ps(1.0); 12];
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, x, y);
            }
        }
        let total = sums
            .into_iter()
            .fold(_mm256_setzero_ps(), |a, b| _mm256_add_ps(a, b));
        _mm256_cvtss_f32(total)
    }
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has just said that it knows the instructions.
        unsafe { wide(rounds) }
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        unsafe { narrow(rounds) }
    } else {
        portable(rounds)
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn lanes() -> usize {
    8
}

#[cfg(not(target_arch = "x86_64"))]
fn multiply_adds(rounds: usize) -> f32 {
    portable(rounds)
}

/// What the compiler makes of it: a lower bound of the peak.
fn portable(rounds: usize) -> f32 {
    let (x, y) = (black_box(0.999f32), black_box(2e-3f32));
    let mut sums = [[1f32; 8]; 12];
    for _ in 0..rounds {
        for sum in sums.iter_mut().flatten() {
            *sum = *sum * x + y;
        }
    }
    sums.into_iter().flatten().sum()
}

/// Bytes a second of `a = b + c` over vectors larger than every cache: two read, one written.
pub fn bandwidth() -> Result<f64> {
    const N: usize = 1 << 25;
    let (b, c) = (vec![1f32; N], vec![2f32; N]);
    let mut a = vec![0f32; N];
    let time = seconds(|| {
        let parts = a.par_chunks_mut(1 << 20);
        parts
            .zip(b.par_chunks(1 << 20))
            .zip(c.par_chunks(1 << 20))
            .for_each(|((a, b), c)| {
                for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
                    *a = b + c;
                }
            });
        black_box(&a);
        Ok(())
    })?;
    Ok((12 * N) as f64 / time)
}
