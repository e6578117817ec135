//! Sizes of the temporal autoencoder's layers, and the columns of each head within a row.

use std::ops::Range;

/// Sizes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub d_in: usize,
    pub d_sae: usize,
    /// Of all heads' keys.
    pub width: usize,
    pub n_heads: usize,
    /// Positions of a sequence.
    pub n_pos: usize,
}

impl Shape {
    /// Columns of keys, queries and values.
    pub(super) fn n_columns(&self) -> usize {
        2 * self.width + self.d_sae
    }

    /// `lam`, the factor of the encoder.
    pub(super) fn lam(&self) -> f32 {
        1.0 / (4.0 * self.d_in as f32)
    }
}

/// The columns of one head.
pub(super) struct Head {
    pub keys: usize,
    pub queries: usize,
    pub values: usize,
}

impl Shape {
    pub(super) fn head(&self, h: usize) -> Head {
        let (of_key, of_value) = (self.d_key(), self.d_value());
        Head {
            keys: h * of_key,
            queries: self.width + h * of_key,
            values: 2 * self.width + h * of_value,
        }
    }

    pub(super) fn d_key(&self) -> usize {
        self.width / self.n_heads
    }

    pub(super) fn d_value(&self) -> usize {
        self.d_sae / self.n_heads
    }

    pub(super) fn scale(&self) -> f32 {
        1.0 / (self.d_key() as f32).sqrt()
    }

    /// The columns of queries, which belong to the position itself.
    pub(super) fn queries(&self) -> Range<usize> {
        self.width..2 * self.width
    }
}
