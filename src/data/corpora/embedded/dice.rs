//! Chance, drawn with integers only, so that a seed gives the same text everywhere.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of decisions.
pub(super) struct Dice {
    rng: ChaCha8Rng,
}

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// A number below `n` (0 for `n = 0`).
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.rng.next_u32()) * n as u64) >> 32) as usize
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// An index below `n`, index `i` with weight `1/(i + 3)`: commoner things come first.
    pub fn zipf(&mut self, n: usize) -> usize {
        let weight = |i: usize| 1_000_000 / (i + 3);
        let total = (0..n).map(weight).sum();
        let mut left = self.below(total);
        for i in 0..n {
            match left.checked_sub(weight(i)) {
                Some(rest) => left = rest,
                None => return i,
            }
        }
        0
    }

    /// An index with the given weights.
    pub fn weighted(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (i, &weight) in weights.iter().enumerate() {
            match left.checked_sub(weight) {
                Some(rest) => left = rest,
                None => return i,
            }
        }
        0
    }

    /// One of a list, the first ones more often.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.zipf(list.len())]
    }

    /// One of a list, all as often.
    pub fn any<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
