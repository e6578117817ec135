//! Lists of tokens by feature, from lists of features by token: a counting sort, tokens in order.

use crate::sae::kernels::{ActiveLists, CHUNK};

/// Feature `j` owns entries `starts[j]..starts[j + 1]` of `tokens` and `values`.
#[derive(Debug, Default)]
pub(in crate::sae::training) struct ByFeature {
    starts: Vec<u32>,
    cursor: Vec<u32>,
    tokens: Vec<u32>,
    values: Vec<f32>,
}

impl ByFeature {
    /// Counts the tokens of each feature in the chunks' lists; returns the number of pairs.
    pub(in crate::sae::training) fn count<'a>(
        &mut self,
        chunks: impl Iterator<Item = &'a ActiveLists>,
        d_sae: usize,
    ) -> usize {
        self.starts.clear();
        self.starts.resize(d_sae + 1, 0);
        for lists in chunks {
            for &j in &lists.idx {
                self.starts[j as usize + 1] += 1;
            }
        }
        for j in 0..d_sae {
            self.starts[j + 1] += self.starts[j];
        }
        self.starts[d_sae] as usize
    }

    /// Writes the lists that have just been counted.
    pub(in crate::sae::training) fn fill<'a>(
        &mut self,
        chunks: impl Iterator<Item = &'a ActiveLists>,
    ) {
        let entries = self.starts.last().map_or(0, |&n| n as usize);
        self.cursor.clone_from(&self.starts);
        self.tokens.resize(entries, 0);
        self.values.resize(entries, 0.0);
        for (c, lists) in chunks.enumerate() {
            for i in 0..lists.ends.len() {
                let (idx, vals) = lists.row(i);
                let token = (c * CHUNK + i) as u32;
                for (&j, &a) in idx.iter().zip(vals) {
                    let at = &mut self.cursor[j as usize];
                    self.tokens[*at as usize] = token;
                    self.values[*at as usize] = a;
                    *at += 1;
                }
            }
        }
    }

    /// Whether feature `j` has any tokens.
    pub(in crate::sae::training) fn has(&self, j: usize) -> bool {
        self.starts[j] < self.starts[j + 1]
    }

    /// Tokens of feature `j`, ascending, and their values.
    pub(in crate::sae::training) fn of(&self, j: usize) -> (&[u32], &[f32]) {
        let entries = self.starts[j] as usize..self.starts[j + 1] as usize;
        (&self.tokens[entries.clone()], &self.values[entries])
    }
}
