//! A penalty that pulls groups of features towards the garden algebra, and its gradient.
//! `P_g = sum_I |C_II - 1|^2 + sum_{I<J} |C_IJ + C_JI|^2`, `C_IJ = R_I L_J` (4 x 4), rows of R_I and
//! columns of L_J at unit length. The algebra is from arXiv:1701.00304, section 2; the penalty is ours.

#[cfg(feature = "notebook")]
mod slots;

use crate::config::GROUP;
use crate::error::{Error, Result};
use crate::sae::autoencoder::SparseAutoencoder;
use crate::sae::kernels;
use crate::sae::params::StandardParams;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Features per block.
pub(super) const BLOCK: usize = 4;
/// Blocks per group, the colours.
pub(super) const COLOURS: usize = GROUP / BLOCK;
/// Entries of one product `R_I L_J`.
const ENTRIES: usize = BLOCK * BLOCK;

/// Which entries of `R_I L_J` and `R_J L_I` a penalty ties, and for which features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GardenPairing {
    /// The garden algebra's pairing, with the features in their order.
    Garden,
    /// Control for the algebra. With `A = R_I L_J` and `B = (R_J L_I)^T` the algebra requires
    /// `A = -t(B)` for t the transposition of a 4 x 4 matrix: of 16 entries it keeps 4 in place and
    /// exchanges 6 pairs. Here t is another such involution, drawn at random once for each pair of
    /// blocks. Number, kind and weight of the terms, and the other solutions (orthogonal blocks), are
    /// the same; only the algebra is gone.
    Scrambled,
    /// Control for the groups: the algebra, with the features reassigned to groups at every call, so
    /// that no group can settle. It is the harsher penalty: a fixed pairing constrains the pairs of
    /// features within groups, this one every pair, and more features than `d_in` cannot all be
    /// orthogonal. At equal strength [`GardenPairing::Scrambled`] is the fair control. (Groups drawn at
    /// random once would be no control: features start exchangeable, so these equal the garden's own.)
    Redrawn,
}

/// The penalty on a dictionary's weights, averaged over groups of 16 features.
///
/// It depends only on the directions of the encoder's columns and of the decoder's rows: their
/// lengths are the gain of a feature, which the algebra does not constrain.
///
/// The two terms also vanish where a group's 16 directions are orthonormal and encoder and decoder
/// agree: then all `R_I L_J` with I other than J are zero. [`DictionaryDefect::holoraumy`]
/// distinguishes the two cases.
#[derive(Debug)]
pub struct GardenPenalty {
    lambda: f32,
    pairing: GardenPairing,
    /// Feature at each place; group g holds the places from 16 g on. `[d_sae]`
    members: Vec<u32>,
    /// For each group and each pair of blocks I < J: which entry of `(R_J L_I)^T` goes with each entry
    /// of `R_I L_J`. `[n_groups * 6]`
    involutions: Vec<[u8; ENTRIES]>,
    rng: ChaCha8Rng,
    gradients: PenaltyGradients,
}

/// Gradient of a penalty with respect to the two matrices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PenaltyGradients {
    d_in: usize,
    /// Place of each feature. `[d_sae]`
    place: Vec<u32>,
    /// Rows of `W_enc^T`, by place. `[d_sae, d_in]`
    w_enc_t: Vec<f32>,
    /// Rows of `W_dec`, by place. `[d_sae, d_in]`
    w_dec: Vec<f32>,
}

impl PenaltyGradients {
    /// The gradient of feature `j`'s encoder column, `[d_in]`.
    ///
    /// When there is no feature `j`, as for the index of a slice.
    /// Like the index of a slice, when there is no feature `j`.
    pub fn w_enc(&self, j: usize) -> &[f32] {
        &self.w_enc_t[self.place[j] as usize * self.d_in..][..self.d_in]
    }

    /// The gradient of feature `j`'s decoder row, `[d_in]`, orthogonal to that row.
    ///
    /// When there is no feature `j`, as for the index of a slice.
    /// Like the index of a slice, when there is no feature `j`.
    pub fn w_dec(&self, j: usize) -> &[f32] {
        &self.w_dec[self.place[j] as usize * self.d_in..][..self.d_in]
    }

