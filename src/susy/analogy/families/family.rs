//! Families of maps: N colours `L_I` [d, k] (bosons from fermions) and `R_I` [k, d], and the changes
//! of basis that leave what a network computes alone, so that no statement may depend on them.
//! Rows are vectors, as in the model: x in R^d is a row, `x L_I` lies in R^k. Source: ours.

use crate::error::{Error, Result};
use crate::linear_algebra::{SingularValues, require_full_rank};
use crate::show::shows_itself;
use crate::susy::GardenMultiplet;
use crate::susy::analogy::RealMatrix;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt;

/// Which changes of basis leave the function alone. O, in O(d), always acts on all colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gauge {
    /// One latent space for all colours, whose basis is arbitrary:
    /// `L_I -> O L_I B`, `R_I -> B^T R_I O^T`, one B in O(k).
    Common,
    /// Heads of a layer, each with its own latent space:
    /// `L_I -> O L_I A_I`, `R_I -> A_I^-1 R_I O^T`, A_I in GL(k).
    PerColour,
    /// The two sides of one head, N = 2, one latent space: `L_1 -> O L_1 A`,
    /// `L_2 -> O L_2 A^-T`, A in GL(k); `R_I = L_I^T`.
    Contragredient,
    /// The two sides of an MLP, N = 2: `L_1 -> O L_1 S P`, `L_2 -> O L_2 S^-1 P` with one
    /// permutation P of the hidden units and, for ReLU (`scales`), positive S; `R_I = L_I^T`.
    HiddenUnits { scales: bool },
    /// Blocks of dictionary features: `L_I -> O L_I S_I P_I`, `R_I -> P_I^T S_I^-1 R_I O^T`, a
    /// permutation P_I and positive scales S_I for each block.
    Features,
}

/// Which map of a colour gives its directions in R^d.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The columns of `L_I`: what is read.
    Read,
    /// The rows of `R_I`: what is written.
    Write,
}

/// N colours of maps between R^d and R^k.
///
/// ```
/// use holoscope::susy::{analogy::{Family, Gauge}, chiral};
/// let family = Family::from_multiplet(&chiral(), 2, Gauge::Common)?;
/// assert_eq!((family.n_colours(), family.d(), family.k()), (4, 8, 8));
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// Where it comes from, for example "layer 0 heads".
    pub name: String,
    pub(in crate::susy::analogy) l: Vec<RealMatrix>,
    pub(in crate::susy::analogy) r: Vec<RealMatrix>,
    pub(in crate::susy::analogy) gauge: Gauge,
}

