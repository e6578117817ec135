//! How many unordered sets of L matrices there are: with signs, and by their permutations alone.
//! `|L_I|^-1 |L_J|` is an involution without fixed point, so a set through 1 is a clique of such
//! involutions; each clique stands for `d!/N` sets and carries as many signs as odd dashings.
//! Source: arXiv:0806.0050, for the dashings; the cliques are elementary.

use super::dashing::count_odd_dashings;
use crate::error::{Error, Result};
use crate::show::shows_itself;
use std::fmt;

/// Unordered sets of N signed permutations of size d that satisfy GR(d, N).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratorSetCounts {
    pub n_colours: usize,
    pub d: usize,
    /// Sets of permutations that some choice of signs makes generators.
    pub unsigned: u64,
    /// Sets of signed permutations; times N! for ordered ones.
    pub signed: u64,
}

/// Counts the generator sets of GR(d, N), d <= 8.
///
/// ```
/// use holoscope::susy::generator_sets;
/// let eight = generator_sets(8, 8)?;
/// assert_eq!((eight.unsigned, eight.signed), (151_200, 79_272_345_600));
/// # Ok::<(), holoscope::Error>(())
/// ```
///
/// # Errors
/// `n` outside 1..=8, `d` outside 1..=8.
pub fn generator_sets(n: usize, d: usize) -> Result<GeneratorSetCounts> {
    if !(1..=8).contains(&n) || !(1..=8).contains(&d) {
        let value = format!("({n}, {d})");
        return Err(Error::argument("(n, d)", value, "both must be 1 to 8"));
    }
    let involutions = free_involutions(d);
    let all: Vec<usize> = (0..involutions.len()).collect();
    let identity: Vec<u32> = (0..d as u32).collect();
    // Cliques through the identity, and their signs: each d!/n times among all sets, for the
    // d! translates of a set through the identity meet each set n times.
    let (mut unsigned, mut signed) = (0u64, 0u64);
    cliques(&involutions, &mut vec![identity], &all, n, &mut |set| {
        if let Some(log2) = count_odd_dashings(set, &inverses(set)).log2 {
            unsigned += 1;
            signed += 1 << log2;
        }
    });
    let factorial: u64 = (1..=d as u64).product();
    Ok(GeneratorSetCounts {
        n_colours: n,
        d,
        unsigned: unsigned * factorial / n as u64,
        signed: signed * factorial / n as u64,
    })
}

/// Visits every set of `n` permutations that extends `set` by involutions of `candidates`, in
/// their order, any two of which differ by an involution without fixed point.
fn cliques(
    involutions: &[Vec<u32>],
    set: &mut Vec<Vec<u32>>,
    candidates: &[usize],
    n: usize,
    visit: &mut dyn FnMut(&[Vec<u32>]),
) {
    if set.len() == n {
        return visit(set);
    }
    for (k, &a) in candidates.iter().enumerate() {
        let next = &involutions[a];
        let rest = candidates[k + 1..].iter().copied();
        let rest: Vec<usize> = rest.filter(|&b| fits(next, &involutions[b])).collect();
        set.push(next.clone());
        cliques(involutions, set, &rest, n, visit);
        set.pop();
    }
}

/// True when the product of two involutions is an involution without fixed point: they commute
/// and agree nowhere.
fn fits(a: &[u32], b: &[u32]) -> bool {
    let product = |i: usize| a[b[i] as usize] as usize;
    (0..a.len()).all(|i| product(i) != i && product(product(i)) == i)
}

/// All involutions of `d` points without fixed point: pairings, (d - 1)!! of them for even d.
fn free_involutions(d: usize) -> Vec<Vec<u32>> {
    const UNPAIRED: u32 = u32::MAX;
    // The first free point pairs with every other free point; for odd d the last finds none.
    let paired = |p: &Vec<u32>| -> Vec<Vec<u32>> {
        let free: Vec<usize> = (0..d).filter(|&j| p[j] == UNPAIRED).collect();
        let partners = free.iter().skip(1);
        partners
            .map(|&j| {
                let mut next = p.clone();
                (next[free[0]], next[j]) = (j as u32, free[0] as u32);
                next
            })
            .collect()
    };
    let mut partial = vec![vec![UNPAIRED; d]];
    for _ in 0..d.div_ceil(2) {
        partial = partial.iter().flat_map(paired).collect();
    }
    partial
}

/// The inverse of each permutation.
fn inverses(set: &[Vec<u32>]) -> Vec<Vec<u32>> {
    let inverse = |p: &Vec<u32>| {
        let mut inverse = vec![0; p.len()];
        p.iter()
            .enumerate()
            .for_each(|(i, &j)| inverse[j as usize] = i as u32);
        inverse
    };
    set.iter().map(inverse).collect()
}

impl fmt::Display for GeneratorSetCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (n, d, unsigned, signed) = (self.n_colours, self.d, self.unsigned, self.signed);
        write!(
            f,
            "GR({d}, {n}): {unsigned} unordered sets of permutations, {signed} with signs"
        )
    }
}

shows_itself!(GeneratorSetCounts as text);
