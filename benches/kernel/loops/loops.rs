//! Numeric loops as cells have them, for `run.py`: `loops ROUNDS` prints the nanoseconds of each.
//!
//! Where a line says `check`, the kernel inserts one; a test of its sees to it.

use std::hint::black_box;
use std::time::Instant;

#[inline(never)]
fn sum_of_squares(xs: &[u32]) -> u32 {
    let mut sum = 0;
    for &x in xs {
        sum += x * x;
    }
    sum
}

#[inline(never)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for i in 0..a.len() {
        sum += a[i] * b[i];
    }
    sum
}

#[inline(never)]
fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

#[inline(never)]
fn matmul(a: &[f64], b: &[f64], c: &mut [f64], n: usize) {
    for i in 0..n {
        // check
        for j in 0..n {
            // check
            let mut sum = 0.0;
            for k in 0..n {
                sum += a[i * n + k] * b[k * n + j];
            }
            c[i * n + j] = sum;
        }
    }
}

#[inline(never)]
fn prefix_sums(xs: &[f64], out: &mut Vec<f64>) {
    out.clear();
    let mut sum = 0.0;
    for &x in xs {
        // check
        sum += x;
        out.push(sum);
    }
}

#[inline(never)]
fn collatz(below: u64) -> u64 {
    let mut longest = 0;
    for start in 1..below {
        // check
        let (mut n, mut steps) = (start, 0);
        while n != 1 {
            // check
            n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
            steps += 1;
        }
        longest = longest.max(steps);
    }
    longest
}

#[inline(never)]
fn sieve(below: usize) -> usize {
    let mut prime = vec![true; below];
    let (mut i, mut count) = (2, 0);
    while i < below {
        // check
        if prime[i] {
            count += 1;
            let mut j = i * i;
            while j < below {
                // check
                prime[j] = false;
                j += i;
            }
        }
        i += 1;
    }
    count
}

#[inline(never)]
fn count_bytes(text: &str) -> usize {
    let mut count = 0;
    for b in text.bytes() {
        if b == b'e' {
            count += 1;
        }
    }
    count
}

#[inline(never)]
fn histogram(xs: &[f64], bins: &mut [u32]) {
    for &x in xs {
        let bin = (x * bins.len() as f64) as usize;
        bins[bin] += 1;
    }
}

#[inline(never)]
fn mandelbrot(side: usize) -> u32 {
    let mut total = 0;
    for row in 0..side {
        // check
        for column in 0..side {
            // check
            let cx = -2.0 + 3.0 * column as f64 / side as f64;
            let cy = -1.5 + 3.0 * row as f64 / side as f64;
            let (mut x, mut y, mut n) = (0.0, 0.0, 0);
            while n < 200 && x * x + y * y <= 4.0 {
                // check
                (x, y) = (x * x - y * y + cx, 2.0 * x * y + cy);
                n += 1;
            }
            total += n;
        }
    }
    total
}

#[inline(never)]
fn nbody(p: &mut [[f64; 3]], v: &mut [[f64; 3]], steps: usize) {
    for _ in 0..steps {
        // check
        for i in 0..p.len() {
            // check
            for j in 0..p.len() {
                if i != j {
                    let mut d = [0.0; 3];
                    for k in 0..3 {
                        d[k] = p[j][k] - p[i][k];
                    }
                    let r2 = d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + 0.01;
                    let f = 0.001 / (r2 * r2.sqrt());
                    for k in 0..3 {
                        v[i][k] += f * d[k];
                    }
                }
            }
        }
        for (p, v) in p.iter_mut().zip(v.iter()) {
            for k in 0..3 {
                p[k] += 0.01 * v[k];
            }
        }
    }
}

#[inline(never)]
fn newton(xs: &[f64]) -> f64 {
    let mut sum = 0.0;
    for &a in xs {
        // check
        let mut x = a;
        loop {
            // check
            let next = 0.5 * (x + a / x);
            if (next - x).abs() < 1e-12 {
                break;
            }
            x = next;
        }
        sum += x;
    }
    sum
}

