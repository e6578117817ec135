//! Chromotopologies: the N-cube divided by an even binary code, without signs or heights.
//! A node is a coset of words, a boson when their weights are even; an edge of colour I flips bit
//! I; 2^(N - k - 1) bosons and as many fermions.
//! Source: Doran, Faux, Gates, Huebsch, Iga, Landweber and Miller, arXiv:0806.0050.

use crate::error::{Error, Result};
use crate::show::shows_itself;
use crate::susy::BinaryCode;
use std::fmt;

/// The quotient of the N-cube by an even code.
///
/// ```
/// use holoscope::susy::Chromotopology;
/// let square = Chromotopology::new(&"1111".parse()?)?;
/// assert_eq!((square.d(), square.n_colours()), (4, 4));
/// # Ok::<(), holoscope::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chromotopology {
    code: BinaryCode,
    /// Representatives of even weight, increasing: boson `b` is the coset of `bosons[b]`.
    pub(in crate::susy) bosons: Vec<u32>,
    /// Representatives of odd weight, likewise.
    pub(in crate::susy) fermions: Vec<u32>,
    /// `[n, d]`: the fermion at the other end of a boson's edge of each colour.
    pub(in crate::susy) fermion_of: Vec<Vec<u32>>,
    /// `[n, d]`: the boson at the other end of a fermion's edge of each colour.
    pub(in crate::susy) boson_of: Vec<Vec<u32>>,
}

impl Chromotopology {
    /// Divides the cube of N colours by a code of length N.
    ///
    /// # Errors
    /// A code with a word of odd weight, which would make bosons fermions.
    pub fn new(code: &BinaryCode) -> Result<Self> {
        if let Some(word) = code.generators().iter().find(|g| g.count_ones() % 2 == 1) {
            let reason = format!(
                "the word {} has odd weight, so bosons and fermions would be the same nodes",
                code.spelled(*word)
            );
            return Err(Error::argument("code", code, reason));
        }
        let (n, pivots) = (code.length(), code.pivots());
        let (mut bosons, mut fermions) = (Vec::new(), Vec::new());
        // The number of a representative among the nodes of its kind.
        let mut number = vec![0u32; 1 << n];
        for word in (0..1u32 << n).filter(|w| w & pivots == 0) {
            let nodes = match word.count_ones() % 2 {
                0 => &mut bosons,
                _ => &mut fermions,
            };
            number[word as usize] = nodes.len() as u32;
            nodes.push(word);
        }
        let ends = |nodes: &[u32]| -> Vec<Vec<u32>> {
            let end = |w: &u32, i: usize| number[code.reduce(w ^ (1u32 << i)) as usize];
            (0..n)
                .map(|i| nodes.iter().map(|w| end(w, i)).collect())
                .collect()
        };
        Ok(Self {
            fermion_of: ends(&bosons),
            boson_of: ends(&fermions),
            code: code.clone(),
            bosons,
            fermions,
        })
    }

    /// The code that the cube was divided by.
    pub fn code(&self) -> BinaryCode {
        self.code.clone()
    }

    /// Number of colours, N.
    pub fn n_colours(&self) -> usize {
        self.code.length()
    }

    /// Number of bosons, `2^(N - k - 1)`, which is the number of fermions.
    pub fn d(&self) -> usize {
        self.bosons.len()
    }

    /// "4-cube", "8-cube over the [8, 4] code".
    pub(in crate::susy) fn name(&self) -> String {
        let (n, k) = (self.n_colours(), self.code.dimension());
        match k {
            0 => format!("{n}-cube"),
            _ => format!("{n}-cube over the [{n}, {k}] code"),
        }
    }

    /// The words that stand for the bosons and for the fermions.
    pub fn representatives(&self) -> [Vec<u32>; 2] {
        [self.bosons.clone(), self.fermions.clone()]
    }
}

/// The least number of bosons of an adinkra with N colours, `2^(N - k - 1)` for the largest k.
///
/// # Errors
/// N outside 1..=16.
///
/// ```
/// use holoscope::susy::smallest_d;
/// assert_eq!(smallest_d(8)?, 8);
/// assert_eq!(smallest_d(9)?, 16);
/// # Ok::<(), holoscope::Error>(())
/// ```
pub fn smallest_d(n_colours: usize) -> Result<usize> {
    let code = BinaryCode::largest_doubly_even(n_colours)?;
    Ok(1 << (n_colours - code.dimension() - 1))
}

impl fmt::Display for Chromotopology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())?;
        if self.code.dimension() > 0 {
            write!(f, " {}", self.code)?;
        }
        write!(f, ": N = {}, d = {}", self.n_colours(), self.d())
    }
}

shows_itself!(Chromotopology as text);