    /// Number of features.
    pub fn d_sae(&self) -> usize {
        self.place.len()
    }

    /// Width of the activations.
    pub fn d_in(&self) -> usize {
        self.d_in
    }
}

impl GardenPenalty {
    /// The penalty with weight `lambda` for `d_sae` features; `seed` is that of the controls' draws.
    ///
    /// # Errors
    /// [`Error::Argument`] when `d_sae` is not a positive multiple of 16, or `lambda` is negative or not
    /// finite.
    pub fn new(pairing: GardenPairing, lambda: f64, d_sae: usize, seed: u64) -> Result<Self> {
        check_groups(d_sae)?;
        if !(lambda >= 0.0 && lambda.is_finite()) {
            return Err(Error::argument("lambda", lambda, "must be at least 0"));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n_pairs = d_sae / GROUP * COLOURS * (COLOURS - 1) / 2;
        let involutions = (0..n_pairs)
            .map(|_| match pairing {
                GardenPairing::Scrambled => random_involution(&mut rng),
                GardenPairing::Garden | GardenPairing::Redrawn => TRANSPOSITION,
            })
            .collect();
        Ok(Self {
            lambda: lambda as f32,
            pairing,
            members: (0..d_sae as u32).collect(),
            involutions,
            rng,
            gradients: PenaltyGradients::default(),
        })
    }

    /// The mean of `P_g` over the groups, without its weight, and the gradient of
    /// `lambda mean_g P_g`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `params` has another number of features.
    pub fn gradients(&mut self, params: &StandardParams) -> Result<(f64, &PenaltyGradients)> {
        let (d, s) = (params.d_in, params.d_sae);
        if s != self.members.len() {
            return Err(Error::shape("the dictionary", [self.members.len()], [s]));
        }
        if self.pairing == GardenPairing::Redrawn {
            self.members.shuffle(&mut self.rng);
        }
        let out = &mut self.gradients;
        out.d_in = d;
        out.place.resize(s, 0);
        for (place, &j) in self.members.iter().enumerate() {
            out.place[j as usize] = place as u32;
        }
        out.w_enc_t.resize(s * d, 0.0);
        out.w_dec.resize(s * d, 0.0);
        let n_groups = s / GROUP;
        let weight = self.lambda / n_groups as f32;
        let values: Vec<f64> = (
            self.members.par_chunks(GROUP),
            self.involutions.par_chunks(COLOURS * (COLOURS - 1) / 2),
            out.w_enc_t.par_chunks_mut(GROUP * d),
            out.w_dec.par_chunks_mut(GROUP * d),
        )
            .into_par_iter()
            .map(|(members, involutions, g_enc, g_dec)| {
                let group = Group::of(params, members);
                let (value, g_c) = penalty(&group.products(), involutions);
                group.chain(&g_c, weight, g_enc, g_dec);
                value
            })
            .collect();
        // In the order of the groups: the same bits for any number of threads.
        Ok((values.iter().sum::<f64>() / n_groups as f64, out))
    }
}

pub(super) fn check_groups(d_sae: usize) -> Result<()> {
    if d_sae == 0 || !d_sae.is_multiple_of(GROUP) {
        let reason = format!("must be a positive multiple of {GROUP}: groups of 4 blocks of 4");
        return Err(Error::argument("d_sae", d_sae, reason));
    }
    Ok(())
}

/// Entry (r, s) of a 4 x 4 matrix goes with entry (s, r).
const TRANSPOSITION: [u8; ENTRIES] = {
    let mut t = [0; ENTRIES];
    let mut i = 0;
    while i < ENTRIES {
        t[i] = (i % BLOCK * BLOCK + i / BLOCK) as u8;
        i += 1;
    }
    t
};

/// The transposition under a random permutation of the 16 entries: 4 stay, 6 pairs are exchanged.
fn random_involution(rng: &mut ChaCha8Rng) -> [u8; ENTRIES] {
    let mut names: [u8; ENTRIES] = std::array::from_fn(|i| i as u8);
    names.shuffle(rng);
    let mut t = [0; ENTRIES];
    for (from, to) in TRANSPOSITION.iter().enumerate() {
        t[usize::from(names[from])] = names[usize::from(*to)];
    }
    t
}

/// `decoder row a . encoder column b` of a group, `[16][16]`; block (I, J) is `R_I L_J`.
type Products = [[f32; GROUP]; GROUP];

/// A group's unit directions.
struct Group {
    d: usize,
    /// `[16, d_in]` each.
    enc: Vec<f32>,
    dec: Vec<f32>,
    /// Lengths before normalisation.
    enc_norm: [f32; GROUP],
    dec_norm: [f32; GROUP],
}

impl Group {
    fn of(params: &StandardParams, members: &[u32]) -> Self {
        let d = params.d_in;
        let gather = |rows: &[f32]| {
            let (mut unit, mut norms) = (vec![0f32; GROUP * d], [0f32; GROUP]);
            for ((unit, norm), &j) in unit.chunks_exact_mut(d).zip(&mut norms).zip(members) {
                unit.copy_from_slice(&rows[j as usize * d..][..d]);
                *norm = kernels::dot(unit, unit).sqrt();
                kernels::normalise(unit);
            }
            (unit, norms)
        };
        let (enc, enc_norm) = gather(&params.w_enc_t);
        let (dec, dec_norm) = gather(&params.w_dec);
        Self {
            d,
            enc,
            dec,
            enc_norm,
            dec_norm,
        }
    }