#[inline(never)]
fn stencil(from: &[f64], to: &mut [f64], kernel: &[[f64; 3]; 3], n: usize) {
    for y in 1..n - 1 {
        // check
        for x in 1..n - 1 {
            let mut sum = 0.0;
            for dy in 0..3 {
                for dx in 0..3 {
                    sum += kernel[dy][dx] * from[(y + dy - 1) * n + x + dx - 1];
                }
            }
            to[y * n + x] = sum;
        }
    }
}

#[inline(never)]
fn sum_by_while(xs: &[u32]) -> u32 {
    let (mut i, mut sum) = (0, 0);
    while i < xs.len() {
        sum += xs[i];
        i += 1;
    }
    sum
}

#[inline(never)]
fn random_walk(steps: u64) -> i64 {
    let (mut state, mut at) = (1u64, 0i64);
    for _ in 0..steps {
        // check
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        at += if state & 1 == 0 { 1 } else { -1 };
    }
    at
}

#[inline(never)]
fn sum_of_multiples(below: u64) -> u64 {
    let mut sum = 0;
    for i in 0..below {
        // check
        if i % 3 == 0 || i % 5 == 0 {
            sum += i;
        }
    }
    sum
}

struct Data {
    ints: Vec<u32>,
    a: Vec<f64>,
    b: Vec<f64>,
    out: Vec<f64>,
    text: String,
    bins: Vec<u32>,
    places: Vec<[f64; 3]>,
    speeds: Vec<[f64; 3]>,
}

impl Data {
    fn new() -> Self {
        let ints: Vec<u32> = (0..1 << 14).map(|i| i * 7 % 1001).collect();
        let a: Vec<f64> = ints.iter().map(|&i| f64::from(i + 1) / 1002.0).collect();
        Self {
            b: a.iter().map(|x| 1.0 - x).collect(),
            out: a.clone(),
            text: ints
                .iter()
                .map(|i| char::from(b'a' + (i % 26) as u8))
                .collect(),
            bins: vec![0; 64],
            places: (0..64).map(|i| [a[i], a[i + 99], a[i + 999]]).collect(),
            speeds: vec![[0.0; 3]; 64],
            ints,
            a,
        }
    }
}

type Work = fn(&mut Data);

/// What is measured, and how many times in a row.
const WORKS: [(&str, u32, Work); 16] = [
    ("sum of squares", 400, |d| keep(sum_of_squares(&d.ints))),
    ("dot product", 400, |d| keep(dot(&d.a, &d.b))),
    ("axpy, zipped", 400, |d| axpy(0.5, &d.a, &mut d.b)),
    ("matrix product", 4, |d| matmul(&d.a, &d.b, &mut d.out, 128)),
    ("prefix sums", 200, |d| prefix_sums(&d.a, &mut d.out)),
    ("collatz", 1, |_| keep(collatz(black_box(20_000)))),
    ("sieve", 1, |_| keep(sieve(black_box(2_000_000)))),
    ("bytes of a string", 400, |d| keep(count_bytes(&d.text))),
    ("histogram", 200, |d| histogram(&d.a, &mut d.bins)),
    ("mandelbrot", 1, |_| keep(mandelbrot(black_box(128)))),
    ("n bodies", 1, |d| nbody(&mut d.places, &mut d.speeds, 100)),
    ("newton", 4, |d| keep(newton(&d.a))),
    ("stencil", 40, |d| {
        stencil(&d.a, &mut d.out, &[[0.1, 0.2, 0.1]; 3], 128)
    }),
    ("sum by while", 400, |d| keep(sum_by_while(&d.ints))),
    ("random walk", 1, |_| {
        keep(random_walk(black_box(2_000_000)))
    }),
    ("sum of multiples", 1, |_| {
        keep(sum_of_multiples(black_box(2_000_000)))
    }),
];

fn keep<T>(value: T) {
    black_box(value);
}

fn main() {
    let rounds = std::env::args()
        .nth(1)
        .and_then(|a| a.parse().ok())
        .unwrap_or(5);
    let mut data = Data::new();
    WORKS.iter().for_each(|(name, repeats, work)| {
        let time = |_| {
            let start = Instant::now();
            (0..*repeats).for_each(|_| work(black_box(&mut data)));
            start.elapsed().as_nanos()
        };
        let best = (0..rounds).map(time).min().unwrap_or_default();
        println!("{name}\t{best}");
    });
}
