//! Systems of linear equations over GF(2), by elimination on rows of bits.
//! Each equation is reduced by those before it as it comes; what is left gives a pivot, nothing,
//! or the contradiction 0 = 1.
//! Source: elementary.

/// Equations over GF(2) in a fixed number of unknowns, kept in echelon form.
#[derive(Debug, Clone)]
pub(in crate::susy) struct LinearSystem {
    unknowns: usize,
    /// Row by row; the bit after the last unknown is the right-hand side.
    rows: Vec<Vec<u64>>,
    /// For each unknown: the row whose first bit it is.
    pivot: Vec<Option<usize>>,
    contradiction: bool,
}

impl LinearSystem {
    pub(in crate::susy) fn new(unknowns: usize) -> Self {
        Self {
            unknowns,
            rows: Vec::new(),
            pivot: vec![None; unknowns],
            contradiction: false,
        }
    }

    /// Adds `sum of the unknowns = right`; an unknown named twice cancels.
    pub(in crate::susy) fn add(&mut self, unknowns: &[usize], right: bool) {
        let mut row = vec![0u64; self.unknowns / 64 + 1];
        for &u in unknowns {
            row[u / 64] ^= 1 << (u % 64);
        }
        if right {
            row[self.unknowns / 64] ^= 1 << (self.unknowns % 64);
        }
        loop {
            let first = first_bit(&row);
            match first {
                None => return,
                Some(bit) if bit == self.unknowns => {
                    self.contradiction = true;
                    return;
                }
                Some(bit) => match self.pivot[bit] {
                    Some(known) => {
                        let known = &self.rows[known];
                        row.iter_mut().zip(known).for_each(|(a, b)| *a ^= b);
                    }
                    None => {
                        self.pivot[bit] = Some(self.rows.len());
                        self.rows.push(row);
                        return;
                    }
                },
            }
        }
    }

    /// Number of independent equations.
    pub(in crate::susy) fn rank(&self) -> usize {
        self.rows.len()
    }

    /// The solutions form a space of this dimension; None when there is none.
    pub(in crate::susy) fn nullity(&self) -> Option<usize> {
        (!self.contradiction).then(|| self.unknowns - self.rank())
    }

    /// The solution whose free unknowns are 0, if there is one.
    pub(in crate::susy) fn solution(&self) -> Option<Vec<bool>> {
        if self.contradiction {
            return None;
        }
        let mut values = vec![false; self.unknowns];
        // A row holds only its pivot and later unknowns, which are known when it is reached.
        for bit in (0..self.unknowns).rev() {
            let Some(row) = self.pivot[bit].map(|r| &self.rows[r]) else {
                continue;
            };
            let has = |u: usize| row[u / 64] >> (u % 64) & 1 == 1;
            let rest = (bit + 1..self.unknowns).filter(|&u| has(u) && values[u]);
            values[bit] = has(self.unknowns) ^ (rest.count() % 2 == 1);
        }
        Some(values)
    }
}

fn first_bit(row: &[u64]) -> Option<usize> {
    let word = row.iter().position(|&w| w != 0)?;
    Some(64 * word + row[word].trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against all assignments of ten unknowns.
        #[test]
        fn elimination_counts_and_finds_what_trying_everything_does(
            equations in prop::collection::vec((0usize..1024, prop::bool::ANY), 0..14)
        ) {
            let unknowns = |mask: usize| (0..10).filter(|u| mask >> u & 1 == 1).collect::<Vec<_>>();
            let mut system = LinearSystem::new(10);
            for &(mask, right) in &equations {
                system.add(&unknowns(mask), right);
            }
            let holds = |x: usize| {
                equations.iter().all(|&(mask, right)| ((x & mask).count_ones() % 2 == 1) == right)
            };
            let tried = (0..1024).filter(|&x| holds(x)).count();
            prop_assert_eq!(system.nullity().map_or(0, |k| 1 << k), tried);
            if let Some(values) = system.solution() {
                prop_assert!(holds(values.iter().rev().fold(0, |x, &v| 2 * x + usize::from(v))));
            } else {
                prop_assert_eq!(tried, 0);
            }
        }
    }
}
