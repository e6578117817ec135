//! A decoder whose groups of 16 features are four turns of one frame of four directions.
//! Block I of group g: `W_dec[g, I] = rows of Q_gI E_g at unit length`, `Q(a) = a0 + sum_j a_j V_j`.
//! V_j: the fermionic holoraumy of the chiral multiplet (arXiv:1701.00304, section 3); its use here is ours.

#[cfg(feature = "notebook")]
mod slots;

use super::garden_penalty::{BLOCK, COLOURS, check_groups};
use crate::config::GROUP;
use crate::error::{Error, Result};
use crate::sae::kernels::{self, AdamStep, Moments};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// A 4 x 4 matrix, row by row.
type Generator = [[f32; BLOCK]; BLOCK];

/// Which three matrices turn the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TiedGenerators {
    /// [`HOLORAUMY_GENERATORS`]: `Q(a)` is a quaternion, so it is orthogonal up to `|a|`, and
    /// `Q(a) Q(b)^T + Q(b) Q(a)^T = 2 (a . b) 1`.
    Holoraumy,
    /// Control: three orthogonal matrices per group, each drawn at random once (Haar on O(4)). The
    /// number of learnt parameters is the same, and each generator preserves lengths as a holoraumy
    /// does; only the algebra is gone. (Antisymmetric ones would be no clean control: an antisymmetric
    /// orthogonal 4 x 4 matrix is a unit quaternion from the left or from the right, so that three in
    /// four draws of three mix the two, and the fourth gives the quaternions themselves.)
    RandomOrthogonal,
}

/// The alpha basis of su(2), of which the fermionic holoraumy of the chiral multiplet consists (up to
/// signs): `(s2 x s1, 1 x s2, s2 x s3)` times i. Each squares to -1, and they anticommute.
pub const HOLORAUMY_GENERATORS: [[[f32; 4]; 4]; 3] = [
    [
        [0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, -1.0, 0.0, 0.0],
        [-1.0, 0.0, 0.0, 0.0],
    ],
    [
        [0.0, 1.0, 0.0, 0.0],
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
        [0.0, 0.0, -1.0, 0.0],
    ],
    [
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, -1.0],
        [-1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
    ],
];

/// Frames and coefficients of a tied decoder, with Adam's moments.
///
/// Since its rows have unit length, the decoder does not depend on the scale of a frame or of a
/// block's four coefficients; each step ends by restoring `|E_g|_F = 2` and `|a| = 1`.
#[derive(Debug)]
pub struct TiedDecoder {
    d_in: usize,
    /// Three per group. `[n_groups]`
    generators: Vec<[Generator; 3]>,
    /// `[n_groups, 4, d_in]`
    frames: Vec<f32>,
    /// `[n_groups, 4 blocks, 4]`: a0 of the identity, then one for each generator.
    coefficients: Vec<f32>,
    adam_frames: Moments,
    adam_coefficients: Moments,
}

/// Gradients of a loss with respect to the parameters of a [`TiedDecoder`].
#[derive(Debug, Clone, PartialEq)]
pub struct TiedGradients {
    /// `[n_groups, 4, d_in]`
    pub frames: Vec<f32>,
    /// `[n_groups, 4 blocks, 4]`
    pub coefficients: Vec<f32>,
}

