//! How many doubly even codes of length N there are, labelled: by formula and by listing them.
//! On even words `q(w) = wt(w)/2 mod 2` is a quadratic form, and doubly even codes are its totally
//! singular subspaces; chains of these are counted point by point and divided by flags.
//! Source: Gaborit, IEEE Trans. Inf. Theory 42 (1996) 1222, for mass formulas of this kind.

use super::binary_code::MAX_LENGTH;
use crate::error::{Error, Result};
use crate::show::shows_itself;
use crate::susy::BinaryCode;
use std::fmt;

/// Longest code whose doubly even codes are walked through one by one (1.2 million).
const MAX_WALK: usize = 12;
/// Longest code whose doubly even codes are returned as a list (19,381).
const MAX_LIST: usize = 10;

/// Labelled doubly even codes of one length, by dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeCounts {
    /// N.
    pub length: usize,
    /// Entry k: how many have dimension k.
    pub by_dimension: Vec<u64>,
}

impl CodeCounts {
    /// Number of codes of every dimension.
    pub fn total(&self) -> u64 {
        self.by_dimension.iter().sum()
    }
}

/// Counts them by the formula, N = 1 to 16.
///
/// ```
/// use holoscope::susy::doubly_even_counts;
/// assert_eq!(doubly_even_counts(8)?.by_dimension, [1, 71, 455, 345, 30]);
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// A length outside 1..=16.
pub fn doubly_even_counts(length: usize) -> Result<CodeCounts> {
    check(length, MAX_LENGTH)?;
    let form = Form::of_even_words(length);
    let by_dimension = (0..=length / 2).map(|k| {
        if !length.is_multiple_of(4) || k == 0 {
            return form.subspaces(k);
        }
        // The word 1...1 is singular and orthogonal to everything. Codes with it are subspaces of
        // the quotient by it; each k-dimensional one there lifts to 2^k codes without it.
        form.subspaces(k - 1) + (form.subspaces(k) << k)
    });
    let mut by_dimension: Vec<u64> = by_dimension.map(|n| n as u64).collect();
    while by_dimension.last() == Some(&0) {
        by_dimension.pop();
    }
    Ok(CodeCounts {
        length,
        by_dimension,
    })
}

/// Counts them by walking through all of them, N = 1 to 12.
///
/// # Errors
/// A length outside 1..=12.
pub fn doubly_even_counts_by_walk(length: usize) -> Result<CodeCounts> {
    check(length, MAX_WALK)?;
    let mut by_dimension = vec![0; length / 2 + 1];
    walk(length, &mut |generators| {
        by_dimension[generators.len()] += 1
    });
    while by_dimension.last() == Some(&0) {
        by_dimension.pop();
    }
    Ok(CodeCounts {
        length,
        by_dimension,
    })
}

/// Every doubly even code, each once, N = 1 to 10.
///
/// # Errors
/// A length outside 1..=10.
pub fn doubly_even_codes(length: usize) -> Result<Vec<BinaryCode>> {
    check(length, MAX_LIST)?;
    let mut all = Vec::new();
    walk(length, &mut |generators| all.push(generators.to_vec()));
    all.iter()
        .map(|words| BinaryCode::new(length, words))
        .collect()
}

fn check(length: usize, longest: usize) -> Result<()> {
    if (1..=longest).contains(&length) {
        return Ok(());
    }
    let reason = format!("must be 1 to {longest}");
    Err(Error::argument("length", length, reason))
}

/// Visits the reduced echelon form of every doubly even code, highest pivot first.
fn walk(length: usize, visit: &mut dyn FnMut(&[u32])) {
    let candidates: Vec<u32> = (1..1u32 << length)
        .filter(|w| w.count_ones().is_multiple_of(4))
        .collect();
    extend(&mut Vec::new(), &candidates, visit);
}

/// `candidates`: the words that may join `generators`, orthogonal to all and 0 at their pivots.
fn extend(generators: &mut Vec<u32>, candidates: &[u32], visit: &mut dyn FnMut(&[u32])) {
    visit(generators);
    for &word in candidates {
        let pivot = word & word.wrapping_neg();
        // In reduced form the pivot is lower than all before and stands in no other generator.
        let fits = |w: u32| {
            (w & w.wrapping_neg()) < pivot
                && w & pivot == 0
                && (w & word).count_ones().is_multiple_of(2)
        };
        let rest: Vec<u32> = candidates.iter().copied().filter(|&w| fits(w)).collect();
        generators.push(word);
        extend(generators, &rest, visit);
        generators.pop();
    }
}

/// A nondegenerate quadratic form over GF(2), up to equivalence, by its rank 2 r or 2 r + 1.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// Sum of r hyperbolic planes.
    Plus(u32),
    /// r - 1 hyperbolic planes and an elliptic one.
    Minus(u32),
    /// Rank 2 r + 1: its singular vectors are those of a symplectic space of dimension 2 r.
    Odd(u32),
}

impl Form {
    /// `wt/2` on the even words, divided by the word 1...1 where that is singular (N = 0 mod 4).
    /// Which of the two types of even rank it is repeats with period 8 in N.
    fn of_even_words(length: usize) -> Self {
        let n = length as u32;
        match n % 8 {
            1 | 7 => Form::Plus((n - 1) / 2),
            3 | 5 => Form::Minus((n - 1) / 2),
            0 => Form::Plus((n - 2) / 2),
            4 => Form::Minus((n - 2) / 2),
            _ => Form::Odd((n - 2) / 2),
        }
    }

    /// Singular vectors other than 0.
    fn points(self) -> u128 {
        let two = |e: u32| 1u128 << e;
        match self {
            Form::Plus(0) | Form::Minus(0) | Form::Odd(0) => 0,
            Form::Plus(r) => (two(r) - 1) * (two(r - 1) + 1),
            Form::Minus(r) => (two(r) + 1) * (two(r - 1) - 1),
            Form::Odd(r) => two(2 * r) - 1,
        }
    }

    /// The form on `u^perp / u` for a singular vector u: a hyperbolic plane less.
    fn residue(self) -> Self {
        match self {
            Form::Plus(r) => Form::Plus(r.saturating_sub(1)),
            Form::Minus(r) => Form::Minus(r.saturating_sub(1)),
            Form::Odd(r) => Form::Odd(r.saturating_sub(1)),
        }
    }

    /// Totally singular subspaces of dimension k: chains of them, over the flags of one.
    fn subspaces(self, k: usize) -> u128 {
        let (mut form, mut chains, mut flags) = (self, 1u128, 1u128);
        for i in 1..=k {
            chains *= form.points();
            flags *= (1 << i) - 1;
            form = form.residue();
        }
        chains / flags
    }
}

impl fmt::Display for CodeCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts: Vec<String> = self.by_dimension.iter().map(u64::to_string).collect();
        let (n, total) = (self.length, self.total());
        let counts = counts.join(", ");
        write!(
            f,
            "doubly even codes of length {n} by dimension: {counts}; in all {total}"
        )
    }
}

shows_itself!(CodeCounts as text);
