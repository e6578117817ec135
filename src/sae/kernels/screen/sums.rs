//! The output of the integer product.

use crate::sae::kernels::tile::panel::{CHUNK, PANEL};

/// Registers of a panel's lanes.
pub(super) const VECS: usize = PANEL / 16;

/// `sums[i][lane] = sum_k x[i][k] w[k][lane]` of a chunk's rows, in integers; entries of a row or a lane that does
/// not exist are unspecified.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Sums(pub [[i32; PANEL]; CHUNK]);

impl Default for Sums {
    fn default() -> Self {
        Self([[0; PANEL]; CHUNK])
    }
}