impl Family {
    /// A family of `L_I` `[d, k]` and `R_I` `[k, d]`.
    ///
    /// # Errors
    /// [`Error::Shape`] for other shapes or numbers; [`Error::Argument`] for no colour, an empty
    /// matrix, or a gauge that needs two colours with `R_I = L_I^T` and a family without.
    pub fn new(name: &str, l: Vec<RealMatrix>, r: Vec<RealMatrix>, gauge: Gauge) -> Result<Self> {
        let Some([d, k]) = l.first().map(RealMatrix::shape) else {
            return Err(Error::argument(
                "N",
                0,
                "a family needs at least one colour",
            ));
        };
        if d == 0 || k == 0 {
            return Err(Error::argument(
                "[d, k]",
                format!("[{d}, {k}]"),
                "must not be empty",
            ));
        }
        if l.len() != r.len() {
            return Err(Error::shape("R (colours)", [l.len()], [r.len()]));
        }
        for (i, (left, right)) in l.iter().zip(&r).enumerate() {
            if left.shape() != [d, k] {
                return Err(Error::shape(format!("L_{}", i + 1), [d, k], left.shape()));
            }
            if right.shape() != [k, d] {
                return Err(Error::shape(format!("R_{}", i + 1), [k, d], right.shape()));
            }
        }
        let in_out = matches!(gauge, Gauge::Contragredient | Gauge::HiddenUnits { .. });
        if in_out && (l.len() != 2 || l.iter().zip(&r).any(|(l, r)| l.transpose() != *r)) {
            return Err(Error::argument(
                "gauge",
                format!("{gauge:?}"),
                "needs two colours with R_I = L_I^T",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            l,
            r,
            gauge,
        })
    }

    /// A family with `R_I = L_I^T`; errors as for [`Family::new`].
    pub fn with_transposes(name: &str, l: Vec<RealMatrix>, gauge: Gauge) -> Result<Self> {
        let r = l.iter().map(RealMatrix::transpose).collect();
        Self::new(name, l, r, gauge)
    }

    /// The in-out pair of a map `M = w_in w_out` through a latent space: `L_1 = w_in` `[d, k]`,
    /// `L_2 = w_out^T`, so that `L_1 R_2 = M`; errors as for [`Family::new`].
    pub fn in_out(name: &str, w_in: RealMatrix, w_out: &RealMatrix, gauge: Gauge) -> Result<Self> {
        Self::with_transposes(name, vec![w_in, w_out.transpose()], gauge)
    }

    /// The matrices of a multiplet, each entry times the identity of size `copies`: d and k are
    /// `copies` times the multiplet's d.
    ///
    /// # Errors
    /// No copies, and those of [`Family::new`].
    pub fn from_multiplet(
        multiplet: &GardenMultiplet,
        copies: usize,
        gauge: Gauge,
    ) -> Result<Self> {
        let dense = |s| RealMatrix::from_signed_permutation(s).kronecker_identity(copies);
        Self::with_transposes(
            &multiplet.name,
            multiplet.l.iter().map(dense).collect(),
            gauge,
        )
    }

    /// Number of colours, N.
    pub fn n_colours(&self) -> usize {
        self.l.len()
    }

    /// Width of the space of bosons: the residual stream.
    pub fn d(&self) -> usize {
        self.l[0].n_rows()
    }

    /// Width of the space of fermions: the latent space.
    pub fn k(&self) -> usize {
        self.l[0].n_columns()
    }

    /// `L_1` to `L_N`, each `[d, k]`.
    pub fn l(&self) -> &[RealMatrix] {
        &self.l
    }

    /// `R_1` to `R_N`, each `[k, d]`.
    pub fn r(&self) -> &[RealMatrix] {
        &self.r
    }

    /// What may be changed without changing the function.
    pub fn gauge(&self) -> Gauge {
        self.gauge
    }

    /// The maps R^d to R^d that no gauge but O changes: `L_I R_I` of every head or block,
    /// `L_1 R_2` of an in-out pair.
    pub fn maps(&self) -> Vec<RealMatrix> {
        match self.gauge {
            Gauge::Contragredient | Gauge::HiddenUnits { .. } => {
                vec![self.l[0].times(&self.r[1])]
            }
            _ => self
                .l
                .iter()
                .zip(&self.r)
                .map(|(l, r)| l.times(r))
                .collect(),
        }
    }

    /// The `U_I` `[d, k]` in which the algebra is asked for: isometries, or unit columns.
    ///
    /// * [`Gauge::Common`], [`Gauge::PerColour`]: the polar factor, the nearest isometry. With
    ///   `L = U P`, P positive, `O L A = O U (P A)` and the polar factor of `P A` is some B in
    ///   O(k), so GL(k) is left as O(k): `U_I -> O U_I B_I` (one B for the common gauge, where
    ///   `A = B`).
    /// * [`Gauge::Contragredient`]: polar factors of `L_1 A` and `L_2 A^-T` turn by *different* B,
    ///   so the pair is balanced first, `L_1^T L_1 = L_2^T L_2`, which leaves one B in O(k) for both:
    ///   with `M = L_1 L_2^T = X S Y^T` the balanced pair is `X S^(1/2) B`, `Y S^(1/2) B`, of
    ///   polar factors `X B`, `Y B`; B = 1 is returned. Equal singular values leave a B, too.
    /// * [`Gauge::HiddenUnits`]: with `scales`, columns are scaled until `|in| = |out|`, which undoes
    ///   S; then, for k >= d, the nearest co-isometry (`U U^T = 1`), `(L L^T)^(-1/2) L`, which
    ///   commutes with permutations of columns: `U_I -> O U_I P`. For k < d the nearest isometry.
    /// * [`Gauge::Features`]: unit columns, which undoes the scales; `U_I -> O U_I P_I`.
    ///
    /// # Errors
    /// A map without full rank, or a feature of length 0.
    pub fn directions(&self, side: Side) -> Result<Vec<RealMatrix>> {
        let of: Vec<RealMatrix> = match side {
            Side::Read => self.l.clone(),
            Side::Write => self.r.iter().map(RealMatrix::transpose).collect(),
        };
        match self.gauge {
            Gauge::Common | Gauge::PerColour => of.iter().map(RealMatrix::polar_factor).collect(),
            Gauge::Contragredient => {
                let [x, y] = balanced(&self.l)?;
                Ok(vec![x, y])
            }
            Gauge::HiddenUnits { scales } => {
                let of = if scales { equal_lengths(&of)? } else { of };
                of.iter().map(RealMatrix::polar_factor).collect()
            }
            Gauge::Features => of.iter().map(unit_columns).collect(),
        }
    }

    /// The family after a random change of gauge, drawn from `seed`: O and B by Haar's measure,
    /// A with singular values between 1/2 and 2, scales likewise, permutations uniformly.
    ///
    /// No quantity of this module changes; the property tests say so.
    pub fn in_random_gauge(&self, seed: u64) -> Family {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (d, k, n) = (self.d(), self.k(), self.n_colours());
        let o = RealMatrix::haar(d, d, &mut rng);
        let latent: Vec<[RealMatrix; 2]> = match self.gauge {
            Gauge::Common => {
                let b = RealMatrix::haar(k, k, &mut rng);
                vec![[b.clone(), b]; n]
            }
            Gauge::PerColour => (0..n).map(|_| general(k, &mut rng)).collect(),
            Gauge::Contragredient => {
                let [a, dual] = general(k, &mut rng);
                vec![[a.clone(), a], [dual.clone(), dual]]
            }
            Gauge::HiddenUnits { scales } => {
                let [a, dual] = monomial(k, scales, &mut rng);
                vec![[a.clone(), a], [dual.clone(), dual]]
            }
            Gauge::Features => (0..n).map(|_| monomial(k, true, &mut rng)).collect(),
        };
        let turned = |w: &RealMatrix, a: &RealMatrix| o.times(&w.times(a));
        let l: Vec<RealMatrix> = self
            .l
            .iter()
            .zip(&latent)
            .map(|(l, a)| turned(l, &a[0]))
            .collect();
        let r = match self.gauge {
            Gauge::Contragredient | Gauge::HiddenUnits { .. } => {
                l.iter().map(RealMatrix::transpose).collect()
            }
            _ => {
                let r = self.r.iter().zip(&latent);
                r.map(|(r, a)| turned(&r.transpose(), &a[1]).transpose())
                    .collect()
            }
        };
        Family {
            name: self.name.clone(),
            l,
            r,
            gauge: self.gauge,
        }
    }

    /// An error unless the colours share one latent space.
    pub(in crate::susy::analogy) fn require_shared_latent(&self, what: &'static str) -> Result<()> {
        match self.gauge {
            Gauge::Common | Gauge::Contragredient | Gauge::HiddenUnits { .. } => Ok(()),
            _ => Err(Error::argument(
                what,
                format!("{:?}", self.gauge),
                "needs colours that share one latent space",
            )),
        }
    }

    /// An error unless there are at least two colours.
    pub(in crate::susy::analogy) fn require_pairs(&self) -> Result<()> {
        if self.n_colours() >= 2 {
            return Ok(());
        }
        Err(Error::argument(
            "N",
            self.n_colours(),
            "needs a pair of colours",
        ))
    }
}

/// X and Y of `L_1 L_2^T = X S Y^T` for the k nonzero singular values, from the small matrix
/// `S_1 Y_1^T Y_2 S_2` between the bases of `L_1 = X_1 S_1 Y_1^T` and `L_2`.
fn balanced(l: &[RealMatrix]) -> Result<[RealMatrix; 2]> {
    let [first, second] = [l[0].singular_values()?, l[1].singular_values()?];
    require_full_rank(&first.values)?;
    require_full_rank(&second.values)?;
    let small = first.right.scaled_columns(&first.values).transpose();
    let small = small.times(&second.right.scaled_columns(&second.values));
    let SingularValues {
        left,
        values,
        right,
    } = small.singular_values()?;
    require_full_rank(&values)?;
    Ok([first.left.times(&left), second.left.times(&right)])
}

/// Columns of the two scaled by s and 1/s until they are as long as each other.
fn equal_lengths(l: &[RealMatrix]) -> Result<Vec<RealMatrix>> {
    let (a, b) = (l[0].column_norms(), l[1].column_norms());
    if a.iter().chain(&b).any(|x| *x == 0.0) {
        return Err(Error::argument("hidden unit", 0, "one has length 0"));
    }
    let scales: Vec<f64> = a.iter().zip(&b).map(|(a, b)| (b / a).sqrt()).collect();
    let inverse: Vec<f64> = scales.iter().map(|s| 1.0 / s).collect();
    Ok(vec![
        l[0].scaled_columns(&scales),
        l[1].scaled_columns(&inverse),
    ])
}

pub(in crate::susy::analogy) fn unit_columns(w: &RealMatrix) -> Result<RealMatrix> {
    let norms = w.column_norms();
    if let Some(j) = norms.iter().position(|x| *x == 0.0) {
        return Err(Error::argument("feature of the block", j, "has length 0"));
    }
    let inverse: Vec<f64> = norms.iter().map(|x| 1.0 / x).collect();
    Ok(w.scaled_columns(&inverse))
}

/// A random A of GL(k) and `A^-T`: `X S Y^T` and `X S^-1 Y^T`.
fn general(k: usize, rng: &mut ChaCha8Rng) -> [RealMatrix; 2] {
    let (x, y) = (RealMatrix::haar(k, k, rng), RealMatrix::haar(k, k, rng));
    let s = scales(k, rng);
    let inverse: Vec<f64> = s.iter().map(|s| 1.0 / s).collect();
    let y = y.transpose();
    [s, inverse].map(|s| x.scaled_columns(&s).times(&y))
}

/// A random `S P` and `S^-1 P` (S = 1 without scales).
fn monomial(k: usize, scaled: bool, rng: &mut ChaCha8Rng) -> [RealMatrix; 2] {
    let mut order: Vec<usize> = (0..k).collect();
    order.shuffle(rng);
    let s = if scaled { scales(k, rng) } else { vec![1.0; k] };
    let inverse: Vec<f64> = s.iter().map(|s| 1.0 / s).collect();
    let one = RealMatrix::identity(k);
    [s, inverse].map(|s| one.scaled_columns(&s).permuted_columns(&order))
}

fn scales(k: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..k)
        .map(|_| 2f64.powf(rng.random_range(-1.0..1.0)))
        .collect()
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, k) = (self.n_colours(), self.d(), self.k());
        write!(
            f,
            "{}: N = {n} colours, d = {d}, k = {k}, gauge {:?}",
            self.name, self.gauge
        )
    }
}

shows_itself!(Family as text);
