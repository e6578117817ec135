//! The distinct holoraumy sets of a whole space, each matrix as a small integer: axis and sign.
//! `Tr(V W) = -d`, `d` or 0 for equal, opposite and different axes.
//! Source: arXiv:1701.00304: 96 sets for GR(4, 4), each carried by 384 adinkras.

use crate::error::{Error, Result};
use crate::show::shows_itself;
use crate::susy::{GardenSpace, Holoraumy, Sector, SignedPermutation};
use std::collections::HashMap;
use std::fmt;

/// The holoraumy of a whole space, each matrix as a small integer.
///
/// Antisymmetric signed permutations of size 2 and 4 are, up to sign, 1 and 6 axes that are
/// orthogonal under the trace, so `Tr(V W)` is `-d` for equal, `d` for opposite and 0 for
/// different axes: a matrix is its axis and its sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoloraumyClasses {
    /// Bosonic or fermionic.
    pub sector: Sector,
    pub(in crate::susy) n_colours: usize,
    /// The matrices that occur, one of each pair `m`, `-m`.
    pub(in crate::susy) axes: Vec<SignedPermutation>,
    /// For each set, for each pair of colours I < J: `2 (index of the axis) + (1 if negative)`.
    pub(in crate::susy) codes: Vec<u8>,
    /// For each set: which of the distinct holoraumy sets it carries.
    pub(in crate::susy) class_of: Vec<u32>,
    /// How many sets carry each distinct holoraumy set.
    pub sizes: Vec<u64>,
}

impl GardenSpace {
    /// The holoraumy of every set in one sector, coded by the axes that its matrices lie along.
    ///
    /// # Errors
    /// Fewer than two colours: there is no pair.
    pub fn holoraumy_classes(&self, sector: Sector) -> Result<HoloraumyClasses> {
        if self.n_colours() < 2 {
            return Err(Error::argument(
                "n",
                self.n_colours(),
                "holoraumy needs two colours",
            ));
        }
        HoloraumyClasses::of(self, sector)
    }
}

impl HoloraumyClasses {
    fn of(space: &GardenSpace, sector: Sector) -> Result<Self> {
        let (n, order) = (space.n_colours(), space.group.len());
        let pairs: Vec<(usize, usize)> = (0..n)
            .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
            .collect();
        let mut axes: Vec<SignedPermutation> = Vec::new();
        // What a pair of group elements gives is asked for many times; u8::MAX: not yet asked.
        let mut known = vec![u8::MAX; order * order];
        let mut codes = Vec::with_capacity(space.len() * pairs.len());
        let mut ids: HashMap<u64, u32> = HashMap::new();
        let (mut class_of, mut sizes) = (Vec::with_capacity(space.len()), Vec::new());
        for set in space.members.chunks_exact(n) {
            let mut key = 0u64;
            for &(i, j) in &pairs {
                let (a, b) = (usize::from(set[i]), usize::from(set[j]));
                let code = &mut known[a * order + b];
                if *code == u8::MAX {
                    let (a, b) = (&space.group[a], &space.group[b]);
                    *code = code_of(&mut axes, sector.product(a, b))?;
                }
                codes.push(*code);
                key = key << 8 | u64::from(*code);
            }
            let id = *ids.entry(key).or_insert_with(|| {
                sizes.push(0);
                sizes.len() as u32 - 1
            });
            sizes[id as usize] += 1;
            class_of.push(id);
        }
        Ok(Self {
            sector,
            n_colours: n,
            axes,
            codes,
            class_of,
            sizes,
        })
    }

    /// Number of distinct holoraumy sets.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// True for a space without sets.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// The matrices that occur, one of each pair `m`, `-m`: the alphas and betas for GR(4, 4).
    pub fn axes(&self) -> Vec<SignedPermutation> {
        self.axes.clone()
    }

    /// For each set of the space: which of the distinct holoraumy sets it carries, from 0.
    pub fn class_of(&self) -> Vec<u32> {
        self.class_of.clone()
    }

    /// Pairs of colours I < J.
    pub fn n_pairs(&self) -> usize {
        self.n_colours * (self.n_colours - 1) / 2
    }

    /// The matrices that one set carries.
    ///
    /// # Errors
    /// An index beyond the last set.
    pub fn holoraumy(&self, index: usize) -> Result<Holoraumy> {
        let Some(codes) = self.codes.chunks_exact(self.n_pairs()).nth(index) else {
            let reason = format!("the space has {} sets", self.class_of.len());
            return Err(Error::argument("index", index, reason));
        };
        let matrix = |code: &u8| {
            let axis = self.axes[usize::from(code / 2)];
            if code % 2 == 1 { -axis } else { axis }
        };
        Ok(Holoraumy {
            name: format!("#{index}"),
            sector: self.sector,
            n_colours: self.n_colours,
            matrices: codes.iter().map(matrix).collect(),
        })
    }
}

/// The code of a matrix along the axes seen so far, to which a new axis is added.
fn code_of(axes: &mut Vec<SignedPermutation>, matrix: SignedPermutation) -> Result<u8> {
    for (k, axis) in axes.iter().enumerate() {
        if *axis == matrix || *axis == -matrix {
            return Ok(2 * k as u8 + u8::from(*axis != matrix));
        }
        if axis.times(&matrix).trace() != 0 {
            return Err(Error::argument(
                "holoraumy matrix",
                matrix,
                format!("lies neither along {axis} nor across it"),
            ));
        }
    }
    axes.push(matrix);
    Ok(2 * (axes.len() as u8 - 1))
}

impl fmt::Display for HoloraumyClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (distinct, sector, sets) = (self.len(), self.sector, self.class_of.len());
        write!(
            f,
            "{distinct} distinct {sector} holoraumy sets, carried by {sets} adinkras"
        )
    }
}

shows_itself!(HoloraumyClasses as text);
