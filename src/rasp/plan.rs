//! What a compiler decides before it writes weights: variables with their places in the residual
//! stream, heads, hidden units, and who reads what.
//! Source: Tracr's craft models (Lindner et al. 2023, section 3.2): the stream is a direct sum.

use super::value::Value;
use crate::model::{Receiver, Sender};
use std::ops::Range;

/// Index of a variable in [`Plan::variables`].
pub(super) type Id = usize;

/// A named subspace of the residual stream.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    /// One dimension each; empty for a number, which has one dimension.
    pub(super) domain: Vec<Value>,
    pub(super) numerical: bool,
    pub(super) dims: Range<usize>,
    pub(super) writer: Sender,
    /// Half blocks that must have run: 0 for embeddings, `2 l + 1` after attention `l`.
    pub(super) ready: usize,
    /// Whether it depends on the symbols, not only on the position.
    pub(super) varies: bool,
}

/// A condition of a head: which value of the keys fits which value of the queries.
#[derive(Debug, Clone)]
pub(super) struct Matches {
    pub(super) keys: Id,
    /// None where the query does not matter; `fits` then has one column.
    pub(super) queries: Option<Id>,
    /// `[key][query]`.
    pub(super) fits: Vec<Vec<bool>>,
}

/// What a head does.
#[derive(Debug, Clone)]
pub(super) struct HeadPlan {
    pub(super) layer: usize,
    pub(super) conditions: Vec<Matches>,
    /// The variable of indices, where the latest key is preferred.
    pub(super) latest: Option<Id>,
    /// BOS scores like a selected key, so that its share is `1 / (1 + width)`; otherwise half a
    /// condition below, so that it is attended to where nothing is selected.
    pub(super) counts_bos: bool,
    /// What is averaged.
    pub(super) values: Id,
    pub(super) out: Id,
}

/// A hidden unit: `relu(bias + sum of weight x dim)`, written with weights to dims.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) layer: usize,
    pub(super) inputs: Vec<(usize, f64)>,
    pub(super) bias: f64,
    pub(super) outputs: Vec<(usize, f64)>,
}

/// A whole program, placed.
#[derive(Debug, Clone, Default)]
pub(super) struct Plan {
    pub(super) variables: Vec<Variable>,
    pub(super) heads: Vec<HeadPlan>,
    pub(super) units: Vec<Unit>,
    pub(super) reads: Vec<(Receiver, Id)>,
    pub(super) n_dims: usize,
    /// The flag of BOS, the symbols, the positions.
    pub(super) bos: Id,
    pub(super) tokens: Id,
    pub(super) indices: Id,
    pub(super) output: Id,
}

impl Plan {
    /// The next dimensions of the stream become a variable.
    pub(super) fn add(&mut self, variable: Variable) -> Id {
        let width = match variable.numerical {
            true => 1,
            false => variable.domain.len(),
        };
        let dims = self.n_dims..self.n_dims + width;
        self.n_dims = dims.end;
        self.variables.push(Variable { dims, ..variable });
        self.variables.len() - 1
    }

    /// Notes that a receiver reads a variable.
    pub(super) fn note_read(&mut self, receiver: Receiver, variable: Id) {
        if !self.reads.contains(&(receiver, variable)) {
            self.reads.push((receiver, variable));
        }
    }

    /// The first free head of a block.
    pub(super) fn next_head(&self, layer: usize) -> usize {
        self.heads.iter().filter(|h| h.layer == layer).count()
    }

    /// Blocks that the program needs.
    pub(super) fn n_layers(&self) -> usize {
        let heads = self.heads.iter().map(|h| h.layer + 1);
        heads
            .chain(self.units.iter().map(|u| u.layer + 1))
            .max()
            .unwrap_or(0)
    }
}