    fn products(&self) -> Products {
        let mut c = [[0f32; GROUP]; GROUP];
        for (c, dec) in c.iter_mut().zip(self.dec.chunks_exact(self.d)) {
            for (c, enc) in c.iter_mut().zip(self.enc.chunks_exact(self.d)) {
                *c = kernels::dot(dec, enc);
            }
        }
        c
    }

    /// From `dP/dC` to `weight dP/dW`: `dP/d dec_a = sum_b G_ab enc_b`, `dP/d enc_b = sum_a G_ab dec_a`,
    /// then through `w -> w/|w|`: `(g - (g . u) u)/|w|`.
    fn chain(&self, g_c: &Products, weight: f32, g_enc: &mut [f32], g_dec: &mut [f32]) {
        let d = self.d;
        let all: [u32; GROUP] = std::array::from_fn(|i| i as u32);
        let through = |g: &mut [f32], unit: &[f32], norm: f32| {
            kernels::project(unit, g);
            // A row of zeros has no direction, hence no gradient.
            let scale = if norm == 0.0 { 0.0 } else { weight / norm };
            g.iter_mut().for_each(|g| *g *= scale);
        };
        g_enc.fill(0.0);
        g_dec.fill(0.0);
        for (i, g_row) in g_c.iter().enumerate() {
            let row = i * d..(i + 1) * d;
            kernels::combine(&all, g_row, &self.enc, &mut g_dec[row.clone()]);
            through(
                &mut g_dec[row.clone()],
                &self.dec[row.clone()],
                self.dec_norm[i],
            );
            let column: [f32; GROUP] = std::array::from_fn(|a| g_c[a][i]);
            kernels::combine(&all, &column, &self.dec, &mut g_enc[row.clone()]);
            through(&mut g_enc[row.clone()], &self.enc[row], self.enc_norm[i]);
        }
    }
}

/// `P_g` and its gradient with respect to the products.
///
/// With `T = R_I L_J + R_J L_I` the gradient is 2 T with respect to each of the two products.
fn penalty(c: &Products, involutions: &[[u8; ENTRIES]]) -> (f64, Products) {
    let mut value = 0.0;
    let mut g = [[0f32; GROUP]; GROUP];
    for i in 0..COLOURS {
        for e in 0..ENTRIES {
            let (r, s) = (i * BLOCK + e / BLOCK, i * BLOCK + e % BLOCK);
            let t = c[r][s] - f32::from(u8::from(r == s));
            value += f64::from(t * t);
            g[r][s] = 2.0 * t;
        }
    }
    let pairs = (0..COLOURS).flat_map(|i| (i + 1..COLOURS).map(move |j| (i, j)));
    for ((i, j), involution) in pairs.zip(involutions) {
        for (e, &with) in involution.iter().enumerate() {
            let (r, s) = (i * BLOCK + e / BLOCK, j * BLOCK + e % BLOCK);
            // Entry `with` of (R_J L_I)^T: for the transposition, entry (r, s) of R_J L_I.
            let with = usize::from(with);
            let (p, q) = (j * BLOCK + with % BLOCK, i * BLOCK + with / BLOCK);
            let t = c[r][s] + c[p][q];
            value += f64::from(t * t);
            g[r][s] += 2.0 * t;
            g[p][q] += 2.0 * t;
        }
    }
    (value, g)
}

/// How far the groups of a dictionary are from the garden algebra.
#[derive(Debug, Clone, PartialEq)]
pub struct DictionaryDefect {
    /// `P_g / 40`: the average squared defect of a relation (of 10) and of a row (of 4); 0 where
    /// `R_I L_J + R_J L_I = 2 delta_IJ 1` holds. `[n_groups]`
    pub closure: Vec<f64>,
    /// `mean_{I<J} |(R_I L_J - R_J L_I)/2|^2 / 4`: 1 for a garden representation, 0 for blocks that
    /// are orthogonal to each other: they satisfy the relations because all products are 0. `[n_groups]`
    pub holoraumy: Vec<f64>,
}

impl DictionaryDefect {
    /// The defect of parameters in the layout of training.
    ///
    /// # Errors
    /// As [`garden_defect`].
    pub fn of(params: &StandardParams) -> Result<DictionaryDefect> {
        check_groups(params.d_sae)?;
        let members: Vec<u32> = (0..params.d_sae as u32).collect();
        let by_group: Vec<(f64, f64)> = members
            .par_chunks(GROUP)
            .map(|members| {
                let c = Group::of(params, members).products();
                let (value, _) = penalty(&c, &[TRANSPOSITION; COLOURS * (COLOURS - 1) / 2]);
                (value / (10.0 * BLOCK as f64), holoraumy_size(&c))
            })
            .collect();
        let (closure, holoraumy) = by_group.into_iter().unzip();
        Ok(DictionaryDefect { closure, holoraumy })
    }

