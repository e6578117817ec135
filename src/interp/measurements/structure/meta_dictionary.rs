//! A sparse dictionary of given rows: each row as a sum of at most k atoms with positive weights.
//! Codes by matching pursuit and coordinate descent, atoms by the approximate K-SVD update in turn.
//! Source: Mallat and Zhang 1993; Aharon, Elad and Bruckstein 2006; Rubinstein, Zibulevsky and Elad 2008.

use crate::error::Result;
use crate::linear_algebra::{RealMatrix, dot};
use crate::show::Interrupts;
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

/// Rows of one product: bounds the memory of `[rows, n_atoms]`.
const BLOCK: usize = 512;
/// Passes over a row's atoms that fit their weights to each other.
const SWEEPS: usize = 10;

/// Atoms and what each row takes of them.
pub(super) struct MetaDictionary {
    /// Unit length. `[n_atoms, d]`
    pub atoms: RealMatrix,
    /// Atom and weight, above 0. `[rows]`
    pub codes: Vec<Vec<(usize, f64)>>,
}

impl MetaDictionary {
    /// Fits `n_atoms` atoms to rows, at most `k` of them a row; begins from rows drawn by `seed`.
    pub(super) fn fit(
        rows: &RealMatrix,
        n_atoms: usize,
        k: usize,
        n_steps: usize,
        seed: u64,
    ) -> Result<Self> {
        let interrupts = Interrupts::listen();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let drawn = index::sample(&mut rng, rows.n_rows(), n_atoms.min(rows.n_rows())).into_vec();
        let mut atoms = rows.select(&drawn);
        (0..atoms.n_rows()).for_each(|j| normalise(atoms.row_mut(j)));
        let mut codes = encode(rows, &atoms, k)?;
        for _ in 0..n_steps {
            interrupts.check("the meta structure")?;
            update_atoms(rows, &mut atoms, &codes);
            codes = encode(rows, &atoms, k)?;
        }
        Ok(Self { atoms, codes })
    }

    /// What is left of a row.
    pub(super) fn residual(&self, rows: &RealMatrix, i: usize) -> Vec<f64> {
        residual(rows.row(i), &self.atoms, &self.codes[i])
    }
}

fn normalise(v: &mut [f64]) {
    let norm = dot(v, v).sqrt();
    if norm > 0.0 {
        v.iter_mut().for_each(|x| *x /= norm);
    }
}

fn residual(row: &[f64], atoms: &RealMatrix, code: &[(usize, f64)]) -> Vec<f64> {
    let mut left = row.to_vec();
    for (j, weight) in code {
        for (l, a) in left.iter_mut().zip(atoms.row(*j)) {
            *l -= weight * a;
        }
    }
    left
}

/// The codes of all rows: one atom more in each of k rounds, that of largest product with what is left.
fn encode(rows: &RealMatrix, atoms: &RealMatrix, k: usize) -> Result<Vec<Vec<(usize, f64)>>> {
    let mut codes = vec![Vec::new(); rows.n_rows()];
    let all: Vec<usize> = (0..rows.n_rows()).collect();
    for block in all.chunks(BLOCK) {
        let mut left = rows.select(block);
        for _ in 0..k {
            let products = left.times_transposed(atoms); // [block, n_atoms]
            for (b, &i) in block.iter().enumerate() {
                let code: &mut Vec<(usize, f64)> = &mut codes[i];
                let free = products.row(b).iter().enumerate();
                let best = free
                    .filter(|(j, p)| **p > 1e-12 && code.iter().all(|(taken, _)| taken != j))
                    .max_by(|x, y| x.1.total_cmp(y.1).then(y.0.cmp(&x.0)));
                let Some((j, product)) = best else { continue };
                code.push((j, *product));
                fit_weights(rows.row(i), atoms, code);
                left.row_mut(b)
                    .copy_from_slice(&residual(rows.row(i), atoms, code));
            }
        }
    }
    codes
        .iter_mut()
        .for_each(|code| code.retain(|(_, weight)| *weight > 0.0));
    Ok(codes)
}

/// Least squares over weights of at least 0, by coordinate descent.
fn fit_weights(row: &[f64], atoms: &RealMatrix, code: &mut [(usize, f64)]) {
    let mut left = residual(row, atoms, code);
    for _ in 0..SWEEPS {
        for (j, weight) in code.iter_mut() {
            let atom = atoms.row(*j);
            let next = (*weight + dot(&left, atom)).max(0.0);
            for (l, a) in left.iter_mut().zip(atom) {
                *l -= (next - *weight) * a;
            }
            *weight = next;
        }
    }
}

/// Each atom becomes the direction of what its rows have left without it; one that no row takes becomes
/// the row that is explained worst.
fn update_atoms(rows: &RealMatrix, atoms: &mut RealMatrix, codes: &[Vec<(usize, f64)>]) {
    let mut takers = vec![Vec::new(); atoms.n_rows()];
    let mut left = RealMatrix::zeros(rows.n_rows(), rows.n_columns());
    for (i, code) in codes.iter().enumerate() {
        code.iter()
            .for_each(|(j, weight)| takers[*j].push((i, *weight)));
        left.row_mut(i)
            .copy_from_slice(&residual(rows.row(i), atoms, code));
    }
    let size = |left: &RealMatrix, i: usize| dot(left.row(i), left.row(i));
    let mut worst: Vec<usize> = (0..rows.n_rows()).collect();
    worst.sort_by(|a, b| size(&left, *b).total_cmp(&size(&left, *a)));
    let mut worst = worst.into_iter();
    for (j, taken) in takers.iter().enumerate() {
        if taken.is_empty() {
            if let Some(i) = worst.next() {
                atoms.row_mut(j).copy_from_slice(rows.row(i));
                normalise(atoms.row_mut(j));
            }
            continue;
        }
        let old = atoms.row(j).to_vec();
        let mut next = vec![0.0; atoms.n_columns()];
        for (i, weight) in taken {
            for ((n, l), a) in next.iter_mut().zip(left.row(*i)).zip(&old) {
                *n += weight * (l + weight * a);
            }
        }
        normalise(&mut next);
        for (i, weight) in taken {
            for ((l, a), n) in left.row_mut(*i).iter_mut().zip(&old).zip(&next) {
                *l += weight * (a - n);
            }
        }
        atoms.row_mut(j).copy_from_slice(&next);
    }
}