impl TiedDecoder {
    /// Random frames (unit directions) and random coefficients for `d_sae` features.
    ///
    /// # Errors
    /// [`Error::Argument`] when `d_sae` is not a positive multiple of 16 or `d_in` is 0.
    pub fn new(
        generators: TiedGenerators,
        d_in: usize,
        d_sae: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self> {
        check_groups(d_sae)?;
        if d_in == 0 {
            return Err(Error::argument("d_in", d_in, "must be at least 1"));
        }
        let n_groups = d_sae / GROUP;
        let mut unit_rows = |n: usize, width: usize| -> Vec<f32> {
            let mut rows: Vec<f32> = StandardNormal
                .sample_iter(&mut *rng)
                .take(n * width)
                .collect();
            rows.chunks_exact_mut(width).for_each(kernels::normalise);
            rows
        };
        let frames = unit_rows(n_groups * BLOCK, d_in);
        let coefficients = unit_rows(n_groups * COLOURS, 4);
        let generators = (0..n_groups)
            .map(|_| match generators {
                TiedGenerators::Holoraumy => HOLORAUMY_GENERATORS,
                TiedGenerators::RandomOrthogonal => std::array::from_fn(|_| haar_orthogonal(rng)),
            })
            .collect();
        Ok(Self {
            d_in,
            generators,
            adam_frames: Moments::zeros(frames.len()),
            adam_coefficients: Moments::zeros(coefficients.len()),
            frames,
            coefficients,
        })
    }

    /// Number of groups of 16 features.
    pub fn n_groups(&self) -> usize {
        self.generators.len()
    }

    /// Number of features.
    pub fn d_sae(&self) -> usize {
        self.n_groups() * GROUP
    }

    /// Width of the activations.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Number of learnt parameters: `n_groups (4 d_in + 16)`.
    pub fn n_parameters(&self) -> usize {
        self.frames.len() + self.coefficients.len()
    }

    /// The frames, `[n_groups, 4, d_in]`, and the blocks' coefficients, `[n_groups, 4, 4]`.
    pub fn parameters(&self) -> (&[f32], &[f32]) {
        (&self.frames, &self.coefficients)
    }

    /// The decoder that these parameters give, `[d_sae, d_in]`, rows at unit length.
    pub fn w_dec(&self) -> Vec<f32> {
        let d = self.d_in;
        let mut w_dec = vec![0f32; self.n_groups() * GROUP * d];
        w_dec
            .par_chunks_mut(GROUP * d)
            .enumerate()
            .for_each(|(g, rows)| self.write_group(g, rows));
        w_dec
    }

    /// The gradient of the parameters from that of the decoder, `[d_sae, d_in]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `g_w_dec` is of another size.
    pub fn gradients(&self, g_w_dec: &[f32]) -> Result<TiedGradients> {
        let (d, n) = (self.d_in, self.n_groups());
        if g_w_dec.len() != n * GROUP * d {
            let expected = [n * GROUP, d];
            return Err(Error::shape("g_w_dec", expected, [g_w_dec.len()]));
        }
        let mut out = TiedGradients {
            frames: vec![0.0; self.frames.len()],
            coefficients: vec![0.0; self.coefficients.len()],
        };
        (
            g_w_dec.par_chunks(GROUP * d),
            out.frames.par_chunks_mut(BLOCK * d),
            out.coefficients.par_chunks_mut(GROUP),
        )
            .into_par_iter()
            .enumerate()
            .for_each(|(g, (g_rows, g_frame, g_a))| {
                let frame = &self.frames[g * BLOCK * d..][..BLOCK * d];
                let a = &self.coefficients[g * GROUP..][..GROUP];
                chain(&self.generators[g], frame, a, g_rows, g_frame, g_a);
            });
        Ok(out)
    }

    /// One Adam update from the gradient with respect to the decoder; also updates the decoder.
    pub(in crate::sae) fn update(
        &mut self,
        adam: &AdamStep,
        g_w_dec: &[f32],
        w_dec: &mut [f32],
    ) -> Result<()> {
        let d = self.d_in;
        let g = self.gradients(g_w_dec)?;
        let groups = (
            self.frames.par_chunks_mut(BLOCK * d),
            self.adam_frames.m.par_chunks_mut(BLOCK * d),
            self.adam_frames.v.par_chunks_mut(BLOCK * d),
            g.frames.par_chunks(BLOCK * d),
        );
        groups.into_par_iter().for_each(|(frame, m, v, g)| {
            kernels::adam(adam, g, frame, m, v);
            let norm = kernels::dot(frame, frame).sqrt();
            if norm != 0.0 {
                frame.iter_mut().for_each(|e| *e *= 2.0 / norm);
            }
        });
        let moments = &mut self.adam_coefficients;
        kernels::adam(
            adam,
            &g.coefficients,
            &mut self.coefficients,
            &mut moments.m,
            &mut moments.v,
        );
        self.coefficients
            .chunks_exact_mut(4)
            .for_each(kernels::normalise);
        let this = &*self;
        w_dec
            .par_chunks_mut(GROUP * d)
            .enumerate()
            .for_each(|(g, rows)| this.write_group(g, rows));
        Ok(())
    }

    /// Sets the frame of group `g`, `[4, d_in]`, zeroes its moments, and writes its rows of the decoder.
    pub(in crate::sae) fn replace_frame(&mut self, g: usize, frame: &[f32], w_dec: &mut [f32]) {
        let d = self.d_in;
        let place = g * BLOCK * d..(g + 1) * BLOCK * d;
        self.frames[place.clone()].copy_from_slice(frame);
        self.frames[place.clone()]
            .chunks_exact_mut(d)
            .for_each(kernels::normalise);
        self.adam_frames.m[place.clone()].fill(0.0);
        self.adam_frames.v[place].fill(0.0);
        self.write_group(g, &mut w_dec[g * GROUP * d..][..GROUP * d]);
    }

    fn write_group(&self, g: usize, rows: &mut [f32]) {
        let d = self.d_in;
        let frame = &self.frames[g * BLOCK * d..][..BLOCK * d];
        let a = &self.coefficients[g * GROUP..][..GROUP];
        for (a, block) in a.chunks_exact(4).zip(rows.chunks_exact_mut(BLOCK * d)) {
            turned(&turn(&self.generators[g], a), frame, block);
            block.chunks_exact_mut(d).for_each(kernels::normalise);
        }
    }
}

/// `Q(a) = a0 1 + sum_j a_j V_j`.
fn turn(generators: &[Generator; 3], a: &[f32]) -> Generator {
    let mut q = [[0f32; BLOCK]; BLOCK];
    for (r, row) in q.iter_mut().enumerate() {
        for (s, q) in row.iter_mut().enumerate() {
            *q = if r == s { a[0] } else { 0.0 };
            for (v, a) in generators.iter().zip(&a[1..]) {
                *q += a * v[r][s];
            }
        }
    }
    q
}

const ALL: [u32; BLOCK] = [0, 1, 2, 3];

/// `out = q frame`, `[4, d]`.
fn turned(q: &Generator, frame: &[f32], out: &mut [f32]) {
    let d = frame.len() / BLOCK;
    out.fill(0.0);
    for (q, out) in q.iter().zip(out.chunks_exact_mut(d)) {
        kernels::combine(&ALL, q, frame, out);
    }
}

/// The chain rule of one group. With `u = Q E`, `w = u/|u|` row by row and `g` the gradient in w:
/// `g_u = (g - (g . w) w)/|u|`, `g_E = sum_I Q_I^T g_u`, `g_a0 = <1, M>`, `g_aj = <V_j, M>`, `M = g_u E^T`.
fn chain(
    generators: &[Generator; 3],
    frame: &[f32],
    a: &[f32],
    g_rows: &[f32],
    g_frame: &mut [f32],
    g_a: &mut [f32],
) {
    let d = frame.len() / BLOCK;
    let (mut u, mut g_u) = (vec![0f32; BLOCK * d], vec![0f32; BLOCK * d]);
    g_frame.fill(0.0);
    for (block, (a, g_a)) in a.chunks_exact(4).zip(g_a.chunks_exact_mut(4)).enumerate() {
        let q = turn(generators, a);
        turned(&q, frame, &mut u);
        g_u.copy_from_slice(&g_rows[block * BLOCK * d..][..BLOCK * d]);
        for (u, g) in u.chunks_exact_mut(d).zip(g_u.chunks_exact_mut(d)) {
            let norm = kernels::dot(u, u).sqrt();
            kernels::normalise(u);
            kernels::project(u, g);
            // A row of zeros has no direction, hence no gradient.
            let scale = if norm == 0.0 { 0.0 } else { 1.0 / norm };
            g.iter_mut().for_each(|g| *g *= scale);
        }
        let transposed: Generator = std::array::from_fn(|s| std::array::from_fn(|r| q[r][s]));
        for (q, g_frame) in transposed.iter().zip(g_frame.chunks_exact_mut(d)) {
            kernels::combine(&ALL, q, &g_u, g_frame);
        }
        g_a.fill(0.0);
        for (r, g) in g_u.chunks_exact(d).enumerate() {
            for (s, e) in frame.chunks_exact(d).enumerate() {
                let m = kernels::dot(g, e);
                g_a[0] += if r == s { m } else { 0.0 };
                for (g_a, v) in g_a[1..].iter_mut().zip(generators) {
                    *g_a += v[r][s] * m;
                }
            }
        }
    }
}

/// A random orthogonal 4 x 4 matrix: the Gram-Schmidt orthonormalisation of Gaussian rows, which is
/// Haar distributed on O(4) (Stewart 1980).
fn haar_orthogonal(rng: &mut ChaCha8Rng) -> Generator {
    let mut q = [[0f32; BLOCK]; BLOCK];
    for r in 0..BLOCK {
        let (done, rest) = q.split_at_mut(r);
        let row = &mut rest[0];
        row.fill_with(|| StandardNormal.sample(&mut *rng));
        // Twice: the second pass removes the rounding error of the first.
        for _ in 0..2 {
            done.iter().for_each(|other| kernels::project(other, row));
        }
        kernels::normalise(row);
    }
    q
}

#[cfg(test)]
mod tests;