    /// The closure defect, averaged over the groups.
    pub fn mean_closure(&self) -> f64 {
        self.closure.iter().sum::<f64>() / self.closure.len() as f64
    }

    /// The size of the holoraumy, averaged over the groups.
    pub fn mean_holoraumy(&self) -> f64 {
        self.holoraumy.iter().sum::<f64>() / self.holoraumy.len() as f64
    }
}

/// The garden defect of each group of 16 features of a dictionary, in their order, at unit lengths.
///
/// # Errors
/// [`Error::Argument`] when the number of features is not a positive multiple of 16.
pub fn garden_defect(sae: &dyn SparseAutoencoder) -> Result<DictionaryDefect> {
    DictionaryDefect::of(&StandardParams {
        d_in: sae.d_in(),
        d_sae: sae.d_sae(),
        w_enc_t: sae.w_enc().t()?.flatten_all()?.to_vec1()?,
        w_dec: sae.w_dec().flatten_all()?.to_vec1()?,
        b_enc: Vec::new(),
        b_dec: Vec::new(),
    })
}

fn holoraumy_size(c: &Products) -> f64 {
    let mut sum = 0.0;
    for i in 0..COLOURS {
        for j in i + 1..COLOURS {
            for e in 0..ENTRIES {
                let (r, s) = (e / BLOCK, e % BLOCK);
                let half =
                    (c[i * BLOCK + r][j * BLOCK + s] - c[j * BLOCK + r][i * BLOCK + s]) / 2.0;
                sum += f64::from(half * half);
            }
        }
    }
    sum / (6.0 * BLOCK as f64)
}

#[cfg(test)]
mod tests;
